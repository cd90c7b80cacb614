#include "tests/simulate/hand.h"

#include "ingest/retry.h"
#include "store/decisions.h"
#include "store/writer.h"

#include <stdio.h>
#include <string.h>

#define CLEAR_PERCENT 20
#define DRY_PERCENT 20 /* only asks what would happen */

#define RESUME_PERCENT 50

/* A dead letter. */
struct chosen {
	int64_t id;
	int log, incarnation;
	int64_t offset;
	int place;
};

bool hand_wants(struct hand *hand)
{
	return chance_percent(hand->chance, hand->percent);
}

static bool read_letter(sqlite3 *db, int64_t which, struct chosen *out)
{
	sqlite3_stmt *statement = NULL;
	bool found = false;
	if (sqlite3_prepare_v2(db,
		    "SELECT d.id, topic, partition, incarnation, r.offset,"
		    " place"
		    " FROM _dead d JOIN _record r ON r.id = d.record"
		    " JOIN _partition p ON p.id = r.log ORDER BY d.id"
		    " LIMIT 1 OFFSET ?1 % max(1, (SELECT count(*) FROM"
		    " _dead))",
		    -1, &statement, NULL) == SQLITE_OK &&
		sqlite3_bind_int64(statement, 1, which) == SQLITE_OK &&
		sqlite3_step(statement) == SQLITE_ROW) {
		found = true;
		out->id = sqlite3_column_int64(statement, 0);
		out->log = log_index(
			(const char *)sqlite3_column_text(statement, 1),
			sqlite3_column_int(statement, 2));
		out->incarnation = sqlite3_column_int(statement, 3);
		out->offset = sqlite3_column_int64(statement, 4);
		out->place = sqlite3_column_int(statement, 5);
	}
	sqlite3_finalize(statement);
	return found;
}

/* The same in the log's words. Its record is one that arrived, though the log
 * may hold another there by now. */
static struct arrival arrival_of(
	const struct arrivals *arrivals, const struct chosen *chosen)
{
	struct arrival arrival = {.kind = ARRIVAL_RETRY,
		.log = chosen->log,
		.incarnation = chosen->incarnation,
		.place = chosen->place};
	for (size_t i = 0; i < arrivals->count; i++) {
		const struct arrival *one = &arrivals->items[i];
		if (one->kind == ARRIVAL_RECORD && one->log == chosen->log &&
			one->incarnation == chosen->incarnation &&
			one->record->offset == chosen->offset)
			arrival.record = one->record;
	}
	return arrival;
}

/* What the store says of a partition that is stopped. */
struct stop {
	int log, incarnation;
	unsigned why;
	int64_t log_start;
};

static bool read_stop(sqlite3 *db, int64_t which, struct stop *out)
{
	sqlite3_stmt *statement = NULL;
	bool found = false;
	if (sqlite3_prepare_v2(db,
		    "SELECT topic, partition, incarnation, log_start,"
		    " reason = 'records_lost'"
		    " FROM _stop s JOIN _partition p ON p.id = s.log"
		    " WHERE reason IN ('records_lost', 'log_changed')"
		    " ORDER BY s.log"
		    " LIMIT 1 OFFSET ?1 % max(1, (SELECT count(*) FROM _stop"
		    " WHERE reason IN ('records_lost', 'log_changed')))",
		    -1, &statement, NULL) == SQLITE_OK &&
		sqlite3_bind_int64(statement, 1, which) == SQLITE_OK &&
		sqlite3_step(statement) == SQLITE_ROW) {
		found = true;
		out->log = log_index(
			(const char *)sqlite3_column_text(statement, 0),
			sqlite3_column_int(statement, 1));
		out->incarnation = sqlite3_column_int(statement, 2);
		out->log_start = sqlite3_column_int64(statement, 3);
		out->why = sqlite3_column_int(statement, 4) != 0
				   ? LOG_STOP_LOST
				   : LOG_STOP_CHANGED;
	}
	sqlite3_finalize(statement);
	return found;
}

static const struct log *log_of(
	const struct store *store, const struct stop *stop)
{
	for (size_t i = 0; i < store_partition_count(store); i++) {
		const struct log *one = &store_partition_at(store, i)->log;
		if (log_index(one->topic, one->partition) == stop->log &&
			(int)one->incarnation == stop->incarnation)
			return one;
	}
	return NULL;
}

int hand_resume(struct hand *hand, struct fault *fault)
{
	struct stop stop;
	int64_t which = (int64_t)(chance_next(hand->chance) >> 1);
	if (!read_stop(hand->store->db, which, &stop))
		return 1;
	const struct decision decision = {.at_us = 1,
		.who = "operator",
		.what = "resume",
		.target = "a partition",
		.because = "of the simulation"};
	const struct log *log = log_of(hand->store, &stop);
	bool lost = stop.why == LOG_STOP_LOST;
	if (!lost && stop.incarnation + 1 >= EVENT_INCARNATIONS) {
		(void)snprintf(hand->log->why, sizeof hand->log->why,
			"partition %d begins anew without end", stop.log);
		return 1;
	}
	if ((hand->log->partitions[stop.log].stops & stop.why) == 0)
		return fault_set(fault, FAULT_INTERNAL,
			"partition %d is stopped for what nobody told",
			stop.log);
	arrive(hand->log->arrivals,
		&(struct arrival){.kind = lost ? ARRIVAL_GAP : ARRIVAL_NEW_LOG,
			.log = stop.log,
			.incarnation = stop.incarnation,
			.next_offset = stop.log_start});
	int rc = lost ? store_accept_gap(hand->store, log, &decision, fault)
		      : store_new_log(hand->store, log, &decision, fault);
	if (rc > 0)
		return fault_set(fault, FAULT_INTERNAL,
			"partition %d: it does not go on", stop.log);
	if (rc == FAULT_FULL) { /* nothing changed */
		hand->log->arrivals->count--;
		return 0;
	}
	/* Nobody knows: look again. */
	return rc == FAULT_BUSY ? FAULT_FULL : rc;
}

static int take_letter_up(struct hand *hand, struct fault *fault)
{
	struct chosen chosen;
	int64_t which = (int64_t)(chance_next(hand->chance) >> 1);
	if (!read_letter(hand->store->db, which, &chosen))
		return 0;
	struct arrival arrival = arrival_of(hand->log->arrivals, &chosen);
	struct dice dice = {0};
	const struct decision decision = {.at_us = 1,
		.who = "operator",
		.what = "dead",
		.target = "a letter",
		.because = "of the simulation"};
	struct retry_request request = {
		.store = hand->store,
		.decoder = {.value_bytes_max = VALUE_BYTES_MAX,
			.depth_max = DEPTH_MAX,
			.max_skew_us = MAX_SKEW_US},
		.kind = LETTER_DEAD,
		.ids = &chosen.id,
		.count = 1,
		.how = {.force = true,
			.clear = chance_percent(hand->chance, CLEAR_PERCENT),
			.dry_run = chance_percent(hand->chance, DRY_PERCENT),
			.attempts_max = INT64_MAX,
			.decision = &decision},
		.now_us = disk_now_us(hand->log->disk),
		.dice = &dice,
	};
	arrival.kind = request.how.clear ? ARRIVAL_CLEAR : ARRIVAL_RETRY;
	struct retry_result result;
	if (request.how.dry_run)
		return retry_letters(&request, &result, fault);
	arrive(hand->log->arrivals, &arrival);
	int rc = retry_letters(&request, &result, fault);
	if (rc != FAULT_FULL && rc != FAULT_BUSY)
		return rc > 0 ? FAULT_FULL : rc; /* unknown: look again */
	hand->log->arrivals->count--;		 /* nothing changed */
	return 0;
}

int hand_attend(struct hand *hand, struct fault *fault)
{
	int rc = 1;
	if (chance_percent(hand->chance, RESUME_PERCENT))
		rc = hand_resume(hand, fault);
	return rc == 1 ? take_letter_up(hand, fault) : rc;
}
