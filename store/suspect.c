#include "store/suspect.h"

#include "store/culprits_inside.h"
#include "store/writer.h"

#include <stdlib.h>

static const struct store_accounts *accounts_at(
	const struct store *store, size_t index)
{
	return &store->partitions.items[index]->accounts;
}

static bool is_fed(const struct run_left *left, size_t index)
{
	return index < left->fed_count && left->fed[index] == RUN_FED;
}

/* The record that was alone at this end is the one of the ends before, or the
 * first of its kind. What is below the fence was durable. */
static void blame(struct store *store, const struct run_left *left)
{
	struct crash *crash = &store->suspect.crash;
	uint32_t log = left->alone_log;
	if (log == 0 || log > store->partitions.count ||
		left->alone_offset < accounts_at(store, log - 1)->next_offset) {
		crash->alone_log = crash->alone_offset = crash->alone_ends = 0;
		return;
	}
	bool same = crash->alone_log == log &&
		    crash->alone_offset == left->alone_offset;
	crash->alone_ends = same ? crash->alone_ends + 1 : 1;
	crash->alone_log = log;
	crash->alone_offset = left->alone_offset;
}

/* Count the end where records were taken up, and none of them got in. *ends:
 * the most in a row, and *index where. False: no records were taken up. */
static bool count_end(struct store *store, const struct run_left *left,
	int64_t *ends, size_t *index)
{
	struct suspect *suspect = &store->suspect;
	bool any = false;
	for (size_t i = 0; i < suspect->start_count; i++) {
		struct start *start = &suspect->starts[i];
		if (!is_fed(left, i))
			continue;
		bool stuck = start->next_offset ==
			     accounts_at(store, i)->next_offset;
		start->ends = stuck ? start->ends + 1 : 0;
		if (!any || start->ends > *ends) {
			*ends = start->ends;
			*index = i;
		}
		any = true;
	}
	return any;
}

/* What was in flight at the end is suspected: of each partition so many records
 * at most. */
static void suspect_flights(struct store *store, const struct run_left *left)
{
	struct suspect *suspect = &store->suspect;
	int64_t most = suspect->crash.batch_records > 0
			       ? suspect->crash.batch_records
			       : STORE_BATCH_RECORDS_MAX;
	for (size_t i = 0; i < suspect->start_count; i++)
		if (is_fed(left, i))
			suspect->starts[i].until =
				accounts_at(store, i)->taken +
				CRASH_FLIGHTS * most;
}

/* Letters are tried again while no record is in flight: where that ended the
 * process, nothing else did. False: none was. */
static bool blame_letter(struct crash *crash, const struct run_left *left)
{
	int64_t letter = left->retry_count == 1 ? left->retry_letter : 0;
	bool same = letter != 0 && letter == crash->letter;
	crash->letter = letter;
	crash->letter_ends = same ? crash->letter_ends + 1 : 1;
	if (left->retry_count == 0)
		crash->letter_ends = 0;
	return left->retry_count > 0;
}

static void judge_end(struct store *store, const struct run_left *left)
{
	struct crash *crash = &store->suspect.crash;
	int64_t ends = 0;
	size_t index = 0;
	crash->epoch = left->epoch;
	if (blame_letter(crash, left) || !count_end(store, left, &ends, &index))
		return;
	if (crash->batch_records == 0 && ends < CRASH_ENDS)
		return;
	if (crash->batch_records == 1)
		blame(store, left);
	suspect_flights(store, left);
	crash->ends = crash->batch_records == 0 ? ends : crash->ends + 1;
	int64_t before = crash->batch_records == 0 ? STORE_BATCH_RECORDS_MAX
						   : crash->batch_records;
	crash->batch_records = before > 1 ? before / 2 : 1;
	crash->log = (int64_t)index + 1;
	crash->offset = accounts_at(store, index)->next_offset;
}

/* This run begins where the partitions are now. */
static bool move_starts(struct store *store)
{
	struct suspect *suspect = &store->suspect;
	bool moved = false;
	for (size_t i = 0; i < suspect->start_count; i++) {
		struct start *start = &suspect->starts[i];
		int64_t now = accounts_at(store, i)->next_offset;
		if (start->next_offset == now)
			continue;
		start->next_offset = now;
		start->ends = 0;
		moved = true;
	}
	return moved;
}

static int load(struct store *store, struct fault *fault)
{
	struct suspect *suspect = &store->suspect;
	size_t count = store->partitions.count;
	suspect->starts = calloc(count + 1, sizeof *suspect->starts);
	if (suspect->starts == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for partitions");
	suspect->start_count = count;
	for (size_t i = 0; i < count; i++)
		suspect->starts[i].next_offset =
			accounts_at(store, i)->first_offset;
	int rc = starts_read(store->db, suspect->starts, count, fault);
	if (rc == 0)
		rc = crash_read(store->db, &suspect->crash, fault);
	return rc < 0 ? rc : culprits_load(&suspect->known, store->db, fault);
}

/* It stays parked, and nobody looks into it unasked (store_due()). */
static int condemn(struct store *store, int64_t id, struct fault *fault)
{
	struct letter letter;
	int rc = letters_get(&store->letters, LETTER_PARKED, id,
		&store->batch_arena, &letter, fault);
	if (rc != 1)
		return rc;
	letter.reason = REASON_CRASH_LOOP;
	letter.detail = slice_of("the process ended again and again while "
				 "this letter was tried again: left alone");
	return letters_put(&store->letters, &letter, fault);
}

/* `condemned`: a letter; 0: none. */
static int write_down(struct store *store, const struct crash *crash,
	int64_t condemned, struct fault *fault)
{
	int rc = store_begin(store, fault);
	if (rc < 0)
		return rc;
	if (condemned != 0)
		rc = condemn(store, condemned, fault);
	if (rc == 0)
		rc = crash_write(store->db, crash, fault);
	if (rc == 0)
		rc = starts_write(store->db, store->suspect.starts,
			store->suspect.start_count, fault);
	if (rc == 0)
		rc = store_commit(store, fault);
	if (rc < 0)
		store_rollback(store);
	return rc;
}

static void publish(struct suspect *suspect)
{
	int64_t limit = suspect->crash.batch_records;
	atomic_store(&suspect->batch_records,
		limit > 0 ? (size_t)limit : STORE_BATCH_RECORDS_MAX);
}

/* An end is counted once, also where this start is killed before its own note
 * stands: by the epoch. */
static int judge(struct store *store, struct fault *fault)
{
	struct suspect *suspect = &store->suspect;
	struct run_left left;
	int rc = run_note_read(
		store->layout.database, &store->batch_arena, &left, fault);
	if (rc < 0)
		return rc;
	bool unclean = left.found && left.epoch > suspect->crash.epoch;
	if (unclean)
		judge_end(store, &left);
	if (suspect->crash.letter_ends >= CRASH_ALONE_ENDS) {
		suspect->guilty_letter = suspect->crash.letter;
		suspect->crash.letter = suspect->crash.letter_ends = 0;
	}
	bool moved = move_starts(store);
	if (!unclean && !moved)
		return 0;
	rc = write_down(store, &suspect->crash, suspect->guilty_letter, fault);
	return rc == STORE_OUTCOME_UNKNOWN
		       ? fault_wrap(fault, FAULT_BUSY,
				 "noting where this run begins")
		       : rc;
}

int suspect_open(struct store *store, struct fault *fault)
{
	int rc = load(store, fault);
	if (rc == 0)
		rc = judge(store, fault);
	publish(&store->suspect);
	return rc < 0 ? rc
		      : run_note_begin(&store->suspect.note,
				store->layout.database, store->owner_epoch,
				fault);
}

void suspect_finish(struct suspect *suspect)
{
	run_note_end(&suspect->note);
	free(suspect->starts);
	suspect->starts = NULL;
	culprits_finish(&suspect->known);
}

/* Partitions that don't run hold nothing up. */
static bool is_past(struct store *store, size_t index)
{
	struct start *start = &store->suspect.starts[index];
	const struct partition_mood *mood = &store->moods[index];
	if (mood->at_end || accounts_at(store, index)->taken >= start->until)
		start->until = 0;
	return start->until == 0 || !mood->started || mood->stopped;
}

static bool is_over(struct store *store)
{
	bool over = true;
	for (size_t i = 0; i < store->suspect.start_count; i++)
		over = is_past(store, i) && over;
	return over;
}

/* Found, and not taken yet. */
static bool is_guilty(const struct store *store)
{
	const struct crash *crash = &store->suspect.crash;
	return crash->alone_ends >= CRASH_ALONE_ENDS &&
	       accounts_at(store, (size_t)crash->alone_log - 1)->next_offset <=
		       crash->alone_offset;
}

/* Over, but what was found guilty stays so until it is taken, as where its
 * partition is paused. */
static int end_search(struct store *store, struct fault *fault)
{
	struct suspect *suspect = &store->suspect;
	struct crash after = {.epoch = suspect->crash.epoch};
	struct fault why = {0};
	if (is_guilty(store)) {
		after.alone_log = suspect->crash.alone_log;
		after.alone_offset = suspect->crash.alone_offset;
		after.alone_ends = suspect->crash.alone_ends;
	}
	for (size_t i = 0; i < suspect->start_count; i++)
		suspect->starts[i].ends = suspect->starts[i].until = 0;
	int rc = write_down(store, &after, 0, &why);
	if (rc == FAULT_IO || rc == FAULT_FENCED)
		return fault_set(fault, rc, "%s", why.text);
	if (rc != 0)
		return 0;
	suspect->crash = after;
	publish(suspect);
	return 0;
}

int suspect_review(struct store *store, struct fault *fault)
{
	const struct crash *crash = &store->suspect.crash;
	if (crash->batch_records == 0)
		return 0;
	bool found = crash->alone_ends >= CRASH_ALONE_ENDS && !is_guilty(store);
	return found || is_over(store) ? end_search(store, fault) : 0;
}

struct store_suspicion store_suspicion(const struct store *store)
{
	const struct crash *crash = &store->suspect.crash;
	struct store_suspicion out = {
		.batch_records = store_batch_records(store),
		.ends = crash->ends,
		.offset = crash->offset,
		.alone_ends = crash->alone_ends,
		.guilty = is_guilty(store),
		.guilty_letter = store->suspect.guilty_letter,
	};
	int64_t log = crash->log;
	if (crash->alone_ends > 0) {
		log = crash->alone_log;
		out.offset = crash->alone_offset;
	}
	if (log > 0 && (size_t)log <= store->partitions.count)
		out.log = &store->partitions.items[log - 1]->log;
	return out;
}

bool store_convicted(const struct store *store, const struct record *record)
{
	return culprits_hold(&store->suspect.known, record);
}

size_t store_batch_records(const struct store *store)
{
	return atomic_load(&store->suspect.batch_records);
}

bool store_retries_alone(const struct store *store)
{
	return store->suspect.crash.letter_ends > 0;
}

int store_retries_over(struct store *store, struct fault *fault)
{
	struct suspect *suspect = &store->suspect;
	struct crash after = suspect->crash;
	struct fault why = {0};
	if (!store_retries_alone(store))
		return 0;
	after.letter = after.letter_ends = 0;
	int rc = write_down(store, &after, 0, &why);
	if (rc == 0)
		suspect->crash = after;
	return rc == FAULT_IO || rc == FAULT_FENCED
		       ? fault_set(fault, rc, "%s", why.text)
		       : 0;
}

int store_retries(struct store *store, uint32_t count, int64_t letter,
	struct fault *fault)
{
	return run_note_retry(&store->suspect.note, count, letter, fault);
}

int store_feeds(struct store *store, const struct log *log, struct fault *fault)
{
	return run_note_feed(&store->suspect.note, log->id, fault);
}

int store_alone(
	struct store *store, const struct record *record, struct fault *fault)
{
	return run_note_alone(
		&store->suspect.note, record->log->id, record->offset, fault);
}
