#include "store/culprits_inside.h"
#include "store/letters.h"
#include "store/reader_inside.h"
#include "store/suspect.h"

#include <stdlib.h>

static bool is_same(const struct culprit *a, const struct culprit *b)
{
	return a->offset == b->offset && a->partition == b->partition &&
	       a->incarnation == b->incarnation &&
	       strcmp(a->topic, b->topic) == 0;
}

/* NULL: out of memory. */
static struct culprit *make_room(struct culprits *culprits)
{
	if (culprits->count == culprits->capacity) {
		size_t capacity = culprits->capacity + 8;
		struct culprit *larger =
			realloc(culprits->items, capacity * sizeof *larger);
		if (larger == NULL)
			return NULL;
		culprits->items = larger;
		culprits->capacity = capacity;
	}
	return &culprits->items[culprits->count];
}

int culprits_add(struct culprits *culprits, const struct culprit *culprit,
	struct fault *fault)
{
	for (size_t i = 0; i < culprits->count; i++)
		if (is_same(&culprits->items[i], culprit))
			return 0;
	struct culprit *added = make_room(culprits);
	const char *topic =
		arena_copy(&culprits->names, slice_of(culprit->topic)).data;
	if (added == NULL || topic == NULL)
		return fault_set(fault, FAULT_OOM,
			"no memory for records that ended the process");
	*added = *culprit;
	added->topic = topic;
	culprits->count++;
	return 0;
}

static int note(struct culprits *culprits, const struct log *log,
	int64_t offset, struct fault *fault)
{
	const struct culprit one = {
		log->topic, log->partition, CULPRIT_ANY_LOG, offset};
	return culprits_add(culprits, &one, fault);
}

/* What is looked into, as one snapshot has it. */
struct sight {
	sqlite3 *db;
	const struct partitions *partitions;
	struct letters letters;
};

/* What another log held at that offset says nothing of the newest. */
static bool is_of_newest(
	const struct partitions *partitions, const struct log *log)
{
	const struct store_partition *newest =
		partitions_find(partitions, log->topic, log->partition);
	return newest != NULL && &newest->log == log;
}

static int find_letter(struct culprits *culprits, struct sight *sight,
	const struct letter *which, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct letter letter = *which;
	struct record record = {0};
	int rc = letters_get(&sight->letters, which->kind, which->id, &arena,
		&letter, fault);
	if (rc >= 0)
		rc = letters_get_record(&sight->letters, letter.record,
			partitions_logs(sight->partitions), &arena, &record,
			fault);
	if (rc == 0 && is_of_newest(sight->partitions, record.log))
		rc = note(culprits, record.log, record.offset, fault);
	arena_finish(&arena);
	return rc;
}

static int find_letters(struct culprits *culprits, struct sight *sight,
	enum letter_kind kind, struct fault *fault)
{
	static const char *const sql[] = {
		[LETTER_DEAD] = "SELECT id, reason = 'crash_loop' FROM _dead"
				" WHERE id > ? ORDER BY id",
		[LETTER_PARKED] = "SELECT id, reason = 'crash_loop' FROM"
				  " _parked WHERE id > ? ORDER BY id",
	};
	const struct column after = column_integer(culprits->seen[kind]);
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(sight->db, &statement, sql[kind], fault);
	if (rc == 0)
		sql_bind(statement, &after, 1);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		const struct letter which = {
			.kind = kind, .id = sqlite3_column_int64(statement, 0)};
		rc = sqlite3_column_int(statement, 1) == 0
			     ? 0
			     : find_letter(culprits, sight, &which, fault);
		if (rc == 0) /* else it is looked at once more */
			culprits->seen[kind] = which.id;
	}
	sqlite3_finalize(statement);
	return rc;
}

/* Of what was taken the letters tell, also that it was taken up since. */
static int find_waiting(struct culprits *culprits, const struct sight *sight,
	struct fault *fault)
{
	struct culprits kept = CULPRITS_INIT;
	int rc = culprits_load(&kept, sight->db, fault);
	for (size_t i = 0; rc == 0 && i < kept.count; i++) {
		struct culprit one = kept.items[i];
		const struct store_partition *newest = partitions_find(
			sight->partitions, one.topic, one.partition);
		if (newest != NULL &&
			(newest->log.incarnation != one.incarnation ||
				newest->accounts.next_offset > one.offset))
			continue;
		one.incarnation = CULPRIT_ANY_LOG;
		rc = culprits_add(culprits, &one, fault);
	}
	culprits_finish(&kept);
	return rc;
}

/* Found by the last start, as of a partition that is paused since. */
static int find_guilty(struct culprits *culprits, const struct sight *sight,
	struct fault *fault)
{
	struct crash crash;
	int rc = crash_read(sight->db, &crash, fault);
	if (rc < 0 || crash.alone_ends < CRASH_ALONE_ENDS ||
		crash.alone_log < 1 ||
		(uint64_t)crash.alone_log > sight->partitions->count)
		return rc;
	const struct store_partition *partition =
		sight->partitions->items[crash.alone_log - 1];
	if (partition->accounts.next_offset > crash.alone_offset ||
		!is_of_newest(sight->partitions, &partition->log))
		return 0;
	return note(culprits, &partition->log, crash.alone_offset, fault);
}

int culprits_find(struct culprits *culprits, sqlite3 *db,
	const struct partitions *partitions, struct fault *fault)
{
	struct sight sight = {.db = db, .partitions = partitions};
	int rc = letters_init(&sight.letters, db, fault);
	if (rc == 0)
		rc = find_letters(culprits, &sight, LETTER_DEAD, fault);
	if (rc == 0)
		rc = find_letters(culprits, &sight, LETTER_PARKED, fault);
	if (rc == 0)
		rc = find_waiting(culprits, &sight, fault);
	if (rc == 0)
		rc = find_guilty(culprits, &sight, fault);
	letters_finish(&sight.letters);
	return rc;
}

int culprits_read(
	struct culprits *culprits, struct reader *reader, struct fault *fault)
{
	int rc = reader_begin(reader, fault);
	if (rc == 0)
		rc = culprits_find(
			culprits, reader->db, &reader->partitions, fault);
	reader_end(reader);
	return rc;
}

static bool is_it(const struct culprit *one, const struct record *record)
{
	return one->offset == record->offset &&
	       one->partition == record->log->partition &&
	       (one->incarnation == CULPRIT_ANY_LOG ||
		       one->incarnation == record->log->incarnation) &&
	       strcmp(one->topic, record->log->topic) == 0;
}

bool culprits_hold(const struct culprits *culprits, const struct record *record)
{
	bool holds = false;
	for (size_t i = 0; !holds && i < culprits->count; i++)
		holds = is_it(&culprits->items[i], record);
	return holds;
}

void culprits_finish(struct culprits *culprits)
{
	free(culprits->items);
	arena_finish(&culprits->names);
	*culprits = (struct culprits)CULPRITS_INIT;
}
