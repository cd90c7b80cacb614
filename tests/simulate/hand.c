#include "tests/simulate/hand.h"

#include "ingest/retry.h"
#include "store/decisions.h"
#include "store/writer.h"

#include <string.h>

#define CLEAR_PERCENT 20
#define DRY_PERCENT 20 /* only asks what would happen */

/* A dead letter. */
struct chosen {
	int64_t id;
	char topic[32];
	int partition;
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
		    "SELECT d.id, topic, partition, r.offset, place"
		    " FROM _dead d JOIN _record r ON r.id = d.record"
		    " JOIN _partition p ON p.id = r.log ORDER BY d.id"
		    " LIMIT 1 OFFSET ?1 % max(1, (SELECT count(*) FROM"
		    " _dead))",
		    -1, &statement, NULL) == SQLITE_OK &&
		sqlite3_bind_int64(statement, 1, which) == SQLITE_OK &&
		sqlite3_step(statement) == SQLITE_ROW) {
		found = true;
		out->id = sqlite3_column_int64(statement, 0);
		sqlite3_snprintf(sizeof out->topic, out->topic, "%s",
			sqlite3_column_text(statement, 1));
		out->partition = sqlite3_column_int(statement, 2);
		out->offset = sqlite3_column_int64(statement, 3);
		out->place = sqlite3_column_int(statement, 4);
	}
	sqlite3_finalize(statement);
	return found;
}

/* The same in the log's words. */
static struct arrival arrival_of(
	const struct event_world *world, const struct chosen *chosen)
{
	struct arrival arrival = {.kind = ARRIVAL_RETRY,
		.log = strcmp(chosen->topic, "events") == 0 ? chosen->partition
							    : 2,
		.place = chosen->place};
	const struct event_log *log = &world->logs[arrival.log];
	for (size_t i = 0; i < log->count; i++)
		if (log->records[i].offset == chosen->offset)
			arrival.record = &log->records[i];
	return arrival;
}

int hand_attend(struct hand *hand, struct fault *fault)
{
	struct chosen chosen;
	int64_t which = (int64_t)(chance_next(hand->chance) >> 1);
	if (!read_letter(hand->store->db, which, &chosen))
		return 0;
	struct arrival arrival = arrival_of(hand->log->world, &chosen);
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
	log_source_arrive(hand->log, &arrival);
	int rc = retry_letters(&request, &result, fault);
	if (rc != FAULT_FULL && rc != FAULT_BUSY)
		return rc > 0 ? FAULT_FULL : rc; /* unknown: look again */
	hand->log->arrival_count--;		 /* nothing changed */
	return 0;
}
