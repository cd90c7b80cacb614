#include "tests/simulate/wraps.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SLEEPS_MAX 20000 /* of a run, which has some hundred */

/* The seams have no argument to carry it. */
static struct {
	struct disk *disk;
	struct chance *chance;
	int patience;
	int64_t sleeps;
} machine;

void wraps_use(struct disk *disk, struct chance *chance, int patience)
{
	machine.disk = disk;
	machine.chance = chance;
	machine.patience = patience;
	machine.sleeps = 0;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_nanosleep(const struct timespec *span, struct timespec *left);
int __wrap_pthread_cond_timedwait(pthread_cond_t *changed,
	pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_posix_fadvise(int fd, off_t at, off_t length, int advice);
void __wrap_randombytes_buf(void *out, size_t length);
int __real_crypto_shorthash_siphashx24(unsigned char *out,
	const unsigned char *bytes, unsigned long long length,
	const unsigned char *secret);
int __wrap_crypto_shorthash_siphashx24(unsigned char *out,
	const unsigned char *bytes, unsigned long long length,
	const unsigned char *secret);
int __wrap_fsync(int fd);
int __wrap_file_copy(int from, int to);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_symlink(const char *target, const char *path);
int __wrap_symlink(const char *target, const char *path);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*run)(void *), void *payload);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_setpriority(int which, id_t who, int value);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
	int64_t now_us = clock == CLOCK_REALTIME ? disk_wall_us(machine.disk)
						 : disk_now_us(machine.disk);
	out->tv_sec = (time_t)(now_us / 1000000);
	out->tv_nsec = (long)(now_us % 1000000) * 1000;
	return 0;
}

/* Nobody ends a sleep but the clock: one that waits for what never comes
 * would be at it for ever. */
static void sleep_us(int64_t us)
{
	disk_pass_us(machine.disk, us);
	if (++machine.sleeps > SLEEPS_MAX) {
		(void)fputs("it sleeps for ever\n", stderr);
		abort();
	}
	if (disk_was_full(machine.disk) && machine.patience-- <= 0)
		disk_plan(machine.disk)->full_bytes = 0;
}

int __wrap_nanosleep(const struct timespec *span, struct timespec *left)
{
	(void)left;
	sleep_us((int64_t)span->tv_sec * 1000000 + span->tv_nsec / 1000);
	return 0;
}

/* Nobody else runs who could change anything. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *changed,
	pthread_mutex_t *mutex, const struct timespec *until)
{
	(void)changed;
	(void)mutex;
	int64_t until_us =
		(int64_t)until->tv_sec * 1000000 + until->tv_nsec / 1000;
	int64_t left_us = until_us - disk_now_us(machine.disk);
	sleep_us(left_us > 0 ? left_us : 0);
	return ETIMEDOUT;
}

int __wrap_posix_fadvise(int fd, off_t at, off_t length, int advice)
{
	(void)at;
	(void)length;
	if (advice == POSIX_FADV_DONTNEED)
		disk_drop_cache(machine.disk, fd);
	return 0;
}

void __wrap_randombytes_buf(void *out, size_t length)
{
	unsigned char *bytes = out;
	for (size_t i = 0; i < length; i++)
		bytes[i] = (unsigned char)chance_next(machine.chance);
}

/* Keys that begin alike (store/key_map.h) are many here. */
int __wrap_crypto_shorthash_siphashx24(unsigned char *out,
	const unsigned char *bytes, unsigned long long length,
	const unsigned char *secret)
{
	int rc = __real_crypto_shorthash_siphashx24(out, bytes, length, secret);
	memset(out, 0, 7);
	return rc;
}

int __wrap_fsync(int fd)
{
	return disk_sync_fd(machine.disk, fd);
}

int __wrap_file_copy(int from, int to)
{
	return disk_copy_fd(machine.disk, from, to);
}

int __wrap_rename(const char *from, const char *to)
{
	return disk_may_name(machine.disk) ? __real_rename(from, to) : -1;
}

int __wrap_symlink(const char *target, const char *path)
{
	return disk_may_name(machine.disk) ? __real_symlink(target, path) : -1;
}

/* There is one thread: what another would do is done at once. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*run)(void *), void *payload)
{
	(void)thread;
	(void)attributes;
	(void)run(payload);
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	(void)thread;
	(void)result;
	return 0;
}

int __wrap_setpriority(int which, id_t who, int value)
{
	(void)which;
	(void)who;
	(void)value;
	return 0;
}
/* NOLINTEND(bugprone-reserved-identifier) */
