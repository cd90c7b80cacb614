/* Readers beside a writer: whole batches, never a mixture. */
#include "store/reader_inside.h"
#include "tests/lib/check.h"
#include "tests/lib/event_store.h"
#include "tests/lib/store_rig.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct reading {
	struct store_rig *rig;
	struct reader *reader;
	struct row row;
};

static struct reading open_reader(struct store_rig *rig)
{
	struct fault fault = {0};
	struct reading reading = {.rig = rig};
	if (reader_open(&reading.reader, rig->directory.path, 0, &fault) < 0)
		fail_msg("%s", fault.text);
	return reading;
}

/* reader_get() of an account; *row is what it found. */
static bool get(struct reading *reading, int64_t id)
{
	struct fault fault = {0};
	struct reader *reader = reading->reader;
	struct value entity = {.state = VALUE_SET, .as.integer = id};
	int rc = reader_get(reader, reader_schema(reader)->views, &entity,
		&reading->rig->arena, &reading->row, &fault);
	if (rc < 0)
		fail_msg("%s", fault.text);
	return rc == 1;
}

static int64_t count_in(const struct reading *reading)
{
	return reading->row.cells[0].value.as.integer;
}

static void take(struct store_rig *rig, int32_t partition, int64_t second,
	enum operation operation, int64_t count)
{
	struct store_rig_event event = {.partition = partition,
		.offset = store_rig_partition(rig, partition)
				  ->accounts.next_offset,
		.record_s = second,
		.id = 1,
		.count = count};
	struct store_record record = store_rig_record(rig, &event);
	struct fault fault = {0};
	record.decoded.updates[0].operation = operation;
	if (operation == OPERATION_DELETE)
		record.decoded.updates[0].assignment_count = 0;
	struct store_batch batch = {.records = &record, .record_count = 1};
	assert_int_equal(store_apply(rig->store, &batch, NULL, &fault), 0);
}

static void what_is_there_is_found_and_what_was_deleted_says_so(void **state)
{
	struct store_rig *rig = *state;
	struct reading reading = open_reader(rig);
	assert_false(get(&reading, 1));
	assert_false(reading.row.has_floor);
	take(rig, 0, 1, OPERATION_UPSERT, 5);
	assert_true(get(&reading, 1));
	assert_int_equal(count_in(&reading), 5);
	assert_false(get(&reading, 2));
	take(rig, 0, 2, OPERATION_DELETE, 0);
	assert_false(get(&reading, 1));
	assert_true(reading.row.has_floor);
	assert_int_equal(
		reading.row.floor.event_us, STORE_RIG_TIME_US + 2 * SECOND_US);
	reader_close(reading.reader);
}

static void rows_of_younger_logs_are_read(void **state)
{
	struct store_rig *rig = *state;
	struct reading reading = open_reader(rig);
	take(rig, 3, 1, OPERATION_UPSERT, 5);
	assert_true(get(&reading, 1));
	assert_int_equal(reading.row.cells[0].version.log->partition, 3);
	reader_close(reading.reader);
}

/* Within a snapshot that is open already. */
static int64_t count_within(struct reading *reading, int64_t id)
{
	struct fault fault = {0};
	struct value entity = {.state = VALUE_SET, .as.integer = id};
	struct held_row held = {.place = ROW_NOWHERE};
	assert_int_equal(view_rows_get(&reading->reader->views[0], &entity,
				 &reading->rig->arena, &held, &fault),
		0);
	assert_int_equal(held.place, ROW_PRESENT);
	return held.row.cells[0].value.as.integer;
}

static void a_snapshot_stands_still(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0, 1, OPERATION_UPSERT, 5);
	struct reading reading = open_reader(rig);
	assert_int_equal(reader_begin(reading.reader, &fault), 0);
	assert_int_equal(count_within(&reading, 1), 5);
	take(rig, 0, 2, OPERATION_UPSERT, 6);
	assert_int_equal(count_within(&reading, 1), 5);
	reader_end(reading.reader);
	assert_true(get(&reading, 1));
	assert_int_equal(count_in(&reading), 11);
	reader_close(reading.reader);
}

static bool holds_a_snapshot(const struct reading *reading)
{
	return sqlite3_stmt_busy(reading->reader->anchor) != 0;
}

static void a_kept_snapshot_lasts_while_it_is_the_newest(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 1, OPERATION_UPSERT, 5);
	struct reading reading = open_reader(rig);
	assert_true(get(&reading, 1));
	assert_false(holds_a_snapshot(&reading));
	reader_keep(reading.reader, true);
	for (int64_t round = 1; round < 50; round++) {
		assert_true(get(&reading, 1));
		assert_true(holds_a_snapshot(&reading));
		assert_int_equal(count_in(&reading), 5 * round);
		take(rig, 0, 1 + round, OPERATION_UPSERT, 5);
	}
	reader_rest(reading.reader);
	assert_false(holds_a_snapshot(&reading));
	reader_keep(reading.reader, false);
	assert_true(get(&reading, 1));
	assert_false(holds_a_snapshot(&reading));
	reader_close(reading.reader);
}

/* A reader that stayed in the WAL would keep the writer from starting it over:
 * after a checkpoint it must read from the file. */
static void a_kept_snapshot_does_not_hold_the_wal_back(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	enum { WAL_MAX_BYTES = 200 * 1024 }; /* copied after every batch */
	store_rig_close(rig);
	rig->options.wal_max_bytes = WAL_MAX_BYTES;
	store_rig_open(rig);
	take(rig, 0, 1, OPERATION_UPSERT, 5);
	struct reading reading = open_reader(rig);
	reader_keep(reading.reader, true);
	for (int64_t round = 0; round < 100; round++) {
		assert_true(get(&reading, 1));
		assert_int_equal(store_checkpoint(rig->store, true, &fault), 0);
		assert_true(get(&reading, 1));
		assert_true(holds_a_snapshot(&reading));
		take(rig, 0, 2 + round, OPERATION_UPSERT, 5);
	}
	assert_in_range(layout_wal_bytes(&reading.reader->layout), 1,
		WAL_MAX_BYTES / 2);
	reader_close(reading.reader);
}

static void an_old_snapshot_is_let_go(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 1, OPERATION_UPSERT, 5);
	struct reading reading = open_reader(rig);
	reader_keep(reading.reader, true);
	assert_false(reader_rest_if_old(reading.reader));
	assert_true(get(&reading, 1));
	assert_true(reader_rest_if_old(reading.reader));
	assert_true(holds_a_snapshot(&reading));
	take(rig, 0, 2, OPERATION_UPSERT, 5);
	assert_false(reader_rest_if_old(reading.reader));
	assert_false(holds_a_snapshot(&reading));
	reader_close(reading.reader);
}

/* Between the look into the view's table and the one into that of deleted
 * entities, the writer brings the entity back. */
static int bring_back(unsigned event, void *payload, void *statement, void *sql)
{
	struct reading *reading = payload;
	(void)event;
	(void)sql;
	const char *text = sqlite3_sql(statement);
	if (text == NULL || strstr(text, "_deleted_account") == NULL)
		return 0;
	sqlite3_trace_v2(reading->reader->db, 0, NULL, NULL);
	take(reading->rig, 0, 3, OPERATION_UPSERT, 7);
	return 0;
}

static void an_entity_that_returns_meanwhile_is_not_overlooked(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 1, OPERATION_UPSERT, 5);
	take(rig, 0, 2, OPERATION_DELETE, 0);
	struct reading reading = open_reader(rig);
	assert_false(get(&reading, 1));
	sqlite3_trace_v2(
		reading.reader->db, SQLITE_TRACE_STMT, bring_back, &reading);
	bool found = get(&reading, 1);
	/* As it was, or as it is. */
	assert_true(found || reading.row.has_floor);
	if (found)
		assert_int_equal(count_in(&reading), 7);
	reader_close(reading.reader);
}

/* A store, replaced by another one some time after it began. */
struct replacing {
	const char *live, *old, *next;
	int64_t after_us;
	bool done;
};

static void *replace(void *payload)
{
	struct replacing *replacing = payload;
	const struct timespec pause = {0, replacing->after_us * 1000};
	nanosleep(&pause, NULL);
	replacing->done = rename(replacing->live, replacing->old) == 0 &&
			  rename(replacing->next, replacing->live) == 0;
	return NULL;
}

static void fill_store(struct event_store *store, const char *schema)
{
	event_store_make(store, schema);
	event_store_take(store, "log",
		"{'view': 'user', 'entity': {'id': 1}, 'features': {'a': 1}}");
	/* The WAL stays, and all there is stands in it. */
	store_close(store->store);
	store->store = NULL;
}

/* Read from what is there, if it still is. */
static void read_live(const char *path, struct arena *arena)
{
	struct fault fault = {0};
	struct reader *reader;
	struct row row;
	struct value entity = {.state = VALUE_SET, .as.integer = 1};
	int rc = reader_open(&reader, path, 0, &fault);
	if (rc == FAULT_BUSY || rc == FAULT_REFUSED)
		return;
	if (rc == 0)
		rc = reader_get(reader, reader_schema(reader)->views, &entity,
			arena, &row, &fault);
	reader_close(reader);
	arena_reset(arena);
	if (rc < 0)
		fail_msg("%s", fault.text);
	assert_int_equal(rc, 1);
}

static void a_store_replaced_while_it_is_opened_is_never_mixed(void **state)
{
	struct store_rig *rig = *state;
	struct event_store stores[2];
	struct directory live = directory_entry(&rig->directory, "live");
	pthread_t thread;
	fill_store(&stores[0],
		"{'views': {'user': {'entity': {'id': 'int64'}, 'features': {"
		"'a': {'type': 'int64'}}}},"
		"'sources': {'log': {'missing_key': 'position'}}}");
	fill_store(&stores[1],
		"{'views': {'user': {'entity': {'id': 'int64'}, 'features': {"
		"'b': {'type': 'string'}, 'a': {'type': 'int64'}}}},"
		"'sources': {'log': {'missing_key': 'position'}}}");
	const char *paths[] = {
		stores[0].directory.path, stores[1].directory.path};
	assert_int_equal(rename(paths[0], live.path), 0);
	for (int i = 0; i < 300; i++) {
		struct replacing replacing = {live.path, paths[i % 2],
			paths[(i + 1) % 2], i * 13 % 300, false};
		assert_int_equal(
			pthread_create(&thread, NULL, replace, &replacing), 0);
		read_live(live.path, &rig->arena);
		pthread_join(thread, NULL);
		assert_true(replacing.done);
	}
	assert_int_equal(rename(live.path, paths[0]), 0);
	event_store_remove(&stores[0]);
	event_store_remove(&stores[1]);
}

/* Were it taken for what it was, columns would be taken for others. */
static void an_altered_table_is_not_read(void **state)
{
	struct store_rig *rig = *state;
	struct reading reading = open_reader(rig);
	struct reader *reader = reading.reader;
	struct value entity = {.state = VALUE_SET, .as.integer = 1};
	struct fault fault = {0};
	sqlite3 *db = NULL;
	char sql[128];
	take(rig, 0, 1, OPERATION_UPSERT, 5);
	assert_true(get(&reading, 1));
	snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN more INTEGER",
		reader_schema(reader)->views[0].name);
	assert_int_equal(
		sql_open(&db, reader->layout.database, SQL_WRITE, 0, &fault),
		0);
	assert_int_equal(sql_execute(db, sql, &fault), 0);
	assert_int_equal(reader_get(reader, reader_schema(reader)->views,
				 &entity, &rig->arena, &reading.row, &fault),
		FAULT_CORRUPT);
	assert_non_null(strstr(fault.text, "columns"));
	sqlite3_close(db);
	reader_close(reader);
}

static void status_tells_of_everything(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader_status status;
	static const struct store_rig_event events[] = {
		{.offset = 0, .key = 1, .id = 1, .count = 1},
		{.offset = 1, .key = 2, .id = 2, .count = 1},
		{.offset = 2, .key = 3, .reason = REASON_TYPE_MISMATCH},
		{.offset = 3, .key = 4, .reason = REASON_TYPE_MISMATCH},
		{.offset = 4, .key = 5, .reason = REASON_UNKNOWN_VIEW},
	};
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		store_rig_take(rig, &events[i]);
	struct reading reading = open_reader(rig);
	assert_int_equal(
		reader_status(reading.reader, &rig->arena, &status, &fault), 0);
	assert_int_equal(status.partition_count, 1);
	assert_int_equal(status.partitions[0].accounts.next_offset, 5);
	assert_int_equal(status.view_count, 2);
	assert_string_equal(status.views[0].name, "account");
	assert_int_equal(status.views[0].rows, 2);
	assert_true(digest_equal(status.digest, store_digest(rig->store)));
	assert_int_equal(status.keys, 5);
	assert_int_equal(status.owner_epoch, rig->store->owner_epoch);
	assert_int_equal(status.reason_count, 2);
	assert_int_equal(status.reasons[0].reason, REASON_TYPE_MISMATCH);
	assert_int_equal(status.reasons[0].dead, 2);
	assert_int_equal(status.reasons[1].parked, 1);
	reader_close(reading.reader);
}

/* A key a second, and an hour's window: 3,600 of them. */
static void status_tells_what_a_full_window_needs(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader_status status;
	const int64_t hour_us = 3600 * SECOND_US;
	struct reading reading = open_reader(rig);
	for (unsigned key = 1; key <= 1001; key++) {
		const struct store_rig_event event = {.offset = key - 1,
			.record_s = key,
			.key = key,
			.id = 1};
		if (key == 1000)
			assert_int_equal(reader_status(reading.reader,
						 &rig->arena, &status, &fault),
				0);
		store_rig_take(rig, &event);
	}
	assert_int_equal(reader_window_need(&status, hour_us), 0);
	assert_int_equal(
		reader_status(reading.reader, &rig->arena, &status, &fault), 0);
	assert_int_equal(status.recent_keys, 1001);
	assert_int_equal(status.recent_us, 1000 * SECOND_US);
	assert_int_equal(reader_window_need(&status, hour_us), 3603);
	status.recent_us = 1;
	status.recent_keys = INT64_MAX;
	assert_true(reader_window_need(&status, hour_us) > 0);
	status.recent_us = 0; /* all at one moment */
	assert_int_equal(reader_window_need(&status, hour_us), 0);
	reader_close(reading.reader);
}

static void a_reader_knows_when_its_store_was_replaced(void **state)
{
	struct store_rig *rig = *state;
	struct reading reading = open_reader(rig);
	take(rig, 0, 1, OPERATION_UPSERT, 5);
	assert_true(reader_is_current(reading.reader));
	struct directory link = directory_entry(&rig->directory, "features.db");
	assert_int_equal(unlink(link.path), 0);
	assert_false(reader_is_current(reading.reader));
	assert_int_equal(symlink("generations/g2.db", link.path), 0);
	assert_false(reader_is_current(reading.reader));
	assert_int_equal(unlink(link.path), 0);
	assert_int_equal(symlink("generations/g1.db", link.path), 0);
	assert_true(reader_is_current(reading.reader));
	struct directory file =
		directory_entry(&rig->directory, "generations/g1.db");
	assert_int_equal(unlink(file.path), 0);
	assert_false(reader_is_current(reading.reader));
	file_write(file.path, "another");
	assert_false(reader_is_current(reading.reader));
	reader_close(reading.reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_reader_knows_when_its_store_was_replaced),
		WITH_STORE(what_is_there_is_found_and_what_was_deleted_says_so),
		WITH_STORE(rows_of_younger_logs_are_read),
		WITH_STORE(a_snapshot_stands_still),
		WITH_STORE(a_kept_snapshot_lasts_while_it_is_the_newest),
		WITH_STORE(a_kept_snapshot_does_not_hold_the_wal_back),
		WITH_STORE(an_old_snapshot_is_let_go),
		WITH_STORE(an_entity_that_returns_meanwhile_is_not_overlooked),
		WITH_STORE(a_store_replaced_while_it_is_opened_is_never_mixed),
		WITH_STORE(an_altered_table_is_not_read),
		WITH_STORE(status_tells_of_everything),
		WITH_STORE(status_tells_what_a_full_window_needs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
