/*
 * Letters after going back. A letter has the same id in every generation, and
 * none gets an id that one had in either. Those that were dropped since are
 * dropped again; those that came since come again out of the log, under new
 * ids; what was taken up or cleared since is a letter again, since its effect
 * is not there either.
 */
#include "store/handover.h"
#include "store/writer.h"

/* A letter of the live one and where its record was. */
struct slot {
	int64_t id, log, offset, place, acknowledged_us;
};

static void read_slot(sqlite3_stmt *statement, struct slot *out)
{
	*out = (struct slot){.id = sqlite3_column_int64(statement, 0),
		.log = sqlite3_column_int64(statement, 1),
		.offset = sqlite3_column_int64(statement, 2),
		.place = sqlite3_column_int64(statement, 3),
		.acknowledged_us = sqlite3_column_int64(statement, 4)};
}

#define SELECT_SLOTS                                                           \
	"SELECT a.id, r.log, r.offset, a.place, a.acknowledged FROM _dead a"   \
	" JOIN _record r ON r.id = a.record"

/* 1: `statement` finds the very letter. */
static int has_letter(
	sqlite3_stmt *statement, const struct slot *slot, struct fault *fault)
{
	const struct column where[] = {column_integer(slot->id),
		column_integer(slot->offset), column_integer(slot->place)};
	sql_bind(statement, where, 3);
	int rc = sql_step(statement, fault);
	sqlite3_reset(statement);
	return rc;
}

#define SELECT_LETTER                                                          \
	"SELECT 1 FROM _dead a JOIN _record r ON r.id = a.record"              \
	" WHERE a.id = ? AND r.offset = ? AND a.place = ?"

static int drop_again(struct handover_work *work, const struct slot *slot,
	struct fault *fault)
{
	struct letters *letters = &work->carry.store->letters;
	struct letter letter;
	arena_reset(work->carry.arena);
	int rc = letters_get(letters, LETTER_DEAD, slot->id, work->carry.arena,
		&letter, fault);
	if (rc != 1 || letter.acknowledged_us != TIMESTAMP_NONE)
		return rc < 0 ? rc : 0;
	letter.acknowledged_us = slot->acknowledged_us;
	work->out->dropped++;
	return letters_put(letters, &letter, fault);
}

/* Those whose records are behind what the successor took come again. */
static int take_dropped(struct handover_work *work, sqlite3_stmt *dropped,
	sqlite3_stmt *here, struct fault *fault)
{
	struct fault why = {0};
	int rc = 0, step;
	while ((step = sql_step(dropped, &why)) == 1 && rc == 0) {
		struct slot slot;
		read_slot(dropped, &slot);
		rc = has_letter(here, &slot, fault);
		if (rc == 0)
			work->out->drops_gone++;
		if (rc == 1)
			rc = drop_again(work, &slot, fault);
	}
	if (rc == 0 && step < 0)
		rc = handover_missed(work, "dropped letters", &why, fault);
	return rc;
}

static int count_back(struct handover_work *work, sqlite3_stmt *own,
	sqlite3_stmt *there, struct fault *fault)
{
	struct fault why = {0};
	int rc;
	while ((rc = sql_step(own, fault)) == 1) {
		struct slot slot;
		read_slot(own, &slot);
		int found = has_letter(there, &slot, &why);
		if (found < 0)
			return handover_missed(work, "letters", &why, fault);
		work->out->letters_back += found == 0;
	}
	return rc;
}

static int compare(struct handover_work *work, struct fault *fault)
{
	sqlite3 *live = work->carry.live, *own = work->carry.store->db;
	sqlite3_stmt *dropped = NULL, *there = NULL, *all = NULL, *here = NULL;
	struct fault why = {0};
	int rc = sql_prepare(live, &dropped,
		SELECT_SLOTS " WHERE a.acknowledged IS NOT NULL", &why);
	if (rc == 0)
		rc = sql_prepare(live, &there, SELECT_LETTER, &why);
	if (rc < 0) {
		rc = handover_missed(work, "letters", &why, fault);
	} else {
		rc = sql_prepare(own, &all, SELECT_SLOTS, fault);
		if (rc == 0)
			rc = sql_prepare(own, &here, SELECT_LETTER, fault);
		if (rc == 0)
			rc = take_dropped(work, dropped, here, fault);
		if (rc == 0)
			rc = count_back(work, all, there, fault);
	}
	sqlite3_finalize(dropped);
	sqlite3_finalize(there);
	sqlite3_finalize(all);
	sqlite3_finalize(here);
	return rc;
}

/* Behind every id that a letter had there. */
static int pass_ids(struct handover_work *work, const char *table,
	int64_t *next, struct fault *fault)
{
	char sql[160];
	struct fault why = {0};
	int64_t last = 0;
	sqlite3_snprintf(sizeof sql, sql,
		"SELECT coalesce((SELECT seq FROM sqlite_sequence"
		" WHERE name = '%s'), 0)",
		table);
	int rc = sql_integer(work->carry.live, sql, &last, &why);
	if (rc < 0)
		return handover_missed(work, "ids of letters", &why, fault);
	if (last < *next)
		return 0;
	sqlite3_snprintf(sizeof sql, sql,
		"DELETE FROM sqlite_sequence WHERE name = '%s';"
		"INSERT INTO sqlite_sequence VALUES ('%s', %lld)",
		table, table, (long long)last);
	*next = last + 1;
	return sql_execute(work->carry.store->db, sql, fault);
}

int handover_letters(struct handover_work *work, struct fault *fault)
{
	struct letter_ids *next = &work->carry.store->letters.next;
	int rc = compare(work, fault);
	if (rc == 0)
		rc = pass_ids(work, "_dead", &next->dead, fault);
	return rc < 0 ? rc : pass_ids(work, "_parked", &next->parked, fault);
}
