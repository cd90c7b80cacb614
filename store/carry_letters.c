/*
 * Letters, taken over from the live generation. Both took the same log, so both
 * have most letters, under ids that depend on how partitions came in turns: the
 * built one's get the live one's ids, by which people and the export know them,
 * and what became of them. Where copies of one event came in two partitions,
 * another copy may be the letter: then its key tells.
 *
 * A letter that the live one let go after somebody had seen it goes. One that
 * the log no longer holds is copied. All others stay as they were built, under
 * ids that no letter had. Of one that was let go nothing is left but that it is
 * counted: where it may as well have been taken up, it stays, since what that
 * changed is not here.
 */
#include "store/carry_letters.h"
#include "store/writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const tables[] = {
	[LETTER_DEAD] = "_dead",
	[LETTER_PARKED] = "_parked",
};

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for letters");
}

/* NULL: out of memory. */
static struct slot *add(struct slots *rows)
{
	if (rows->count == rows->capacity) {
		size_t capacity = rows->capacity == 0 ? 64 : rows->capacity * 2;
		struct slot *larger =
			realloc(rows->items, capacity * sizeof *larger);
		if (larger == NULL)
			return NULL;
		rows->items = larger;
		rows->capacity = capacity;
	}
	struct slot *row = &rows->items[rows->count++];
	*row = (struct slot){0};
	return row;
}

static struct slot *find(const struct slots *rows, int64_t id)
{
	size_t low = 0, high = rows->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (rows->items[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < rows->count && rows->items[low].id == id
		       ? &rows->items[low]
		       : NULL;
}

static void read_slot(sqlite3_stmt *statement, struct slot *row)
{
	row->id = sqlite3_column_int64(statement, 0);
	row->log = sqlite3_column_int64(statement, 1);
	row->offset = sqlite3_column_int64(statement, 2);
	row->place = (uint32_t)sqlite3_column_int64(statement, 3);
	const void *key = sqlite3_column_blob(statement, 4);
	row->has_key =
		key != NULL && sqlite3_column_bytes(statement, 4) == KEY_BYTES;
	if (row->has_key)
		memcpy(row->key, key, KEY_BYTES);
}

static bool is_of_other_view(const struct view *view, sqlite3_stmt *statement)
{
	const char *name = (const char *)sqlite3_column_text(statement, 5);
	return view != NULL && name != NULL && name[0] != '\0' &&
	       strcmp(name, view->name) != 0;
}

static int list(const struct letter_carry *letters, sqlite3 *db,
	struct slots *rows, struct fault *fault)
{
	char sql[160];
	sqlite3_stmt *statement = NULL;
	sqlite3_snprintf(sizeof sql, sql,
		"SELECT a.id, r.log, r.offset, a.place, a.key, a.view FROM %s a"
		" JOIN _record r ON r.id = a.record ORDER BY a.id",
		tables[letters->kind]);
	int rc = sql_prepare(db, &statement, sql, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct slot *row = add(rows);
		rc = row == NULL ? no_memory(fault) : 0;
		if (row == NULL)
			continue;
		read_slot(statement, row);
		row->of_other_view =
			is_of_other_view(letters->carry->view, statement);
	}
	sqlite3_finalize(statement);
	return rc;
}

static int prepare(struct letter_carry *letters, struct fault *fault)
{
	char sql[160];
	sqlite3 *db = letters->carry->store->db;
	sqlite3_snprintf(sizeof sql, sql,
		"SELECT a.id FROM _record r JOIN %s a ON a.record = r.id"
		" WHERE r.log = ? AND r.offset = ? AND a.place = ?",
		tables[letters->kind]);
	int rc = sql_prepare(db, &letters->by_place, sql, fault);
	sqlite3_snprintf(sizeof sql, sql, "SELECT id FROM %s WHERE key = ?",
		tables[letters->kind]);
	return rc < 0 ? rc : sql_prepare(db, &letters->by_key, sql, fault);
}

/* The built letter that `statement` finds and nobody else is the same as. */
static int pair(struct letter_carry *letters, struct slot *live,
	sqlite3_stmt *statement, struct fault *fault)
{
	int rc = 0;
	while (live->peer == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct slot *built = find(
			&letters->built, sqlite3_column_int64(statement, 0));
		if (built == NULL || built->peer != 0)
			continue;
		built->peer = live->id;
		live->peer = built->id;
	}
	sqlite3_reset(statement);
	return rc < 0 ? rc : 0;
}

static int pair_by_place(
	struct letter_carry *letters, struct slot *live, struct fault *fault)
{
	const struct store_partition *here =
		carry_partition(letters->carry, live->log);
	if (here == NULL)
		return 0;
	const struct column where[] = {column_integer(here->log.id),
		column_integer(live->offset), column_integer(live->place)};
	sql_bind(letters->by_place, where, 3);
	return pair(letters, live, letters->by_place, fault);
}

static int pair_by_key(
	struct letter_carry *letters, struct slot *live, struct fault *fault)
{
	if (live->peer != 0 || !live->has_key)
		return 0;
	const struct column key =
		column_blob((struct slice){(const char *)live->key, KEY_BYTES});
	sql_bind(letters->by_key, &key, 1);
	return pair(letters, live, letters->by_key, fault);
}

/* First all that are the very same, then those whose copies came first. */
static int pair_all(struct letter_carry *letters, struct fault *fault)
{
	struct slots *live = &letters->live;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < live->count; i++)
		rc = pair_by_place(letters, &live->items[i], fault);
	for (size_t i = 0; rc == 0 && i < live->count; i++)
		rc = pair_by_key(letters, &live->items[i], fault);
	return rc;
}

int carry_write_partition(struct store *store,
	const struct store_partition *partition, struct fault *fault)
{
	return partition_update(store->update_partition, partition,
		partition->accounts.next_offset, fault);
}

int carry_letter_get(struct letter_carry *letters, const struct slot *built,
	struct letter *out, struct fault *fault)
{
	int rc = letters_get(&letters->carry->store->letters, letters->kind,
		built->id, letters->carry->arena, out, fault);
	return rc == 1	? 0
	       : rc < 0 ? rc
			: fault_set(fault, FAULT_CORRUPT,
				  "a letter is gone while it is taken over");
}

/* Under its new id, and its key with it. `to` may be negative, on the way. */
static int move(struct letter_carry *letters, struct slot *built, int64_t to,
	struct fault *fault)
{
	struct store *store = letters->carry->store;
	struct key_holder *holder = NULL;
	enum key_state state =
		letters->kind == LETTER_DEAD ? KEY_DEAD : KEY_PARKED;
	struct letter letter;
	arena_reset(letters->carry->arena);
	int rc = carry_letter_get(letters, built, &letter, fault);
	if (rc == 0 && letter.has_key)
		rc = keys_find(&store->keys, letter.key, &holder, fault);
	if (rc == 1 && holder != NULL && holder->state == state &&
		holder->letter == letter.id)
		rc = keys_point(&store->keys, holder, to, fault);
	if (rc < 0)
		return rc;
	/* Its record stays: that is what letters_remove() would look at. */
	const struct column id = column_integer(letter.id);
	sql_bind(store->letters.remove[letters->kind], &id, 1);
	rc = sql_run(store->letters.remove[letters->kind], fault);
	letter.id = built->id = to;
	return rc < 0 ? rc : letters_put(&store->letters, &letter, fault);
}

/* Ids swap: each that changes first leaves the way. */
static int renumber(struct letter_carry *letters, struct fault *fault)
{
	int rc = 0;
	for (int round = 0; rc == 0 && round < 2; round++)
		for (size_t i = 0; rc == 0 && i < letters->built.count; i++) {
			struct slot *built = &letters->built.items[i];
			if (built->id == 0 || built->id == built->new_id)
				continue;
			rc = move(letters, built,
				round == 0 ? -built->new_id : built->new_id,
				fault);
		}
	return rc;
}

/* Which ids they get; *last: the greatest that there ever was. */
static void choose_ids(struct letter_carry *letters, int64_t *last)
{
	for (size_t i = 0; i < letters->built.count; i++) {
		struct slot *built = &letters->built.items[i];
		built->new_id = built->peer;
		if (built->id != 0 && built->peer == 0)
			built->new_id = ++*last;
	}
}

static int last_id(
	sqlite3 *db, enum letter_kind kind, int64_t *out, struct fault *fault)
{
	char sql[128];
	sqlite3_snprintf(sizeof sql, sql,
		"SELECT coalesce((SELECT seq FROM sqlite_sequence"
		" WHERE name = '%s'), 0)",
		tables[kind]);
	return sql_integer(db, sql, out, fault);
}

/* No letter gets an id again that one had in either generation. */
static int note_last_id(
	struct letter_carry *letters, int64_t last, struct fault *fault)
{
	char sql[160];
	sqlite3_snprintf(sizeof sql, sql,
		"DELETE FROM sqlite_sequence WHERE name = '%s';"
		"INSERT INTO sqlite_sequence VALUES ('%s', %lld)",
		tables[letters->kind], tables[letters->kind], (long long)last);
	return sql_execute(letters->carry->store->db, sql, fault);
}

/* What became of the live one's letter became of this one. */
static int take_fate(struct letter_carry *letters, const struct slot *built,
	const struct letter *live, struct fault *fault)
{
	struct letter letter;
	int rc = carry_letter_get(letters, built, &letter, fault);
	if (rc < 0 || (letter.acknowledged_us == live->acknowledged_us &&
			      letter.attempts == live->attempts &&
			      letter.due_us == live->due_us))
		return rc;
	letter.acknowledged_us = live->acknowledged_us;
	letter.attempts = live->attempts;
	letter.due_us = live->due_us;
	return letters_put(&letters->carry->store->letters, &letter, fault);
}

/* Counted as a record that was taken, though the log no longer holds it. */
static int copy(struct letter_carry *letters, struct letter *live,
	struct record *record, struct fault *fault)
{
	struct store *store = letters->carry->store;
	struct store_partition *here =
		carry_partition(letters->carry, record->log->id);
	struct store_accounts *accounts = &here->accounts;
	int64_t row = store->letters.next.record;
	record->log = &here->log;
	int rc = letters_put_record(&store->letters, record,
		record->timestamp_us, letters->carry->arena, fault);
	live->record = row;
	live->has_key = false; /* nobody else's copy comes any more */
	if (rc == 0)
		rc = letters_put(&store->letters, live, fault);
	accounts->updates++;
	accounts->dispositions[letters->kind == LETTER_DEAD
				       ? DISPOSITION_DEAD
				       : DISPOSITION_PARKED]++;
	letters->carry->out->copied++;
	return rc < 0 ? rc : carry_write_partition(store, here, fault);
}

/* Is it of a log that was taken here from behind it? */
static bool is_out_of_reach(
	const struct letter_carry *letters, const struct slot *live)
{
	const struct store_partition *here =
		carry_partition(letters->carry, live->log);
	return here != NULL && live->offset < here->accounts.first_offset;
}

static int take_one(struct letter_carry *letters, struct letters *source,
	const struct slot *live, struct fault *fault)
{
	struct carry *carry = letters->carry;
	struct letter letter;
	struct record record;
	arena_reset(carry->arena);
	if (live->peer == 0 && !is_out_of_reach(letters, live))
		return 0;
	int rc = letters_get(
		source, letters->kind, live->id, carry->arena, &letter, fault);
	if (rc == FAULT_CORRUPT) {
		carry->out->damaged++;
		return 0;
	}
	if (rc <= 0)
		return rc;
	if (live->peer != 0) {
		carry->out->letters++;
		const struct slot built = {.id = live->id};
		return take_fate(letters, &built, &letter, fault);
	}
	rc = letters_get_record(source, letter.record,
		partitions_logs(&carry->partitions), carry->arena, &record,
		fault);
	carry->out->damaged += rc == FAULT_CORRUPT;
	if (rc < 0)
		return rc == FAULT_CORRUPT ? 0 : rc;
	carry->out->letters++;
	return copy(letters, &letter, &record, fault);
}

/* With the built ones under the live one's ids. */
static int take_fates(struct letter_carry *letters, struct fault *fault)
{
	struct letters source;
	int rc = letters_init(&source, letters->carry->live, fault);
	for (size_t i = 0; rc == 0 && i < letters->live.count; i++)
		rc = take_one(letters, &source, &letters->live.items[i], fault);
	letters_finish(&source);
	return rc;
}

static int same_schema(
	const struct carry *carry, bool *same, struct fault *fault)
{
	struct identity live = {0};
	int rc = meta_read_identity(carry->live, &live, carry->arena, fault);
	*same = rc == 0 && strcmp(live.schema->text,
				   carry->store->identity.schema->text) == 0;
	schema_free(live.schema);
	return rc;
}

static int carry_kind(struct letter_carry *letters, struct fault *fault)
{
	struct carry *carry = letters->carry;
	bool same = false;
	int64_t last = 0, last_here = 0;
	int rc = same_schema(carry, &same, fault);
	if (rc == 0)
		rc = last_id(carry->live, letters->kind, &last, fault);
	if (rc == 0)
		rc = last_id(
			carry->store->db, letters->kind, &last_here, fault);
	if (rc == 0)
		rc = pair_all(letters, fault);
	if (rc == 0 && same && letters->kind == LETTER_DEAD)
		rc = carry_cleared(letters, fault);
	if (rc < 0)
		return rc;
	last = last > last_here ? last : last_here;
	choose_ids(letters, &last);
	rc = renumber(letters, fault);
	if (rc == 0)
		rc = note_last_id(letters, last, fault);
	return rc < 0 ? rc : take_fates(letters, fault);
}

static int carry_letters_of(
	struct carry *carry, enum letter_kind kind, struct fault *fault)
{
	struct letter_carry letters = {.carry = carry, .kind = kind};
	int rc = list(&letters, carry->live, &letters.live, fault);
	if (rc == 0)
		rc = list(&letters, carry->store->db, &letters.built, fault);
	if (rc == 0)
		rc = prepare(&letters, fault);
	if (rc == 0)
		rc = carry_kind(&letters, fault);
	sqlite3_finalize(letters.by_place);
	sqlite3_finalize(letters.by_key);
	free(letters.live.items);
	free(letters.built.items);
	return rc;
}

int carry_letters(struct carry *carry, struct fault *fault)
{
	int rc = carry_letters_of(carry, LETTER_DEAD, fault);
	return rc < 0 ? rc : carry_letters_of(carry, LETTER_PARKED, fault);
}
