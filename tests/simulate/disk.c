#include "tests/simulate/disk_inside.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR_BYTES 512
#define HEADER_BYTES 100 /* that the store reads by itself */
#define START_US INT64_C(1795422048000000)

/* The harness has no way on without memory. */
__attribute__((returns_nonnull)) static void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static void image_resize(struct image *image, size_t size)
{
	if (size > image->room) {
		image->room = size * 2;
		image->bytes = must(realloc(image->bytes, image->room));
	}
	if (size > image->size)
		memset((char *)must(image->bytes) + image->size, 0,
			size - image->size);
	image->size = size;
}

static void image_write(
	struct image *image, const void *bytes, size_t length, size_t at)
{
	if (at + length > image->size)
		image_resize(image, at + length);
	if (length > 0)
		memcpy((char *)must(image->bytes) + at, bytes, length);
}

static void image_copy(struct image *to, const struct image *from)
{
	image_resize(to, from->size);
	if (from->size > 0)
		memcpy(must(to->bytes), must(from->bytes), from->size);
}

/* What stands for it shows its first bytes; behind them a backup's seal. */
static void show(struct inode *inode)
{
	size_t length =
		inode->now.size < HEADER_BYTES ? inode->now.size : HEADER_BYTES;
	if ((length < inode->shown &&
		    ftruncate(inode->fd, (off_t)length) != 0) ||
		(length > 0 && pwrite(inode->fd, inode->now.bytes, length, 0) !=
				       (ssize_t)length))
		abort();
	inode->shown = length;
}

static struct change *add_change(struct inode *inode)
{
	if (inode->pending_count == inode->pending_room) {
		inode->pending_room = inode->pending_room * 2 + 16;
		inode->pending = must(realloc(inode->pending,
			inode->pending_room * sizeof *inode->pending));
	}
	return &inode->pending[inode->pending_count++];
}

void inode_write(
	struct inode *inode, const void *bytes, size_t length, size_t at)
{
	struct change *change = add_change(inode);
	*change = (struct change){.at = at, .length = length};
	change->bytes = must(malloc(length));
	memcpy(change->bytes, bytes, length);
	image_write(&inode->now, bytes, length, at);
	if (at < HEADER_BYTES)
		show(inode);
}

void inode_truncate(struct inode *inode, size_t size)
{
	*add_change(inode) = (struct change){.truncates = true, .at = size};
	image_resize(&inode->now, size);
	if (size < HEADER_BYTES)
		show(inode);
}

static void apply(struct image *image, const struct change *change)
{
	if (change->truncates)
		image_resize(image, change->at);
	else
		image_write(image, change->bytes, change->length, change->at);
}

void inode_forget(struct inode *inode)
{
	for (size_t i = 0; i < inode->pending_count; i++)
		free(inode->pending[i].bytes);
	inode->pending_count = 0;
}

void inode_sync(struct inode *inode)
{
	for (size_t i = 0; i < inode->pending_count; i++)
		apply(&inode->durable, &inode->pending[i]);
	inode_forget(inode);
	inode->named = true;
	inode->torn = false;
}

/* Sector by sector: there, not there, or anything. */
static void apply_torn(struct disk *disk, struct image *image,
	const struct change *change, bool garbage)
{
	struct chance *chance = &disk->damage_chance;
	size_t end = change->at + change->length;
	for (size_t at = change->at, next; at < end; at = next) {
		next = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
		next = next < end ? next : end;
		unsigned char *bytes = change->bytes + (at - change->at);
		uint64_t choice = chance_below(chance, garbage ? 3 : 2);
		for (size_t i = 0; choice == 2 && i < next - at; i++)
			bytes[i] = (unsigned char)chance_next(chance);
		if (choice > 0)
			image_write(image, bytes, next - at, at);
	}
	/* The size may be there without the content. */
	if (end > image->size && chance_percent(chance, 50))
		image_resize(image, end);
}

static void apply_damaged(struct disk *disk, struct image *image,
	const struct change *change, enum disk_damage damage)
{
	bool kept = damage == DAMAGE_NONE ||
		    chance_percent(&disk->damage_chance, 50);
	if (damage == DAMAGE_LOSE)
		return;
	if (kept)
		apply(image, change);
	else if (damage != DAMAGE_MIX && !change->truncates)
		apply_torn(disk, image, change, damage == DAMAGE_GARBAGE);
}

static void inode_free(struct inode *inode)
{
	inode_forget(inode);
	for (size_t i = 0; i < SHM_REGIONS_MAX; i++)
		free(inode->shm[i]);
	free(inode->pending);
	free(inode->now.bytes);
	free(inode->durable.bytes);
	close(inode->fd);
	free(inode);
}

/* A name that was never synced: gone with half a chance. The real one is found
 * by the descriptor. */
static void lose_name(struct disk *disk, struct inode *inode)
{
	char link[64], path[4096];
	if (inode->named || chance_percent(&disk->damage_chance, 50))
		return;
	sqlite3_snprintf(sizeof link, link, "/proc/self/fd/%d", inode->fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length <= 0)
		abort();
	path[length] = '\0';
	(void)unlink(path);
}

static void inode_restart(
	struct disk *disk, struct inode *inode, enum disk_damage damage)
{
	/* A kernel that lives still has the pages whose sync failed. */
	for (size_t i = 0; i < inode->pending_count; i++)
		apply_damaged(
			disk, &inode->durable, &inode->pending[i], damage);
	if (damage != DAMAGE_NONE) {
		inode_forget(inode);
		image_copy(&inode->now, &inode->durable);
		lose_name(disk, inode);
		inode->named = true;
		show(inode);
	}
}

void disk_restart(struct disk *disk, enum disk_damage damage)
{
	struct inode **at = &disk->inodes;
	while (*at != NULL) {
		struct inode *inode = *at;
		struct stat status;
		if (inode->handles != NULL || fstat(inode->fd, &status) != 0)
			abort();
		inode->torn |= inode->pending_count > 0;
		if (damage != DAMAGE_NONE)
			inode_restart(disk, inode, damage);
		if (status.st_nlink > 0) {
			at = &inode->next;
			continue;
		}
		*at = inode->next;
		inode_free(inode);
	}
	disk->dead = disk->failed = disk->full = false;
	disk->plan.crash_at = disk->plan.fail_at = 0;
	disk_note(disk, &damage, sizeof damage);
}

void disk_drop_cache(struct disk *disk, int fd)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return;
	for (struct inode *one = disk->inodes; one != NULL; one = one->next) {
		if (one->number != status.st_ino ||
			one->device != status.st_dev)
			continue;
		image_copy(&one->now, &one->durable);
		for (size_t i = 0; i < one->pending_count; i++)
			apply(&one->now, &one->pending[i]);
		show(one);
	}
}

/* While pages were copied into it: only its WAL holds all of them. */
static bool is_half_copied(const struct disk *disk)
{
	bool half = false;
	for (const struct inode *one = disk->inodes; one != NULL;
		one = one->next)
		half |= one->torn && !one->is_wal;
	return half;
}

/* The `pick`th file that may rot, and holds anything; NULL: there are not so
 * many. */
static struct inode *with_content(struct disk *disk, size_t pick)
{
	bool half = is_half_copied(disk);
	for (struct inode *one = disk->inodes; one != NULL; one = one->next)
		if (one->durable.size > 0 && !(half && one->is_wal) &&
			pick-- == 0)
			return one;
	return NULL;
}

void disk_rot(struct disk *disk)
{
	struct chance *chance = &disk->damage_chance;
	size_t count = 0;
	while (with_content(disk, count) != NULL)
		count++;
	if (count == 0)
		return;
	struct inode *inode =
		must(with_content(disk, chance_below(chance, count)));
	struct image *image = &inode->durable;
	unsigned char *byte = must(image->bytes);
	byte += chance_below(chance, image->size);
	*byte ^= (unsigned char)(1U << chance_below(chance, 8));
	image_copy(&inode->now, image);
	show(inode);
}

/* FNV-1a, but by words: all that is written goes through here. */
void disk_note(struct disk *disk, const void *bytes, size_t length)
{
	const unsigned char *from = bytes;
	uint64_t trace = disk->trace ^ length;
	for (uint64_t word = 0; length > 0; word = 0) {
		size_t part = length < sizeof word ? length : sizeof word;
		memcpy(&word, from, part);
		trace = (trace ^ word) * UINT64_C(0x100000001b3);
		trace ^= trace >> 32;
		from += part;
		length -= part;
	}
	disk->trace = trace;
}

enum fate disk_step(struct disk *disk, char kind, size_t at, size_t length)
{
	struct disk_plan *plan = &disk->plan;
	if (disk->dead)
		return FATE_FAIL;
	disk->changes++;
	disk_pass_us(disk, disk->write_us);
	uint64_t what[] = {(uint64_t)kind, at, length};
	disk_note(disk, what, sizeof what);
	if (disk->changes == plan->crash_at) {
		disk->dead = true;
		return FATE_DIE;
	}
	bool due = plan->fail_at != 0 && disk->changes >= plan->fail_at;
	if (plan->failure == FAIL_READ || !due ||
		(plan->failure == FAIL_SYNC_OFF && kind != 's'))
		return FATE_GO;
	if (plan->failure != FAIL_FOREVER)
		plan->fail_at = 0;
	disk->failed = true;
	return FATE_FAIL;
}

struct inode *disk_find(struct disk *disk, const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return NULL;
	for (struct inode *one = disk->inodes; one != NULL; one = one->next)
		if (one->number == status.st_ino &&
			one->device == status.st_dev)
			return one;
	return NULL;
}

static bool ends_with(const char *path, const char *end)
{
	size_t length = strlen(path), wanted = strlen(end);
	return length >= wanted && strcmp(path + length - wanted, end) == 0;
}

/* `path` NULL: a temporary file without a name. */
struct inode *disk_create(struct disk *disk, const char *path, int fd)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		abort();
	struct inode *inode = must(calloc(1, sizeof *inode));
	inode->fd = fd;
	inode->device = status.st_dev;
	inode->number = status.st_ino;
	inode->named = path == NULL;
	inode->is_wal = path != NULL && ends_with(path, "-wal");
	inode->next = disk->inodes;
	disk->inodes = inode;
	return inode;
}

void disk_free(struct disk *disk)
{
	if (disk == NULL)
		return;
	sqlite3_vfs_unregister(&disk->vfs);
	while (disk->inodes != NULL) {
		struct inode *inode = disk->inodes;
		disk->inodes = inode->next;
		inode_free(inode);
	}
	free(disk);
}

struct disk_plan *disk_plan(struct disk *disk)
{
	return &disk->plan;
}

int64_t disk_changes(const struct disk *disk)
{
	return disk->changes;
}

int64_t disk_bytes(const struct disk *disk)
{
	size_t sum = 0;
	for (struct inode *one = disk->inodes; one != NULL; one = one->next)
		sum += one->now.size;
	return (int64_t)sum;
}

bool disk_is_dead(const struct disk *disk)
{
	return disk->dead;
}

bool disk_has_failed(const struct disk *disk)
{
	return disk->failed;
}

bool disk_was_full(const struct disk *disk)
{
	return disk->full;
}

uint64_t disk_trace(const struct disk *disk)
{
	return disk->trace;
}

int64_t disk_now_us(const struct disk *disk)
{
	return START_US + disk->now_us;
}

int64_t disk_wall_us(const struct disk *disk)
{
	return disk_now_us(disk) + disk->jumped_us;
}

void disk_pass_us(struct disk *disk, int64_t us)
{
	disk->now_us += us;
}

void disk_jump_us(struct disk *disk, int64_t us)
{
	disk->jumped_us += us;
}

void disk_write_us(struct disk *disk, int64_t us)
{
	disk->write_us = us;
}

void disk_damage_seed(struct disk *disk, uint64_t seed)
{
	disk->damage_chance.state = seed;
}
