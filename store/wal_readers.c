#include "store/wal_readers.h"

#include "store/layout.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_READ_LOCK 123
#define LAST_READ_LOCK 127

/* "1: POSIX  ADVISORY  READ 4711 fe:00:1234 124 124". The device is left out:
 * it is not stat's everywhere (overlayfs, btrfs). */
static bool read_lock(const char *line, unsigned long long inode, long *pid)
{
	unsigned long long locked = 0;
	long first = 0, last = 0;
	return sscanf(line, "%*d: POSIX %*s READ %ld %*x:%*x:%llu %ld %ld", pid,
		       &locked, &first, &last) == 4 &&
	       locked == inode && first >= FIRST_READ_LOCK &&
	       last <= LAST_READ_LOCK;
}

static void find_command(long pid, char command[32])
{
	char path[64];
	command[0] = '\0';
	int length = snprintf(path, sizeof path, "/proc/%ld/comm", pid);
	FILE *file = length > 0 ? fopen(path, "r") : NULL;
	if (file == NULL)
		return;
	if (fgets(command, 32, file) != NULL)
		command[strcspn(command, "\n")] = '\0';
	fclose(file);
}

static void append(char *out, size_t size, long pid)
{
	char command[32];
	char name[96];
	find_command(pid, command);
	int length = snprintf(name, sizeof name, "%sprocess %ld (%s)",
		out[0] == '\0' ? "" : ", ", pid, command);
	size_t held = strlen(out);
	if (length > 0 && held + (size_t)length < size)
		memcpy(out + held, name, (size_t)length + 1);
}

/* Of those that hold a lock in the file with this inode. */
static size_t look(ino_t inode, char *out, size_t size)
{
	FILE *locks = fopen("/proc/locks", "r");
	if (locks == NULL)
		return 0;
	char line[256];
	long pid = 0, newest = 0;
	size_t count = 0;
	while (fgets(line, sizeof line, locks) != NULL) {
		/* One process may hold several: they stand side by side. */
		if (!read_lock(line, inode, &pid) || pid == (long)getpid() ||
			pid == newest)
			continue;
		newest = pid;
		count++;
		append(out, size, pid);
	}
	fclose(locks);
	return count;
}

/* The kernel gives its list out page by page, and counts lines to go on: where
 * other locks come and go meanwhile, one look in a thousand misses a line
 * (fs/locks.c, locks_start()). */
#define LOOKS 5

size_t wal_readers_name(const char *database, char *out, size_t size)
{
	char path[PATH_MAX + 8];
	struct stat status;
	size_t count = 0;
	out[0] = '\0';
	int length = snprintf(path, sizeof path, "%s-shm", database);
	if (length < 0 || stat(path, &status) != 0)
		return 0;
	for (int looks = 0; count == 0 && looks < LOOKS; looks++)
		count = look(status.st_ino, out, size);
	return count;
}

size_t wal_readers_of(const char *directory, char *out, size_t size)
{
	struct layout layout;
	bool exists = false;
	out[0] = '\0';
	if (layout_find(&layout, directory, &exists, NULL) != 0 || !exists)
		return 0;
	return wal_readers_name(layout.database, out, size);
}
