#include "store/verify.h"

#include "store/coherence.h"
#include "store/definitions.h"
#include "store/reader_inside.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define COLUMNS_MAX 32 /* our own tables have at most 24 */

struct verification {
	struct reader *reader;
	struct arena *arena;
	struct verify_report *report;
	/* What is looked at: lookups read it, all of them or those of `view`.
	 */
	bool for_lookups;
	const char *view; /* NULL: all */
};

__attribute__((format(printf, 2, 3))) static void problem(
	struct verification *check, const char *format, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	struct verify_report *report = check->report;
	if (length >= 0 && report->problem_count < VERIFY_PROBLEMS_MAX)
		report->problems[report->problem_count] =
			arena_copy(check->arena, slice_of(text)).data;
	report->problem_count++;
	damage_add(&report->damage, text);
	if (check->for_lookups && check->view != NULL)
		damage_add_view(&report->damage, check->view);
	else
		report->damage.all |= check->for_lookups;
}

/* A damaged page makes reading fail: that is a finding, not a fault. */
static int as_finding(
	struct verification *check, int rc, const struct fault *fault)
{
	if (rc != FAULT_CORRUPT)
		return rc;
	problem(check, "%s", fault->text);
	return 0;
}

/* SQLite calls a page that it has no memory for one that it can't get, and goes
 * on (btree.c, checkTreePage()): that says nothing of the page. */
static bool lacks_memory(const char *text)
{
	static const char code[] = "error code=7"; /* SQLITE_NOMEM */
	const char *found = text == NULL ? NULL : strstr(text, code);
	return text == NULL ||
	       (found != NULL &&
		       !isdigit((unsigned char)found[sizeof code - 1]));
}

static int check_integrity(struct verification *check, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(check->reader->db, &statement,
		"PRAGMA integrity_check(20)", fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		const char *text =
			(const char *)sqlite3_column_text(statement, 0);
		rc = 0;
		if (lacks_memory(text))
			rc = sql_fault(NULL, SQLITE_NOMEM, fault, "integrity");
		else if (strcmp(text, "ok") != 0)
			problem(check, "integrity: %s", text);
	}
	sqlite3_finalize(statement);
	return as_finding(check, rc, fault);
}

/* Every row's checksum of one of our own tables. */
static int check_table(
	struct verification *check, const char *table, struct fault *fault)
{
	char sql[64];
	sqlite3_snprintf(sizeof sql, sql, "SELECT * FROM %s", table);
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(check->reader->db, &statement, sql, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct column row[COLUMNS_MAX];
		size_t count = (size_t)sqlite3_column_count(statement) - 1;
		rc = sql_read_row(statement, table, row, count, fault);
		rc = as_finding(check, rc, fault);
		check->report->rows++;
	}
	sqlite3_finalize(statement);
	return as_finding(check, rc, fault);
}

/* Promise P3: a row is of records that were taken. */
static void check_taken(struct verification *check, const struct view *view,
	const struct row *row)
{
	struct version version = row_version(view, row);
	const struct store_partition *partition =
		check->reader->partitions.items[version.log->id - 1];
	if (version.offset < partition->accounts.next_offset)
		return;
	problem(check,
		"view %s: a row of %s:%" PRId32 " offset %" PRId64
		", which is not taken yet: " COHERENCE_ADVICE,
		view->name, version.log->topic, version.log->partition,
		version.offset);
	/* Pages of two ages: who knows which others are. */
	check->report->damage.all = true;
}

static int check_keys(struct verification *check, struct fault *fault)
{
	int64_t ahead = 0;
	int rc = coherence_count_keys(
		check->reader->db, INT64_MAX, &ahead, fault);
	if (rc == 0 && ahead > 0)
		problem(check,
			"table _key: %" PRId64 " keys of records that are not "
			"taken yet: " COHERENCE_ADVICE,
			ahead);
	return as_finding(check, rc, fault);
}

/* Rows of a view's table, or of its deleted ones, into `totals`. */
static int sum_rows(struct verification *check, struct view_rows *rows,
	bool deleted, struct view_totals *totals, struct fault *fault)
{
	struct value entity[SCHEMA_KEYS_MAX];
	struct arena arena = ARENA_INIT;
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(check->reader->db, &statement,
		deleted ? rows->sql.all_deleted : rows->sql.all, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct held_row held = {
			.place = deleted ? ROW_DELETED : ROW_PRESENT};
		arena_reset(&arena);
		rc = view_rows_read(
			rows, statement, &arena, entity, &held, fault);
		if (rc == 0)
			totals->digest = digest_add(totals->digest,
				row_hash(rows->view, entity, &held.row));
		if (rc == 0 && !deleted)
			check_taken(check, rows->view, &held.row);
		*(deleted ? &totals->deleted : &totals->rows) += 1;
		check->report->rows++;
		rc = as_finding(check, rc, fault);
	}
	sqlite3_finalize(statement);
	arena_finish(&arena);
	return as_finding(check, rc, fault);
}

static void compare_totals(struct verification *check, const char *view,
	const struct view_totals *stored, const struct view_totals *found)
{
	char a[2 * DIGEST_BYTES + 1], b[2 * DIGEST_BYTES + 1];
	digest_print(stored->digest, a);
	digest_print(found->digest, b);
	if (stored->rows != found->rows || stored->deleted != found->deleted)
		problem(check,
			"view %s: %" PRId64 " rows and %" PRId64
			" deleted, counted as %" PRId64 " and %" PRId64,
			view, found->rows, found->deleted, stored->rows,
			stored->deleted);
	if (!digest_equal(stored->digest, found->digest))
		problem(check, "view %s: digest is %s, the rows give %s", view,
			a, b);
}

static int check_views(struct verification *check, struct fault *fault)
{
	struct reader *reader = check->reader;
	size_t count = reader->identity.schema->view_count;
	struct reader_view_status *views =
		arena_take(check->arena, count * sizeof *views);
	if (views == NULL)
		return fault_set(fault, FAULT_OOM, "no memory to verify");
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct view_rows *rows = &reader->views[i];
		struct view_totals found = {0};
		check->view = rows->view->name;
		rc = as_finding(
			check, view_rows_load_totals(rows, fault), fault);
		if (rc == 0)
			rc = sum_rows(check, rows, false, &found, fault);
		if (rc == 0)
			rc = sum_rows(check, rows, true, &found, fault);
		if (rc < 0)
			break;
		compare_totals(check, rows->view->name, &rows->totals, &found);
		views[i] = (struct reader_view_status){
			.name = rows->view->name,
			.rows = found.rows,
			.deleted = found.deleted,
			.as_of_us = feed_as_of_us(&reader->feeds.views[i]),
			.digest = found.digest,
		};
		check->report->digest =
			digest_add(check->report->digest, found.digest);
		check->report->view_count = i + 1;
	}
	check->report->views = views;
	check->view = NULL;
	return rc;
}

/* Promise P1: every update below next_offset has one disposition. */
static void check_accounts(
	struct verification *check, const struct store_partition *partition)
{
	const struct store_accounts *accounts = &partition->accounts;
	const char *topic = partition->log.topic;
	int32_t number = partition->log.partition;
	int64_t offsets = accounts->first_offset + accounts->taken +
			  accounts->gaps + accounts->lost;
	int64_t updates = 0;
	for (size_t i = 0; i < DISPOSITION_COUNT; i++)
		updates += accounts->dispositions[i];
	if (offsets != accounts->next_offset)
		problem(check,
			"%s:%" PRId32 ": first_offset + taken + gaps + lost is "
			"%" PRId64 ", next_offset %" PRId64,
			topic, number, offsets, accounts->next_offset);
	if (updates != accounts->updates)
		problem(check,
			"%s:%" PRId32 ": %" PRId64 " updates, %" PRId64
			" dispositions",
			topic, number, accounts->updates, updates);
	if (accounts->gaps < 0)
		problem(check,
			"%s:%" PRId32 ": %" PRId64
			" records taken, more than there are offsets",
			topic, number, accounts->taken);
	if (accounts->skipped > accounts->taken)
		problem(check, "%s:%" PRId32 ": more skipped than taken", topic,
			number);
}

/* How many letters of a disposition the partitions counted. */
static int64_t count_letters(
	const struct verification *check, enum disposition disposition)
{
	int64_t counted = 0;
	for (size_t i = 0; i < check->reader->partitions.count; i++) {
		const struct store_accounts *accounts =
			&check->reader->partitions.items[i]->accounts;
		counted += accounts->dispositions[disposition];
		if (disposition == DISPOSITION_DEAD)
			counted -= accounts->cleared;
	}
	return counted;
}

/* Each has the record that it came in. */
static int check_records(
	struct verification *check, const char *table, struct fault *fault)
{
	char sql[160];
	sqlite3_snprintf(sizeof sql, sql,
		"SELECT count(*) FROM %s AS letter WHERE NOT EXISTS"
		" (SELECT 1 FROM _record WHERE id = letter.record)",
		table);
	int64_t lone = 0;
	int rc = sql_integer(check->reader->db, sql, &lone, fault);
	if (rc == 0 && lone > 0)
		problem(check,
			"table %s: %" PRId64 " letters without their record",
			table, lone);
	return rc;
}

/* Letters must be as many as the partitions counted. */
static int check_letters(struct verification *check, const char *table,
	enum disposition disposition, struct fault *fault)
{
	char sql[96];
	sqlite3_snprintf(sizeof sql, sql, "SELECT count(*) FROM %s", table);
	int64_t rows = 0;
	int rc = sql_integer(check->reader->db, sql, &rows, fault);
	int64_t counted = count_letters(check, disposition);
	if (rc == 0 && rows != counted)
		problem(check,
			"table %s: %" PRId64 " rows, counted as %" PRId64,
			table, rows, counted);
	if (rc == 0)
		rc = check_records(check, table, fault);
	return as_finding(check, rc, fault);
}

static int check_tables(struct verification *check, struct fault *fault)
{
	static const struct {
		const char *name;
		bool for_lookups; /* they read it, or go by what it says */
	} tables[] = {{"_meta", true}, {"_partition", true}, {"_view", true},
		{"_schema", true}, {"_hold", true}, {"_key", false},
		{"_record", false}, {"_dead", false}, {"_parked", false},
		{"_decision", false}, {"_stop", false}, {"_start", false},
		{"_crash", false}, {"_culprit", false}};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof tables[0];
		i++) {
		check->for_lookups = tables[i].for_lookups;
		rc = check_table(check, tables[i].name, fault);
	}
	check->for_lookups = true;
	return rc;
}

static int check_definitions(struct verification *check, struct fault *fault)
{
	int rc = definitions_check(check->reader->db,
		check->reader->identity.schema, check->arena, fault);
	return as_finding(check, rc, fault);
}

/* What SQLite finds wrong may be anywhere, and where two tables contradict each
 * other nobody knows which of them is right: that concerns all lookups. */
static int check_all(struct verification *check, struct fault *fault)
{
	int rc = check_integrity(check, fault);
	if (rc == 0)
		rc = check_definitions(check, fault);
	if (rc == 0)
		rc = check_tables(check, fault);
	if (rc == 0)
		rc = check_views(check, fault);
	for (size_t i = 0; rc == 0 && i < check->reader->partitions.count; i++)
		check_accounts(check, check->reader->partitions.items[i]);
	if (rc == 0)
		rc = check_keys(check, fault);
	if (rc == 0)
		rc = check_letters(check, "_dead", DISPOSITION_DEAD, fault);
	if (rc == 0)
		rc = check_letters(check, "_parked", DISPOSITION_PARKED, fault);
	return rc;
}

int reader_verify(struct reader *reader, struct arena *arena,
	struct verify_report *out, struct fault *fault)
{
	*out = (struct verify_report){0};
	struct verification check = {reader, arena, out, true, NULL};
	const struct damage *known = reader_damage(reader);
	out->was_noted = known->found;
	out->noted_at_us = known->at_us;
	int rc = reader_begin(reader, fault);
	if (rc == 0)
		rc = check_all(&check, fault);
	else
		rc = as_finding(&check, rc, fault);
	reader_end(reader);
	return rc;
}
