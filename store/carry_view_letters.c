#include "store/carry_views.h"
#include "store/writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A letter by where it stands, in its own generation. */
struct spot {
	enum letter_kind kind;
	int64_t id;
};

struct spots {
	struct spot *items;
	size_t count, capacity;
};

/* Finds letters of one generation. */
struct finder {
	struct letters letters;
	sqlite3_stmt *by_place[2], *by_key[2]; /* by letter_kind */
};

struct view_letters {
	struct carry *carry;
	struct finder live, built;
	/* By log id - 1: how many that the live one let go are still here. */
	int64_t *to_clear;
};

static const char *const tables[] = {
	[LETTER_DEAD] = "_dead",
	[LETTER_PARKED] = "_parked",
};

static enum disposition disposition_of(enum letter_kind kind)
{
	return kind == LETTER_DEAD ? DISPOSITION_DEAD : DISPOSITION_PARKED;
}

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for letters");
}

static int finder_init(struct finder *finder, sqlite3 *db, struct fault *fault)
{
	char sql[160];
	int rc = letters_init(&finder->letters, db, fault);
	for (int kind = LETTER_DEAD; rc == 0 && kind <= LETTER_PARKED; kind++) {
		sqlite3_snprintf(sizeof sql, sql,
			"SELECT a.id FROM _record r JOIN %s a ON a.record ="
			" r.id WHERE r.log = ? AND r.offset = ? AND a.place ="
			" ?",
			tables[kind]);
		rc = sql_prepare(db, &finder->by_place[kind], sql, fault);
		sqlite3_snprintf(sizeof sql, sql,
			"SELECT id FROM %s WHERE key = ? AND reason <> '%s'",
			tables[kind], reason_name(REASON_KEY_REUSED));
		if (rc == 0)
			rc = sql_prepare(db, &finder->by_key[kind], sql, fault);
	}
	return rc;
}

static void finder_finish(struct finder *finder)
{
	for (int kind = LETTER_DEAD; kind <= LETTER_PARKED; kind++) {
		sqlite3_finalize(finder->by_place[kind]);
		sqlite3_finalize(finder->by_key[kind]);
	}
	letters_finish(&finder->letters);
}

/* 1: *id. 0: there is none. */
static int ask(sqlite3_stmt *statement, const struct column *values,
	size_t count, int64_t *id, struct fault *fault)
{
	sql_bind(statement, values, count);
	int rc = sql_step(statement, fault);
	if (rc == 1)
		*id = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return rc;
}

static int find_by_place(struct finder *finder, enum letter_kind kind,
	const struct log *log, const struct letter_whole *whole, int64_t *id,
	struct fault *fault)
{
	const struct column where[] = {column_integer(log->id),
		column_integer(whole->record.offset),
		column_integer(whole->letter.place)};
	return ask(finder->by_place[kind], where, 3, id, fault);
}

/* A copy of the same event that came in another partition: not where the key is
 * another event's. */
static int find_by_key(struct finder *finder, const struct letter *letter,
	int64_t *id, struct fault *fault)
{
	if (!letter->has_key || letter->reason == REASON_KEY_REUSED)
		return 0;
	const struct column key = column_blob(
		(struct slice){(const char *)letter->key, KEY_BYTES});
	return ask(finder->by_key[letter->kind], &key, 1, id, fault);
}

static int add(struct spots *spots, enum letter_kind kind, int64_t id,
	struct fault *fault)
{
	if (spots->count == spots->capacity) {
		size_t capacity = 2 * spots->capacity + 64;
		struct spot *larger =
			realloc(spots->items, capacity * sizeof *larger);
		if (larger == NULL)
			return no_memory(fault);
		spots->items = larger;
		spots->capacity = capacity;
	}
	spots->items[spots->count++] = (struct spot){kind, id};
	return 0;
}

static int list_kind(const struct carry *carry, sqlite3 *db,
	enum letter_kind kind, struct spots *spots, struct fault *fault)
{
	static const char *const sql[] = {
		[LETTER_DEAD] = "SELECT id FROM _dead WHERE view <> '' AND"
				" view <> ? ORDER BY id",
		[LETTER_PARKED] = "SELECT id FROM _parked WHERE view <> '' AND"
				  " view <> ? ORDER BY id",
	};
	const struct column view = column_text(slice_of(carry->view->name));
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(db, &statement, sql[kind], fault);
	if (rc == 0)
		sql_bind(statement, &view, 1);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1)
		rc = add(
			spots, kind, sqlite3_column_int64(statement, 0), fault);
	sqlite3_finalize(statement);
	return rc;
}

/* Letters of other views, as they are now, by kind and id. */
static int list(const struct carry *carry, sqlite3 *db, struct spots *spots,
	struct fault *fault)
{
	int rc = list_kind(carry, db, LETTER_DEAD, spots, fault);
	return rc < 0 ? rc : list_kind(carry, db, LETTER_PARKED, spots, fault);
}

/* 1: *out, in the arena. 0: it went meanwhile. */
static int get(struct view_letters *letters, struct finder *finder,
	const struct spot *spot, struct letter_whole *out, struct fault *fault)
{
	struct carry *carry = letters->carry;
	const struct partitions *partitions =
		finder == &letters->live ? &carry->partitions
					 : &carry->store->partitions;
	arena_reset(carry->arena);
	int rc = letters_get(&finder->letters, spot->kind, spot->id,
		carry->arena, &out->letter, fault);
	if (rc != 1)
		return rc;
	rc = letters_get_record(&finder->letters, out->letter.record,
		partitions_logs(partitions), carry->arena, &out->record, fault);
	return rc < 0 ? rc : 1;
}

static int write_partition(struct carry *carry,
	const struct store_partition *here, struct fault *fault)
{
	return partition_update(carry->store->update_partition, here,
		here->accounts.next_offset, fault);
}

/* Its key is held for another state from now on, if it is the holder. */
static int turn_key(struct carry *carry, const struct letter_whole *whole,
	const struct log *log, enum key_state state, int64_t letter,
	struct fault *fault)
{
	struct keys *keys = &carry->store->keys;
	struct key_holder *holder = NULL;
	if (!whole->letter.has_key)
		return 0;
	int rc = keys_find(keys, whole->letter.key, &holder, fault);
	if (rc <= 0 || holder->log != log->id ||
		holder->offset != whole->record.offset ||
		holder->place != whole->letter.place)
		return rc < 0 ? rc : 0;
	holder->state = state;
	return keys_point(keys, holder, letter, fault);
}

/* It is none any more: what it waited for happened there. */
static int settle(struct view_letters *letters,
	const struct letter_whole *built, struct fault *fault)
{
	struct carry *carry = letters->carry;
	struct store_partition *here =
		carry->store->partitions.items[built->record.log->id - 1];
	int64_t *dispositions = here->accounts.dispositions;
	dispositions[disposition_of(built->letter.kind)]--;
	dispositions[DISPOSITION_APPLIED]++;
	carry->out->settled++;
	int rc = turn_key(carry, built, &here->log, KEY_TAKEN, 0, fault);
	if (rc == 0)
		rc = letters_remove(
			&carry->store->letters, &built->letter, fault);
	return rc < 0 ? rc : write_partition(carry, here, fault);
}

/* What it counts as here: it was taken, or is a copy of what was. */
static int64_t *counted_as(struct store_partition *here)
{
	static const enum disposition order[] = {DISPOSITION_APPLIED,
		DISPOSITION_SUPERSEDED, DISPOSITION_DUPLICATE};
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
		if (here->accounts.dispositions[order[i]] > 0)
			return &here->accounts.dispositions[order[i]];
	return NULL;
}

static int copy(struct view_letters *letters, struct letter_whole *live,
	struct store_partition *here, struct fault *fault)
{
	struct carry *carry = letters->carry;
	struct letters *to = &carry->store->letters;
	int64_t *counted = counted_as(here);
	if (counted == NULL)
		return fault_set(fault, FAULT_CORRUPT,
			"%s: more letters than updates", here->log.topic);
	--*counted;
	here->accounts.dispositions[disposition_of(live->letter.kind)]++;
	live->letter.id = 0;
	live->letter.record = to->next.record;
	live->record.log = &here->log;
	carry->out->copied++;
	int rc = letters_put_record(to, &live->record,
		live->record.timestamp_us, carry->arena, fault);
	if (rc == 0)
		rc = letters_put(to, &live->letter, fault);
	if (rc == 0)
		rc = turn_key(carry, live, &here->log,
			live->letter.kind == LETTER_DEAD ? KEY_DEAD
							 : KEY_PARKED,
			live->letter.id, fault);
	return rc < 0 ? rc : write_partition(carry, here, fault);
}

/* Dead here and parked there, or the other way round. */
static int drop_other_kind(struct view_letters *letters,
	const struct letter_whole *live, const struct store_partition *here,
	struct fault *fault)
{
	struct carry *carry = letters->carry;
	struct spot spot = {.kind = live->letter.kind == LETTER_DEAD
					    ? LETTER_PARKED
					    : LETTER_DEAD};
	struct letter_whole other;
	int rc = find_by_place(
		&letters->built, spot.kind, &here->log, live, &spot.id, fault);
	if (rc == 1)
		rc = letters_get(&letters->built.letters, spot.kind, spot.id,
			carry->arena, &other.letter, fault);
	if (rc != 1)
		return rc;
	other.record = live->record;
	other.record.log = &here->log;
	return settle(letters, &other, fault);
}

static int take_live(struct view_letters *letters, const struct spot *spot,
	struct fault *fault)
{
	int64_t id;
	struct letter_whole live;
	int rc = get(letters, &letters->live, spot, &live, fault);
	if (rc != 1)
		return rc;
	struct store_partition *here =
		carry_partition(letters->carry, live.record.log->id);
	/* carry_letters() copies what the log lost */
	if (here == NULL || live.record.offset < here->accounts.first_offset)
		return 0;
	rc = find_by_place(
		&letters->built, spot->kind, &here->log, &live, &id, fault);
	if (rc == 0)
		rc = find_by_key(&letters->built, &live.letter, &id, fault);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = drop_other_kind(letters, &live, here, fault);
	return rc < 0 ? rc : copy(letters, &live, here, fault);
}

/* The oldest first, as they were seen. */
static bool was_cleared(
	struct view_letters *letters, const struct letter_whole *built)
{
	int64_t *left = &letters->to_clear[built->record.log->id - 1];
	if (built->letter.kind != LETTER_DEAD || *left <= 0)
		return false;
	--*left;
	return true;
}

static int leave_built(struct view_letters *letters, const struct spot *spot,
	struct fault *fault)
{
	int64_t id;
	const struct carry *carry = letters->carry;
	struct letter_whole built;
	int rc = get(letters, &letters->built, spot, &built, fault);
	if (rc != 1)
		return rc;
	const struct store_partition *there = carry_live_partition(carry,
		carry->store->partitions.items[built.record.log->id - 1]);
	if (there == NULL) /* which only this one takes */
		return 0;
	rc = find_by_place(
		&letters->live, spot->kind, &there->log, &built, &id, fault);
	if (rc == 0)
		rc = find_by_key(&letters->live, &built.letter, &id, fault);
	if (rc != 0 || was_cleared(letters, &built))
		return rc < 0 ? rc : 0;
	return settle(letters, &built, fault);
}

static int count_cleared(struct view_letters *letters, struct fault *fault)
{
	struct carry *carry = letters->carry;
	const struct partitions *partitions = &carry->store->partitions;
	letters->to_clear =
		calloc(partitions->count + 1, sizeof *letters->to_clear);
	if (letters->to_clear == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < partitions->count; i++) {
		const struct store_partition *here = partitions->items[i];
		const struct store_partition *there =
			carry_live_partition(carry, here);
		letters->to_clear[i] = there == NULL
					       ? 0
					       : there->accounts.cleared -
							 here->accounts.cleared;
	}
	return 0;
}

static int carry_all(struct view_letters *letters, struct fault *fault)
{
	struct carry *carry = letters->carry;
	struct spots live = {0}, built = {0};
	int rc = list(carry, carry->live, &live, fault);
	for (size_t i = 0; rc == 0 && i < live.count; i++)
		rc = take_live(letters, &live.items[i], fault);
	if (rc == 0)
		rc = list(carry, carry->store->db, &built, fault);
	for (size_t i = 0; rc == 0 && i < built.count; i++)
		rc = leave_built(letters, &built.items[i], fault);
	free(live.items);
	free(built.items);
	return rc;
}

int carry_view_letters(struct carry *carry, struct fault *fault)
{
	struct view_letters letters = {.carry = carry};
	int rc = finder_init(&letters.live, carry->live, fault);
	if (rc == 0)
		rc = finder_init(&letters.built, carry->store->db, fault);
	if (rc == 0)
		rc = count_cleared(&letters, fault);
	if (rc == 0)
		rc = carry_all(&letters, fault);
	free(letters.to_clear);
	finder_finish(&letters.live);
	finder_finish(&letters.built);
	return rc;
}
