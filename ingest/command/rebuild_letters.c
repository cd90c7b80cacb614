#include "ingest/command/rebuild_letters.h"

#include <stdlib.h>
#include <string.h>

/* Where a letter's update came. */
struct spot {
	struct lone_letter letter;
	const struct log *log;
	int64_t age, offset;
	uint32_t place;
	bool has_key, paired;
	unsigned char key[KEY_BYTES];
};

struct spots {
	struct reader_status status; /* in `arena`, as is what follows */
	int64_t *ages;		     /* by log id - 1 */
	struct spot *items;
	size_t count, capacity;
	struct arena arena;
};

int64_t log_age(const struct reader_status *status, const struct log *log)
{
	int64_t newest = log->incarnation;
	for (size_t i = 0; i < status->partition_count; i++) {
		const struct log *other = &status->partitions[i].log;
		if (other->partition == log->partition &&
			other->incarnation > newest &&
			strcmp(other->topic, log->topic) == 0)
			newest = other->incarnation;
	}
	return newest - log->incarnation;
}

static int order(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_place(const void *left, const void *right)
{
	const struct spot *a = left, *b = right;
	int all[] = {strcmp(a->log->topic, b->log->topic),
		order(a->log->partition, b->log->partition),
		order(a->age, b->age), order(a->offset, b->offset),
		order(a->place, b->place)};
	int found = 0;
	for (size_t i = 0; found == 0 && i < sizeof all / sizeof all[0]; i++)
		found = all[i];
	return found;
}

/* What has no key, or is paired already, comes last, and pairs with nothing. */
static int by_key(const void *left, const void *right)
{
	const struct spot *a = left, *b = right;
	bool a_counts = a->has_key && !a->paired;
	bool b_counts = b->has_key && !b->paired;
	if (a_counts != b_counts)
		return a_counts ? -1 : 1;
	return a_counts ? memcmp(a->key, b->key, KEY_BYTES) : 0;
}

static int by_id(const void *left, const void *right)
{
	const struct lone_letter *a = left, *b = right;
	int kinds = order(a->kind, b->kind);
	return kinds != 0 ? kinds : order(a->id, b->id);
}

static bool grow(struct spots *spots, size_t more)
{
	if (spots->count + more <= spots->capacity)
		return true;
	size_t capacity = 2 * (spots->count + more);
	struct spot *larger = realloc(spots->items, capacity * sizeof *larger);
	if (larger == NULL)
		return false;
	spots->items = larger;
	spots->capacity = capacity;
	return true;
}

static void add(struct spots *spots, const struct letter_whole *whole)
{
	const struct letter *letter = &whole->letter;
	struct spot *spot = &spots->items[spots->count++];
	*spot = (struct spot){.letter = {letter->kind, letter->id},
		.log = whole->record.log,
		.age = spots->ages[whole->record.log->id - 1],
		.offset = whole->record.offset,
		.place = letter->place,
		/* else the key is another event's */
		.has_key =
			letter->has_key && letter->reason != REASON_KEY_REUSED};
	memcpy(spot->key, letter->key, KEY_BYTES);
}

static int list_kind(struct reader *reader, enum letter_kind kind,
	struct spots *spots, struct fault *fault)
{
	struct letter_whole page[LETTER_PAGE_MAX];
	struct letter_filter filter = {.kind = kind,
		.since_us = TIMESTAMP_NONE,
		.until_us = TIMESTAMP_NONE};
	struct arena arena = ARENA_INIT;
	int rc = 1;
	while (rc > 0 && spots->count < LONE_LETTERS_MAX) {
		arena_reset(&arena);
		rc = reader_letters(
			reader, &filter, &arena, page, LETTER_PAGE_MAX, fault);
		if (rc > 0 && !grow(spots, (size_t)rc))
			rc = fault_set(
				fault, FAULT_OOM, "no memory for letters");
		for (int i = 0; i < rc; i++)
			add(spots, &page[i]);
		if (rc > 0)
			filter.after_id = page[rc - 1].letter.id;
	}
	arena_finish(&arena);
	return rc < 0 ? rc : 0;
}

static int find_ages(struct spots *spots, struct fault *fault)
{
	const struct reader_status *status = &spots->status;
	spots->ages = arena_take(&spots->arena,
		(status->partition_count + 1) * sizeof *spots->ages);
	if (spots->ages == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for partitions");
	for (size_t i = 0; i < status->partition_count; i++)
		spots->ages[i] = log_age(status, &status->partitions[i].log);
	return 0;
}

static int list(struct reader *reader, struct spots *spots, struct fault *fault)
{
	int rc = reader_summary(reader, &spots->arena, &spots->status, fault);
	if (rc == 0)
		rc = find_ages(spots, fault);
	if (rc == 0)
		rc = list_kind(reader, LETTER_DEAD, spots, fault);
	if (rc == 0)
		rc = list_kind(reader, LETTER_PARKED, spots, fault);
	return rc;
}

/* Each with one of the other side's that `order` says is the same. */
static void pair(struct spots *one, struct spots *other,
	int (*same)(const void *, const void *), size_t one_count,
	size_t other_count)
{
	size_t i = 0, j = 0;
	while (i < one_count && j < other_count) {
		struct spot *a = &one->items[i], *b = &other->items[j];
		int found = same(a, b);
		if (found == 0)
			a->paired = b->paired = true;
		i += found <= 0;
		j += found >= 0;
	}
}

static void sort(struct spots *spots, int (*by)(const void *, const void *))
{
	if (spots->count > 0)
		qsort(spots->items, spots->count, sizeof *spots->items, by);
}

/* Those that come first by_key(). */
static size_t count_keys(const struct spots *spots)
{
	size_t count = 0;
	for (size_t i = 0; i < spots->count; i++)
		count += spots->items[i].has_key && !spots->items[i].paired;
	return count;
}

static void pair_all(struct spots *one, struct spots *other)
{
	sort(one, by_place);
	sort(other, by_place);
	pair(one, other, by_place, one->count, other->count);
	sort(one, by_key);
	sort(other, by_key);
	pair(one, other, by_key, count_keys(one), count_keys(other));
}

static int take_lone(const struct spots *spots, struct lone_letters *out,
	struct fault *fault)
{
	out->items = calloc(spots->count + 1, sizeof *out->items);
	if (out->items == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for letters");
	for (size_t i = 0; i < spots->count; i++)
		if (!spots->items[i].paired)
			out->items[out->count++] = spots->items[i].letter;
	qsort(out->items, out->count, sizeof *out->items, by_id);
	return 0;
}

int lone_letters_find(struct reader *one, struct reader *other,
	struct lone_letters *out, struct fault *fault)
{
	struct spots here = {.arena = ARENA_INIT};
	struct spots there = {.arena = ARENA_INIT};
	*out = (struct lone_letters){0};
	int rc = list(one, &here, fault);
	if (rc == 0)
		rc = list(other, &there, fault);
	if (rc == 0) {
		pair_all(&here, &there);
		rc = take_lone(&here, out, fault);
	}
	free(here.items);
	free(there.items);
	arena_finish(&here.arena);
	arena_finish(&there.arena);
	return rc;
}
