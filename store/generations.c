#include "store/generations.h"

#include "schema/load.h"
#include "schema/rfc3339.h"
#include "store/carry.h"
#include "store/damage.h"
#include "store/failpoint.h"
#include "store/file_codes.h"
#include "store/reader_inside.h"
#include "store/writer.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define META_ORIGIN "origin"
#define META_BESIDE "beside" /* the live one's schema, when it was begun */
#define LISTING_BUSY_MS 1000

const char *store_generation(const struct store *store)
{
	return store->layout.generation;
}

int64_t store_epoch(const struct store *store)
{
	return store->owner_epoch;
}

static int put_text(struct store *store, const char *name, const char *text,
	struct fault *fault)
{
	const struct column value = column_text(slice_of(text));
	return meta_put(store->db, name, &value, fault);
}

static int note_origin(struct store *store, const struct store_build *build,
	struct fault *fault)
{
	int rc = store_begin(store, fault);
	if (rc == 0)
		rc = put_text(store, META_ORIGIN, build->origin, fault);
	if (rc == 0 && build->beside != NULL)
		rc = put_text(store, META_BESIDE, build->beside, fault);
	if (rc == 0) /* a base's, which is all its own */
		rc = put_text(store, META_CARRIED_VIEW, "", fault);
	if (rc == 0)
		rc = store_commit(store, fault);
	if (rc < 0)
		store_rollback(store);
	return rc == STORE_OUTCOME_UNKNOWN ? FAULT_BUSY : rc;
}

int store_build(struct store **out, const struct store_options *options,
	const struct store_build *build, struct fault *fault)
{
	const struct place place = {.lock = -1, .build = build};
	int rc = store_open_at(out, options, &place, fault);
	if (rc < 0 || build->generation != NULL || build->origin == NULL)
		return rc;
	rc = note_origin(*out, build, fault);
	if (rc < 0) {
		store_close(*out);
		*out = NULL;
	}
	return rc;
}

int store_build_beside(struct store *store, const char **out,
	struct arena *arena, struct fault *fault)
{
	int rc = meta_get_text(store->db, META_BESIDE, out, arena, fault);
	if (rc == 0 && (*out)[0] == '\0')
		*out = store_schema(store)->text;
	return rc;
}

/* "g12.db" alone, not its WAL. */
static bool is_generation(const char *file, char name[GENERATION_NAME_MAX])
{
	size_t length = strcspn(file, ".");
	if (length >= GENERATION_NAME_MAX || strcmp(file + length, ".db") != 0)
		return false;
	memcpy(name, file, length);
	name[length] = '\0';
	return generation_number(name) != 0;
}

static int by_number(const void *left, const void *right)
{
	const struct generation *a = left, *b = right;
	int64_t difference =
		generation_number(a->name) - generation_number(b->name);
	return (difference > 0) - (difference < 0);
}

static int64_t earliest_as_of(const struct reader_status *status)
{
	int64_t earliest_us = INT64_MAX;
	for (size_t i = 0; i < status->partition_count; i++)
		if (!load_is_topic(status->partitions[i].log.topic) &&
			status->partitions[i].as_of_us < earliest_us)
			earliest_us = status->partitions[i].as_of_us;
	return earliest_us == INT64_MAX ? TIMESTAMP_NONE : earliest_us;
}

static int describe_open(struct reader *reader, struct generation *out,
	struct arena *arena, struct fault *fault)
{
	struct reader_status status = {0};
	int rc = generation_read(
		reader->db, &out->state, &out->peer, arena, fault);
	if (rc == 0)
		rc = meta_get_text(
			reader->db, META_ORIGIN, &out->origin, arena, fault);
	if (rc == 0)
		rc = reader_summary(reader, arena, &status, fault);
	if (rc < 0)
		return rc;
	out->as_of_us = earliest_as_of(&status);
	out->digest = status.digest;
	return 0;
}

/* NULL: none. */
static const char *describe_damage(const char *database, struct arena *arena)
{
	struct damage damage;
	char at[RFC3339_SIZE] = "an unknown time";
	damage_read(database, &damage);
	if (!damage.found)
		return NULL;
	if (damage.at_us != TIMESTAMP_NONE)
		rfc3339_print(damage.at_us, at);
	const char *text = arena_print(
		arena, "as %s found at %s: %s", damage.by, at, damage.text);
	return text == NULL ? "no memory to say how" : text;
}

/* One that can't be read is listed all the same, with the reason. */
static int describe(const struct layout *layout, struct generation *out,
	struct arena *arena)
{
	struct fault why = {0};
	struct layout there = *layout;
	struct reader *reader = NULL;
	int rc = layout_turn_to(&there, out->name, &why);
	out->damage = rc < 0 ? NULL : describe_damage(there.database, arena);
	out->live = strcmp(layout->generation, out->name) == 0;
	out->state = GENERATION_SEALED;
	out->peer = out->origin = "";
	out->as_of_us = TIMESTAMP_NONE;
	out->file_bytes = layout_file_bytes(&there) + layout_wal_bytes(&there);
	if (rc == 0)
		rc = reader_open_generation(&reader, layout->directory,
			out->name, LISTING_BUSY_MS, &why);
	if (rc == 0)
		rc = describe_open(reader, out, arena, &why);
	reader_close(reader);
	if (rc == 0 || rc == FAULT_OOM)
		return rc;
	out->wrong = arena_copy(arena, slice_of(why.text)).data;
	return out->wrong == NULL ? FAULT_OOM : 0;
}

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for generations");
}

/* Generations of a directory: items[0..count), in an arena. */
struct found {
	struct generation *items;
	size_t count, room;
};

/* False: out of memory. */
static bool add(
	struct found *found, const struct generation *one, struct arena *arena)
{
	if (found->count == found->room) {
		size_t room = found->room == 0 ? 16 : 2 * found->room;
		struct generation *more =
			arena_take(arena, room * sizeof *more);
		if (more == NULL)
			return false;
		if (found->count > 0)
			memcpy(more, found->items, found->count * sizeof *more);
		found->items = more;
		found->room = room;
	}
	found->items[found->count++] = *one;
	return true;
}

/* The names of all. */
static int find_all(const struct layout *layout, struct arena *arena,
	struct found *found, struct fault *fault)
{
	char path[PATH_MAX];
	int rc = 0;
	memcpy(path, layout->database, sizeof path);
	*strrchr(path, '/') = '\0';
	DIR *directory = opendir(path);
	if (directory == NULL)
		return file_fault(fault, errno, "can't list directory", path);
	for (const struct dirent *entry;
		rc == 0 && (entry = readdir(directory)) != NULL;) {
		struct generation one = {0};
		if (is_generation(entry->d_name, one.name) &&
			!add(found, &one, arena))
			rc = no_memory(fault);
	}
	closedir(directory);
	if (found->count > 0)
		qsort(found->items, found->count, sizeof *found->items,
			by_number);
	return rc;
}

int generations_list(const char *path, struct arena *arena,
	const struct generation **out, size_t *count, struct fault *fault)
{
	struct layout layout;
	struct found found = {0};
	bool exists = false;
	int rc = layout_find(&layout, path, &exists, fault);
	if (rc == 0 && !exists)
		rc = fault_set(fault, FAULT_REFUSED,
			"%s holds no store: check store.path", path);
	if (rc == 0)
		rc = find_all(&layout, arena, &found, fault);
	for (size_t i = 0; rc == 0 && i < found.count; i++)
		rc = describe(&layout, &found.items[i], arena);
	*out = found.items;
	*count = found.count;
	return rc == FAULT_OOM ? no_memory(fault) : rc;
}

/* The file first: without its WAL it may lack commits, or be no database any
 * more, and it is a generation as long as it is there. What is left of it then,
 * the next start removes, too. */
static int remove_files(const struct layout *layout, struct fault *fault)
{
	if (unlink(layout->database) != 0)
		return file_fault(
			fault, errno, "can't remove", layout->database);
	failpoint("drop_file");
	return layout_clear_left(layout, fault);
}

/* The lock of builders in *builders, -1 for none; the caller closes it. Which
 * one is live is asked behind it: until then another may take its place. */
static int claim_for_drop(struct layout *layout, const char *path,
	const char *generation, int *builders, struct fault *fault)
{
	char live[GENERATION_NAME_MAX] = "";
	bool exists = false;
	*builders = -1;
	int rc = layout_find(layout, path, &exists, fault);
	if (rc == 0)
		rc = layout_lock_build(layout, builders, fault);
	if (rc == 0)
		rc = layout_find(layout, path, &exists, fault);
	if (rc == 0)
		memcpy(live, layout->generation, sizeof live);
	if (rc == 0)
		rc = layout_turn_to(layout, generation, fault);
	return rc < 0 ? rc : generation_check_there(layout, live, fault);
}

int generation_check_drop(
	const char *path, const char *generation, struct fault *fault)
{
	struct layout layout;
	int builders;
	int rc = claim_for_drop(&layout, path, generation, &builders, fault);
	if (builders >= 0)
		close(builders);
	return rc;
}

int generation_drop(
	const char *path, const char *generation, struct fault *fault)
{
	struct layout layout;
	int builders;
	int rc = claim_for_drop(&layout, path, generation, &builders, fault);
	if (rc == 0)
		rc = remove_files(&layout, fault);
	if (builders >= 0)
		close(builders);
	return rc;
}
