#include "store/reader_inside.h"

#include "store/backup_record.h"
#include "store/ballast.h"
#include "store/suspect.h"

#include <stdlib.h>

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for the status");
}

static int read_partitions(struct reader *reader, struct arena *arena,
	struct reader_status *out, struct fault *fault)
{
	size_t count = reader->partitions.count;
	struct store_partition *partitions =
		arena_take(arena, count * sizeof *partitions);
	if (partitions == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < count; i++)
		partitions[i] = *reader->partitions.items[i];
	out->partitions = partitions;
	out->partition_count = count;
	return 0;
}

static int read_views(struct reader *reader, struct arena *arena,
	struct reader_status *out, struct fault *fault)
{
	size_t count = reader->identity.schema->view_count;
	struct reader_view_status *views =
		arena_take(arena, count * sizeof *views);
	if (views == NULL)
		return no_memory(fault);
	int rc = 0;
	out->digest = DIGEST_ZERO;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct view_rows *rows = &reader->views[i];
		rc = view_rows_load_totals(rows, fault);
		views[i] = (struct reader_view_status){
			.name = rows->view->name,
			.rows = rows->totals.rows,
			.deleted = rows->totals.deleted,
			.as_of_us = feed_as_of_us(&reader->feeds.views[i]),
			.digest = rows->totals.digest,
		};
		out->digest = digest_add(out->digest, rows->totals.digest);
	}
	out->views = views;
	out->view_count = count;
	return rc;
}

/* Views times reasons, and the view names of strangers: bounded by what a
 * person would read. Letters beyond are counted under their reason alone. */
#define REASONS_MAX 1000
#define OTHER_VIEWS "*"

struct counted {
	struct slice name; /* of the reason */
	struct reader_reason_status status;
};

struct count {
	struct counted items[REASONS_MAX + REASON_COUNT];
	size_t length, last; /* the item counted last: often the next one's */
	struct arena *arena;
};

static bool is_of(
	const struct counted *item, struct slice reason, struct slice view)
{
	return slice_equal(item->name, reason) &&
	       slice_equal(slice_of(item->status.view), view);
}

static struct counted *find_counted(
	struct count *count, struct slice reason, struct slice view)
{
	if (count->last < count->length &&
		is_of(&count->items[count->last], reason, view))
		return &count->items[count->last];
	for (size_t i = 0; i < count->length; i++)
		if (is_of(&count->items[i], reason, view)) {
			count->last = i;
			return &count->items[i];
		}
	return NULL;
}

/* NULL: out of memory. */
static struct counted *make_counted(
	struct count *count, struct slice reason, struct slice view)
{
	if (count->length >= REASONS_MAX) {
		view = slice_of(OTHER_VIEWS);
		struct counted *other = find_counted(count, reason, view);
		if (other != NULL ||
			count->length == REASONS_MAX + REASON_COUNT)
			return other;
	}
	struct counted *item = &count->items[count->length];
	*item = (struct counted){
		.name = arena_copy(count->arena, reason),
		.status = {.reason = reason_parse(reason),
			.view = arena_copy(count->arena, view).data},
	};
	if (item->name.data == NULL || item->status.view == NULL)
		return NULL;
	count->last = count->length++;
	return item;
}

static struct slice text_at(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	return (struct slice){text == NULL ? "" : text,
		(size_t)sqlite3_column_bytes(statement, column)};
}

/* A walk, counted here: SQLite would sort all letters to group them, which is
 * several times slower. */
static int count_letters(struct reader *reader, struct count *count,
	const char *sql, size_t member, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(reader->db, &statement, sql, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct slice reason = text_at(statement, 0);
		struct slice view = text_at(statement, 1);
		struct counted *item = find_counted(count, reason, view);
		if (item == NULL)
			item = make_counted(count, reason, view);
		rc = item == NULL ? no_memory(fault) : 0;
		if (item != NULL)
			++*(int64_t *)((char *)&item->status + member);
	}
	sqlite3_finalize(statement);
	return rc;
}

/* Most letters first, then by name. */
static int by_letters(const void *a, const void *b)
{
	const struct counted *one = a, *two = b;
	int64_t letters = one->status.dead + one->status.parked;
	int64_t others = two->status.dead + two->status.parked;
	if (letters != others)
		return letters > others ? -1 : 1;
	int order = slice_compare(one->name, two->name);
	return order != 0 ? order : strcmp(one->status.view, two->status.view);
}

static int read_reasons(struct reader *reader, struct arena *arena,
	struct reader_status *out, struct fault *fault)
{
	struct count *count = arena_take(arena, sizeof *count);
	if (count == NULL)
		return no_memory(fault);
	count->length = count->last = 0;
	count->arena = arena;
	int rc = count_letters(reader, count, "SELECT reason, view FROM _dead",
		offsetof(struct reader_reason_status, dead), fault);
	if (rc == 0)
		rc = count_letters(reader, count,
			"SELECT reason, view FROM _parked",
			offsetof(struct reader_reason_status, parked), fault);
	struct reader_reason_status *reasons =
		arena_take(arena, count->length * sizeof *reasons);
	if (rc < 0 || reasons == NULL)
		return rc < 0 ? rc : no_memory(fault);
	qsort(count->items, count->length, sizeof count->items[0], by_letters);
	for (size_t i = 0; i < count->length; i++)
		reasons[i] = count->items[i].status;
	out->reasons = reasons;
	out->reason_count = count->length;
	return 0;
}

#define STOP_COLUMNS 5
#define HOLD_COLUMNS 4
#define DECISION_COLUMNS 8

/* Rows of one of the operator's tables: into an array of `count`, one by one.
 */
struct listing {
	struct reader *reader;
	struct arena *arena;
	const char *sql, *table;
	size_t columns;
	int64_t most; /* rows; the rest is left out */
	size_t row_bytes;
	/* False: out of memory. */
	bool (*take)(const struct listing *listing, const struct column *row,
		void *out);
	const void *instead; /* of a damaged row; NULL: that is an error */
};

static const char *text_of(
	const struct listing *listing, const struct column *column)
{
	return arena_copy(listing->arena, column_as_bytes(column)).data;
}

static int count_rows(
	const struct listing *listing, size_t *out, struct fault *fault)
{
	const char *sql = arena_print(
		listing->arena, "SELECT count(*) FROM %s", listing->table);
	int64_t count = 0;
	if (sql == NULL)
		return no_memory(fault);
	int rc = sql_integer(listing->reader->db, sql, &count, fault);
	*out = (size_t)(count < listing->most ? count : listing->most);
	return rc;
}

static int read_rows(const struct listing *listing, const void **out,
	size_t *count, struct fault *fault)
{
	size_t most = 0, taken = 0;
	sqlite3_stmt *statement = NULL;
	int rc = count_rows(listing, &most, fault);
	if (rc < 0)
		return rc;
	char *rows = arena_take(listing->arena, most * listing->row_bytes);
	if (rows == NULL)
		return no_memory(fault);
	rc = sql_prepare(listing->reader->db, &statement, listing->sql, fault);
	while (rc == 0 && taken < most &&
		(rc = sql_step(statement, fault)) == 1) {
		struct column row[DECISION_COLUMNS];
		rc = sql_read_row(statement, listing->table, row,
			listing->columns, fault);
		if (rc == FAULT_CORRUPT && listing->instead != NULL) {
			memcpy(rows + taken++ * listing->row_bytes,
				listing->instead, listing->row_bytes);
			rc = 0;
			continue;
		}
		if (rc == 0 && !listing->take(listing, row,
				       rows + taken++ * listing->row_bytes))
			rc = no_memory(fault);
	}
	sqlite3_finalize(statement);
	*out = rows;
	*count = taken;
	return rc;
}

static bool take_stop(
	const struct listing *listing, const struct column *row, void *out)
{
	struct reader_stop *stop = out;
	const struct partitions *partitions = &listing->reader->partitions;
	int64_t id = column_as_integer(&row[0]);
	*stop = (struct reader_stop){
		.reason = text_of(listing, &row[1]),
		.detail = text_of(listing, &row[2]),
		.since_us = column_as_integer(&row[3]),
	};
	if (id >= 1 && (size_t)id <= partitions->count)
		stop->log = partitions->logs[id - 1];
	return stop->reason != NULL && stop->detail != NULL;
}

/* Whose they are is known. */
static int check_stops(
	const struct reader_stop *stops, size_t count, struct fault *fault)
{
	for (size_t i = 0; stops != NULL && i < count; i++)
		if (stops[i].log == NULL)
			return fault_set(fault, FAULT_CORRUPT,
				"table _stop: a log that there is none of is "
				"stopped, as %s",
				stops[i].reason);
	return 0;
}

static bool take_hold(
	const struct listing *listing, const struct column *row, void *out)
{
	struct reader_hold *hold = out;
	*hold = (struct reader_hold){
		.target = text_of(listing, &row[0]),
		.choice = text_of(listing, &row[1]),
		.because = text_of(listing, &row[2]),
		.since_us = column_as_integer(&row[3]),
	};
	return hold->target != NULL && hold->choice != NULL &&
	       hold->because != NULL;
}

static bool take_decision(
	const struct listing *listing, const struct column *row, void *out)
{
	struct reader_decision *decision = out;
	*decision = (struct reader_decision){
		.at_us = column_as_integer(&row[1]),
		.who = text_of(listing, &row[2]),
		.what = text_of(listing, &row[3]),
		.target = text_of(listing, &row[4]),
		.before = text_of(listing, &row[5]),
		.after = text_of(listing, &row[6]),
		.because = text_of(listing, &row[7]),
	};
	return decision->who != NULL && decision->what != NULL &&
	       decision->target != NULL && decision->before != NULL &&
	       decision->after != NULL && decision->because != NULL;
}

/* Nothing goes by it, and so nothing else is kept from being said. */
static const struct reader_decision unreadable = {.who = "?",
	.what = "a damaged row: `holdfast verify`",
	.target = "?",
	.before = "",
	.after = "",
	.because = ""};

/* What operators did, and what stands because of it. */
static int read_operations(struct reader *reader, struct arena *arena,
	struct reader_status *out, struct fault *fault)
{
	const struct listing stops = {reader, arena,
		"SELECT * FROM _stop ORDER BY log", "_stop", STOP_COLUMNS,
		INT64_MAX, sizeof(struct reader_stop), take_stop, NULL};
	const struct listing holds = {reader, arena,
		"SELECT * FROM _hold ORDER BY target", "_hold", HOLD_COLUMNS,
		INT64_MAX, sizeof(struct reader_hold), take_hold, NULL};
	const struct listing decisions = {reader, arena,
		"SELECT * FROM _decision ORDER BY id DESC", "_decision",
		DECISION_COLUMNS, READER_DECISIONS_MAX,
		sizeof(struct reader_decision), take_decision, &unreadable};
	const void *rows = NULL;
	int rc = read_rows(&stops, &rows, &out->stop_count, fault);
	out->stops = rows;
	if (rc == 0)
		rc = check_stops(out->stops, out->stop_count, fault);
	if (rc == 0)
		rc = read_rows(&holds, &rows, &out->hold_count, fault);
	out->holds = rows;
	if (rc == 0)
		rc = read_rows(&decisions, &rows, &out->decision_count, fault);
	out->decisions = rows;
	return rc;
}

int reader_decisions(struct reader *reader, struct arena *arena,
	const struct reader_decision **out, size_t *count, struct fault *fault)
{
	const struct listing decisions = {reader, arena,
		"SELECT * FROM _decision ORDER BY id", "_decision",
		DECISION_COLUMNS, INT64_MAX, sizeof(struct reader_decision),
		take_decision, NULL};
	const void *rows = NULL;
	int rc = reader_begin(reader, fault);
	if (rc == 0)
		rc = read_rows(&decisions, &rows, count, fault);
	reader_end(reader);
	*out = rows;
	return rc;
}

static int read_search(
	struct reader *reader, struct reader_status *out, struct fault *fault)
{
	const struct partitions *partitions = &reader->partitions;
	struct crash crash;
	int rc = crash_read(reader->db, &crash, fault);
	if (rc < 0)
		return rc;
	bool alone = crash.alone_ends > 0;
	int64_t log = alone ? crash.alone_log : crash.log;
	out->search = (struct reader_search){
		.batch_records = crash.batch_records,
		.ends = crash.ends,
		.offset = alone ? crash.alone_offset : crash.offset,
		.alone_ends = crash.alone_ends,
	};
	if (log >= 1 && (size_t)log <= partitions->count)
		out->search.log = partitions->logs[log - 1];
	return 0;
}

static int read_all(struct reader *reader, struct arena *arena,
	struct reader_status *out, struct fault *fault)
{
	int rc = read_partitions(reader, arena, out, fault);
	if (rc == 0)
		rc = read_views(reader, arena, out, fault);
	if (rc == 0)
		rc = read_reasons(reader, arena, out, fault);
	if (rc == 0)
		rc = read_operations(reader, arena, out, fault);
	if (rc == 0)
		rc = read_search(reader, out, fault);
	if (rc == 0)
		rc = meta_read_epoch(reader->db, &out->owner_epoch, fault);
	if (rc == 0)
		rc = backup_record_read(
			reader->db, &out->backups, arena, fault);
	out->file_bytes = layout_file_bytes(&reader->layout);
	out->wal_bytes = layout_wal_bytes(&reader->layout);
	out->ballast_bytes = ballast_held(reader->layout.directory);
	return rc;
}

#define RECENT                                                                 \
	" FROM (SELECT record_time FROM _key ORDER BY seq DESC "               \
	"LIMIT " TEXT_OF(READER_RECENT_KEYS) ")"
#define TEXT_OF(number) TEXT_OF_TOKEN(number)
#define TEXT_OF_TOKEN(token) #token

static int read_recent_keys(
	struct reader *reader, struct reader_status *out, struct fault *fault)
{
	int rc = sql_integer(
		reader->db, "SELECT count(*)" RECENT, &out->recent_keys, fault);
	return rc < 0 ? rc
		      : sql_integer(reader->db,
				"SELECT coalesce(max(record_time)"
				" - min(record_time), 0)" RECENT,
				&out->recent_us, fault);
}

int64_t reader_window_need(
	const struct reader_status *status, int64_t key_window_us)
{
	if (status->recent_keys < READER_RATE_KEYS || status->recent_us <= 0)
		return 0;
	double keys = (double)status->recent_keys * (double)key_window_us /
		      (double)status->recent_us;
	return keys < (double)INT64_MAX / READER_KEY_BYTES
		       ? (int64_t)keys
		       : INT64_MAX / READER_KEY_BYTES;
}

/* Of each partition the newest incarnation counts. */
int reader_all_stopped(struct reader *reader, bool *out, struct fault *fault)
{
	int64_t all = 0;
	int rc = reader_begin(reader, fault);
	if (rc == 0)
		rc = sql_integer(reader->db,
			"SELECT count(*) > 0 AND count(*) = sum(EXISTS"
			" (SELECT 1 FROM _stop WHERE log = one.id))"
			" FROM _partition AS one WHERE incarnation ="
			" (SELECT max(incarnation) FROM _partition WHERE"
			" topic = one.topic AND partition = one.partition)",
			&all, fault);
	reader_end(reader);
	*out = all == 1;
	return rc;
}

int reader_summary(struct reader *reader, struct arena *arena,
	struct reader_status *out, struct fault *fault)
{
	*out = (struct reader_status){.keys = KEYS_UNCOUNTED};
	int rc = reader_begin(reader, fault);
	if (rc == 0)
		rc = read_all(reader, arena, out, fault);
	reader_end(reader);
	return rc;
}

int reader_status(struct reader *reader, struct arena *arena,
	struct reader_status *out, struct fault *fault)
{
	*out = (struct reader_status){0};
	int rc = reader_begin(reader, fault);
	if (rc == 0)
		rc = read_all(reader, arena, out, fault);
	if (rc == 0)
		rc = sql_integer(reader->db, "SELECT count(*) FROM _key",
			&out->keys, fault);
	if (rc == 0)
		rc = read_recent_keys(reader, out, fault);
	reader_end(reader);
	return rc;
}
