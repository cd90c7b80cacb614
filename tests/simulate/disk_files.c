/* What the store does to files itself, past SQLite. */
#include "tests/simulate/disk_inside.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static int no(void)
{
	errno = EIO;
	return -1;
}

static struct inode *find(struct disk *disk, int fd)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return NULL;
	struct inode *one = disk->inodes;
	while (one != NULL &&
		(one->number != status.st_ino || one->device != status.st_dev))
		one = one->next;
	return one;
}

int disk_sync_fd(struct disk *disk, int fd)
{
	struct inode *inode = find(disk, fd);
	if (inode == NULL) /* a directory: names are not lost */
		return disk->dead ? no() : 0;
	if (disk_step(disk, 's', 0, 0) != FATE_GO)
		return no();
	if (!disk->plan.lies)
		inode_sync(inode);
	return 0;
}

int disk_copy_fd(struct disk *disk, int from, int to)
{
	const struct inode *source = find(disk, from);
	if (source == NULL || disk->dead)
		return no();
	struct inode *copy = disk_create(disk, NULL, dup(to));
	copy->named = false;
	if (disk_step(disk, 'w', 0, source->now.size) != FATE_GO)
		return no();
	inode_write(copy, source->now.bytes, source->now.size, 0);
	return 0;
}

bool disk_may_name(struct disk *disk)
{
	return disk_step(disk, 'n', 0, 0) == FATE_GO || no() == 0;
}
