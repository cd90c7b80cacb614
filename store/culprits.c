#include "store/culprits.h"

#include "store/letters.h"
#include "store/reader_inside.h"

#include <stdlib.h>

/* NULL: out of memory. */
static struct culprit *add(struct culprits *culprits)
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

static int note(struct culprits *culprits, const struct record *record,
	struct fault *fault)
{
	struct culprit *added = add(culprits);
	const char *topic =
		arena_copy(&culprits->names, slice_of(record->log->topic)).data;
	if (added == NULL || topic == NULL)
		return fault_set(fault, FAULT_OOM,
			"no memory for records that ended the process");
	*added =
		(struct culprit){topic, record->log->partition, record->offset};
	culprits->count++;
	return 0;
}

/* What another log held at that offset says nothing of the newest. */
static bool is_of_newest(
	const struct reader *reader, const struct record *record)
{
	const struct store_partition *newest =
		partitions_find(&reader->partitions, record->log->topic,
			record->log->partition);
	return newest != NULL && &newest->log == record->log;
}

/* In one snapshot with the list that it is of. */
static int read_letter(struct culprits *culprits, struct reader *reader,
	struct letters *letters, const struct letter *which,
	struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct letter letter = *which;
	struct record record = {0};
	int rc = letters_get(
		letters, which->kind, which->id, &arena, &letter, fault);
	if (rc >= 0)
		rc = letters_get_record(letters, letter.record,
			partitions_logs(&reader->partitions), &arena, &record,
			fault);
	if (rc == 0 && is_of_newest(reader, &record))
		rc = note(culprits, &record, fault);
	arena_finish(&arena);
	return rc;
}

static int read_kind(struct culprits *culprits, struct reader *reader,
	struct letters *letters, enum letter_kind kind, struct fault *fault)
{
	static const char *const sql[] = {
		[LETTER_DEAD] = "SELECT id, reason = 'crash_loop' FROM _dead"
				" WHERE id > ? ORDER BY id",
		[LETTER_PARKED] = "SELECT id, reason = 'crash_loop' FROM"
				  " _parked WHERE id > ? ORDER BY id",
	};
	const struct column after = column_integer(culprits->seen[kind]);
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(reader->db, &statement, sql[kind], fault);
	if (rc == 0)
		sql_bind(statement, &after, 1);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		const struct letter which = {
			.kind = kind, .id = sqlite3_column_int64(statement, 0)};
		rc = sqlite3_column_int(statement, 1) == 0
			     ? 0
			     : read_letter(culprits, reader, letters, &which,
				       fault);
		culprits->seen[kind] = which.id;
	}
	sqlite3_finalize(statement);
	return rc;
}

int culprits_read(
	struct culprits *culprits, struct reader *reader, struct fault *fault)
{
	struct letters letters = {0};
	int rc = reader_begin(reader, fault);
	if (rc == 0)
		rc = letters_init(&letters, reader->db, fault);
	if (rc == 0)
		rc = read_kind(culprits, reader, &letters, LETTER_DEAD, fault);
	if (rc == 0)
		rc = read_kind(
			culprits, reader, &letters, LETTER_PARKED, fault);
	letters_finish(&letters);
	reader_end(reader);
	return rc;
}

bool culprits_hold(const struct culprits *culprits, const struct record *record)
{
	bool holds = false;
	for (size_t i = 0; !holds && i < culprits->count; i++) {
		const struct culprit *one = &culprits->items[i];
		holds = one->offset == record->offset &&
			one->partition == record->log->partition &&
			strcmp(one->topic, record->log->topic) == 0;
	}
	return holds;
}

void culprits_finish(struct culprits *culprits)
{
	free(culprits->items);
	arena_finish(&culprits->names);
	*culprits = (struct culprits)CULPRITS_INIT;
}
