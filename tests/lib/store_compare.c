#include "tests/lib/store_compare.h"

#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/rows.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static void same(const char *what, int64_t real, int64_t twin)
{
	if (real != twin)
		fail_msg("%s: the store says %" PRId64 ", its twin %" PRId64,
			what, real, twin);
}

static void same_dispositions(const int64_t *real, const int64_t *twin)
{
	for (size_t i = 0; i < DISPOSITION_COUNT; i++)
		same(disposition_name((enum disposition)i), real[i], twin[i]);
}

void compare_tallies(
	const struct store_tally *real, const struct store_tally *twin)
{
	same("tally, records", real->records, twin->records);
	same("tally, skipped", real->skipped, twin->skipped);
	same("tally, redelivered", real->redelivered, twin->redelivered);
	same_dispositions(real->dispositions, twin->dispositions);
}

static void compare_accounts(
	const struct store_accounts *real, const struct store_accounts *twin)
{
	same("first_offset", real->first_offset, twin->first_offset);
	same("next_offset", real->next_offset, twin->next_offset);
	same("taken", real->taken, twin->taken);
	same("gaps", real->gaps, twin->gaps);
	same("lost", real->lost, twin->lost);
	same("skipped", real->skipped, twin->skipped);
	same("updates", real->updates, twin->updates);
	same("late_deletes", real->late_deletes, twin->late_deletes);
	same("ignored_features", real->ignored_features,
		twin->ignored_features);
	same("redelivered", real->redelivered, twin->redelivered);
	same_dispositions(real->dispositions, twin->dispositions);
}

static void compare_footprints(
	const struct footprint *real, const struct footprint *twin)
{
	same("trail, offset", real->offset, twin->offset);
	same("trail, next_offset", real->next_offset, twin->next_offset);
	same("trail, timestamp", real->timestamp_us, twin->timestamp_us);
	same("trail, checksum", (int64_t)real->checksum,
		(int64_t)twin->checksum);
}

static void compare_trails(const struct trail *real, const struct trail *twin)
{
	if (real->count == 0 || twin->count == 0) {
		same("trail", (int64_t)real->count, (int64_t)twin->count);
		return;
	}
	compare_footprints(&real->steps[0], &twin->steps[0]);
	compare_footprints(
		&real->steps[real->count - 1], &twin->steps[twin->count - 1]);
}

void compare_partitions(
	const struct store_partition *real, const struct store_partition *twin)
{
	assert_string_equal(real->log.topic, twin->log.topic);
	same("partition", real->log.partition, twin->log.partition);
	same("incarnation", real->log.incarnation, twin->log.incarnation);
	assert_string_equal(real->cluster_id, twin->cluster_id);
	compare_accounts(&real->accounts, &twin->accounts);
	same("record_time", real->record_time_us, twin->record_time_us);
	same("as_of", real->as_of_us, twin->as_of_us);
	compare_trails(&real->trail, &twin->trail);
}

void compare_digests(struct digest real, struct digest twin)
{
	char a[2 * DIGEST_BYTES + 1], b[2 * DIGEST_BYTES + 1];
	digest_print(real, a);
	digest_print(twin, b);
	if (!digest_equal(real, twin))
		fail_msg("digest: the store says %s, its twin %s", a, b);
}

static void compare_entities(struct reader *reader, const struct twin *twin)
{
	struct arena arena = ARENA_INIT;
	struct fault fault = {0};
	for (size_t i = 0; i < twin_entity_count(twin); i++) {
		const struct twin_entity *entity = twin_entity_at(twin, i);
		const struct view *view =
			&reader_schema(reader)->views[entity->view];
		struct row row;
		arena_reset(&arena);
		int rc = reader_get(
			reader, view, entity->key, &arena, &row, &fault);
		if (rc < 0)
			fail_msg("%s", fault.text);
		same("there is a row", rc, row_is_present(view, &entity->row));
		compare_rows(view, &row, &entity->row);
	}
	arena_finish(&arena);
}

static void count_rows(
	const struct twin *twin, size_t view, int64_t *rows, int64_t *deleted)
{
	*rows = 0;
	*deleted = 0;
	for (size_t i = 0; i < twin_entity_count(twin); i++) {
		const struct twin_entity *entity = twin_entity_at(twin, i);
		if (entity->view != view)
			continue;
		bool present = row_is_present(
			&twin_schema(twin)->views[view], &entity->row);
		*rows += present;
		*deleted += !present && entity->row.has_floor;
	}
}

/* Verify recomputes digests and counts from the rows. */
static void compare_verified(struct reader *reader, const struct twin *twin)
{
	struct arena arena = ARENA_INIT;
	struct fault fault = {0};
	struct verify_report report;
	if (reader_verify(reader, &arena, &report, &fault) < 0)
		fail_msg("%s", fault.text);
	if (report.problem_count > 0)
		fail_msg("verify: %s", report.problems[0]);
	compare_digests(report.digest, twin_digest(twin));
	for (size_t i = 0; i < report.view_count; i++) {
		int64_t rows, deleted;
		count_rows(twin, i, &rows, &deleted);
		same("rows", report.views[i].rows, rows);
		same("deleted", report.views[i].deleted, deleted);
	}
	arena_finish(&arena);
}

static void compare_stored_partitions(
	struct reader *reader, const struct twin *twin)
{
	struct arena arena = ARENA_INIT;
	struct fault fault = {0};
	struct reader_status status;
	if (reader_status(reader, &arena, &status, &fault) < 0)
		fail_msg("%s", fault.text);
	same("partitions", (int64_t)status.partition_count,
		(int64_t)twin_partition_count(twin));
	for (size_t i = 0; i < status.partition_count; i++)
		compare_partitions(
			&status.partitions[i], twin_partition_at(twin, i));
	arena_finish(&arena);
}

static sqlite3_stmt *query(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	return statement;
}

static void same_text(sqlite3_stmt *statement, int column, const char *twin)
{
	const char *real = (const char *)sqlite3_column_text(statement, column);
	assert_non_null(real);
	assert_string_equal(real, twin);
}

/* The letters of one disposition in the order in which they were written. */
static void compare_letters(
	sqlite3 *db, const struct twin *twin, enum disposition disposition)
{
	bool dead = disposition == DISPOSITION_DEAD;
	sqlite3_stmt *statement = query(db,
		dead ? "SELECT reason, view, place, log, offset, state FROM"
		       " _dead d JOIN _record r ON r.id = d.record ORDER BY"
		       " d.id"
		     : "SELECT reason, view, place, log, offset, 'open' FROM"
		       " _parked p JOIN _record r ON r.id = p.record ORDER BY"
		       " p.id");
	for (size_t i = 0; i < twin_letter_count(twin); i++) {
		const struct twin_letter *letter = twin_letter_at(twin, i);
		if (letter->disposition != disposition)
			continue;
		if (sqlite3_step(statement) != SQLITE_ROW)
			fail_msg("a letter is missing");
		same_text(statement, 0, reason_name(letter->reason));
		same_text(statement, 1, letter->view);
		same("place", sqlite3_column_int64(statement, 2),
			letter->place);
		same("log", sqlite3_column_int64(statement, 3), letter->log);
		same("offset", sqlite3_column_int64(statement, 4),
			letter->offset);
		same_text(
			statement, 5, letter->overtaken ? "overtaken" : "open");
	}
	assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
	sqlite3_finalize(statement);
}

/* A record's payload stands once, however many of its updates failed. */
static void compare_records(sqlite3 *db)
{
	sqlite3_stmt *statement = query(db,
		"SELECT count(*), count(DISTINCT log || '/' || offset),"
		" (SELECT count(DISTINCT record) FROM (SELECT record FROM _dead"
		" UNION ALL SELECT record FROM _parked)),"
		" coalesce(max(id), 0) FROM _record");
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t records = sqlite3_column_int64(statement, 0);
	same("records kept", records, sqlite3_column_int64(statement, 1));
	same("records of letters", records, sqlite3_column_int64(statement, 2));
	same("records in a row", records, sqlite3_column_int64(statement, 3));
	sqlite3_finalize(statement);
}

static void compare_key(sqlite3_stmt *statement, const struct twin *twin)
{
	static const char *const states[] = {[TWIN_TAKEN] = "taken",
		[TWIN_PARKED] = "parked",
		[TWIN_DEAD] = "dead"};
	const void *key = sqlite3_column_blob(statement, 0);
	assert_int_equal(sqlite3_column_bytes(statement, 0), KEY_BYTES);
	const struct twin_key *holder = twin_key_find(twin, key);
	if (holder == NULL) {
		fail_msg("a key that nobody took");
		return;
	}
	same("key, content", sqlite3_column_int64(statement, 1),
		(int64_t)holder->content);
	same("key, record time", sqlite3_column_int64(statement, 2),
		holder->record_time_us);
	same_text(statement, 3, states[holder->state]);
}

/* Each key once, held by whom the twin says; those of letters all there. */
static int64_t compare_keys(
	sqlite3 *db, const struct twin *twin, bool keys_are_kept)
{
	int64_t count = 0;
	sqlite3_stmt *statement =
		query(db, "SELECT key, content, record_time, state FROM _key");
	while (sqlite3_step(statement) == SQLITE_ROW) {
		compare_key(statement, twin);
		count++;
	}
	sqlite3_finalize(statement);
	statement = query(db, "SELECT count(DISTINCT key),"
			      " sum(state <> 'taken') FROM _key");
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	same("keys", sqlite3_column_int64(statement, 0), count);
	int64_t reserved = 0;
	for (size_t i = 0; i < twin_key_count(twin); i++)
		reserved += twin_key_at(twin, i)->state != TWIN_TAKEN;
	same("keys of letters", sqlite3_column_int64(statement, 1), reserved);
	sqlite3_finalize(statement);
	if (keys_are_kept)
		same("keys kept", count, (int64_t)twin_key_count(twin));
	return count;
}

int64_t compare_file(
	const struct twin *twin, const struct compare_file_options *options)
{
	struct reader *reader;
	struct fault fault = {0};
	if (reader_open(&reader, options->path, 0, &fault) < 0)
		fail_msg("%s", fault.text);
	compare_entities(reader, twin);
	compare_verified(reader, twin);
	compare_stored_partitions(reader, twin);
	reader_close(reader);
	char name[4096];
	int length =
		snprintf(name, sizeof name, "%s/features.db", options->path);
	assert_in_range(length, 1, sizeof name - 1);
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open_v2(name, &db, SQLITE_OPEN_READONLY, NULL),
		SQLITE_OK);
	compare_letters(db, twin, DISPOSITION_DEAD);
	compare_letters(db, twin, DISPOSITION_PARKED);
	compare_records(db);
	int64_t keys = compare_keys(db, twin, options->keys_are_kept);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return keys;
}
