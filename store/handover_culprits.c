/*
 * What was found to end the process stays found after going back: each took
 * some twenty starts to find. Records that come again are known by where they
 * are; letters that both have are left alone here, too.
 */
#include "store/culprits_inside.h"
#include "store/handover.h"
#include "store/writer.h"

/* Where the live one's word is whole, it counts alone. */
static int find(
	struct handover_work *work, struct culprits *found, struct fault *fault)
{
	struct fault why = {0};
	int rc = culprits_find(
		found, work->carry.live, &work->carry.partitions, &why);
	if (rc == 0 && work->from->schema != NULL)
		return culprits_clear(work->carry.store->db, fault);
	if (rc < 0)
		rc = handover_missed(
			work, "records that ended the process", &why, fault);
	return rc < 0 ? rc : 0;
}

/* The successor is the store that ingest goes on with. */
static int keep_records(struct handover_work *work, struct fault *fault)
{
	struct culprits found = CULPRITS_INIT;
	struct store *successor = work->carry.store;
	int rc = find(work, &found, fault);
	if (rc == 0)
		rc = culprits_keep(&found, successor->db,
			&successor->partitions, &work->out->culprits, fault);
	culprits_finish(&found);
	culprits_finish(&successor->suspect.known);
	return rc < 0 ? rc
		      : culprits_load(&successor->suspect.known, successor->db,
				fault);
}

/* Parked for something else here, as it was when the older one was left. */
static int leave_alone(
	struct handover_work *work, int64_t id, struct fault *fault)
{
	struct letters *letters = &work->carry.store->letters;
	struct letter letter;
	arena_reset(work->carry.arena);
	int rc = letters_get(
		letters, LETTER_PARKED, id, work->carry.arena, &letter, fault);
	if (rc != 1 || letter.reason == REASON_CRASH_LOOP)
		return rc < 0 ? rc : 0;
	letter.reason = REASON_CRASH_LOOP;
	letter.detail = slice_of("the process ended again and again while "
				 "this letter was tried again, before the "
				 "store went back: left alone");
	work->out->culprits++;
	return letters_put(letters, &letter, fault);
}

#define SELECT_PLACES                                                          \
	"SELECT a.id, r.offset, a.place FROM _parked a"                        \
	" JOIN _record r ON r.id = a.record WHERE "

/* 1: `here` finds the very letter that `there` stands on. */
static int has_letter(
	sqlite3_stmt *here, sqlite3_stmt *there, struct fault *fault)
{
	struct column where[3];
	for (int i = 0; i < 3; i++)
		where[i] = column_integer(sqlite3_column_int64(there, i));
	sql_bind(here, where, 3);
	int rc = sql_step(here, fault);
	sqlite3_reset(here);
	return rc;
}

static int keep_each(struct handover_work *work, sqlite3_stmt *there,
	sqlite3_stmt *here, struct fault *fault)
{
	struct fault why = {0};
	int rc = 0, step;
	while ((step = sql_step(there, &why)) == 1 && rc == 0) {
		rc = has_letter(here, there, fault);
		if (rc == 1)
			rc = leave_alone(
				work, sqlite3_column_int64(there, 0), fault);
	}
	if (rc == 0 && step < 0)
		rc = handover_missed(
			work, "letters that ended the process", &why, fault);
	return rc;
}

static int keep_letters(struct handover_work *work, struct fault *fault)
{
	sqlite3_stmt *there = NULL, *here = NULL;
	struct fault why = {0};
	int rc = sql_prepare(work->carry.live, &there,
		SELECT_PLACES "a.reason = 'crash_loop'", &why);
	if (rc < 0) {
		rc = handover_missed(
			work, "letters that ended the process", &why, fault);
	} else {
		rc = sql_prepare(work->carry.store->db, &here,
			SELECT_PLACES
			"a.id = ? AND r.offset = ? AND a.place = ?",
			fault);
		if (rc == 0)
			rc = keep_each(work, there, here, fault);
	}
	sqlite3_finalize(there);
	sqlite3_finalize(here);
	return rc;
}

int handover_culprits(struct handover_work *work, struct fault *fault)
{
	int rc = keep_records(work, fault);
	return rc < 0 ? rc : keep_letters(work, fault);
}
