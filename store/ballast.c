#include "store/ballast.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BLOCK_BYTES 512 /* of st_blocks: stat(2) */

static bool join(char out[PATH_MAX], const char *directory)
{
	return snprintf(out, PATH_MAX, "%s/" BALLAST_NAME, directory) <
	       PATH_MAX;
}

void ballast_init(
	struct ballast *ballast, const char *directory, uint64_t bytes)
{
	memset(ballast, 0, sizeof *ballast);
	ballast->bytes = join(ballast->path, directory) ? bytes : 0;
}

uint64_t ballast_room(const struct ballast *ballast)
{
	return ballast->bytes + ballast->bytes / 2;
}

static int64_t held(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISREG(status.st_mode)
		       ? (int64_t)status.st_blocks * BLOCK_BYTES
		       : 0;
}

static bool has_size(const struct ballast *ballast)
{
	struct stat status;
	return stat(ballast->path, &status) == 0 &&
	       (uint64_t)status.st_size == ballast->bytes &&
	       (uint64_t)status.st_blocks * BLOCK_BYTES >= ballast->bytes;
}

static bool is_room(const struct ballast *ballast)
{
	char directory[PATH_MAX];
	struct statvfs disk;
	memcpy(directory, ballast->path, sizeof directory);
	*strrchr(directory, '/') = '\0';
	return statvfs(directory, &disk) == 0 &&
	       (uint64_t)disk.f_bavail * disk.f_frsize >= ballast_room(ballast);
}

/* Half a ballast would be worse than none: its size says what it frees. */
static bool allocate(const struct ballast *ballast)
{
	int fd = open(ballast->path,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return false;
	bool made = posix_fallocate(fd, 0, (off_t)ballast->bytes) == 0;
	close(fd);
	if (!made)
		(void)unlink(ballast->path);
	return made;
}

bool ballast_make(struct ballast *ballast)
{
	if (ballast->bytes > 0 && has_size(ballast)) {
		ballast->given_up = false;
		return true;
	}
	if (ballast->path[0] != '\0')
		(void)unlink(ballast->path);
	if (ballast->bytes == 0 || !is_room(ballast) || !allocate(ballast))
		return false;
	ballast->given_up = false;
	return true;
}

bool ballast_give_up(struct ballast *ballast)
{
	if (ballast->path[0] == '\0' || unlink(ballast->path) != 0)
		return false;
	ballast->given_up = ballast->bytes > 0;
	return true;
}

int64_t ballast_held(const char *directory)
{
	char path[PATH_MAX];
	return join(path, directory) ? held(path) : 0;
}
