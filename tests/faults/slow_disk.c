/* Preloaded: each fdatasync and fsync takes longer by so many microseconds as
 * the file that SLOW_DISK names says, an int64; the test changes it meanwhile.
 * One that began to wait ends its wait as soon as the file says less. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_US 10000

static const volatile int64_t *slow_us;

__attribute__((constructor)) static void open_slow(void)
{
	const char *path = getenv("SLOW_DISK");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	void *mapped =
		mmap(NULL, sizeof *slow_us, PROT_READ, MAP_SHARED, fd, 0);
	if (mapped != MAP_FAILED)
		slow_us = mapped;
	(void)close(fd);
}

static void take_long(void)
{
	static const struct timespec between = {0, LOOK_EVERY_US * 1000L};
	for (int64_t waited_us = 0; slow_us != NULL && waited_us < *slow_us;
		waited_us += LOOK_EVERY_US)
		(void)nanosleep(&between, NULL);
}

int fdatasync(int fd)
{
	take_long();
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	take_long();
	return (int)syscall(SYS_fsync, fd);
}
