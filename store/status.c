#include "store/reader_inside.h"

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

static bool read_reason(sqlite3_stmt *statement, struct arena *arena,
	struct reader_reason_status *out)
{
	const char *reason = (const char *)sqlite3_column_text(statement, 0);
	const char *view = (const char *)sqlite3_column_text(statement, 1);
	*out = (struct reader_reason_status){
		.reason = reason_parse(slice_of(reason)),
		.view = arena_copy(arena, slice_of(view == NULL ? "" : view))
				.data,
		.dead = sqlite3_column_int64(statement, 2),
		.parked = sqlite3_column_int64(statement, 3),
	};
	return out->view != NULL;
}

static int read_reasons(struct reader *reader, struct arena *arena,
	struct reader_status *out, struct fault *fault)
{
	/* Views times reasons, and the view names of strangers: bounded by what
	 * a person would read. */
	enum { REASONS_MAX = 1000 };
	struct reader_reason_status *reasons =
		arena_take(arena, REASONS_MAX * sizeof *reasons);
	sqlite3_stmt *statement = NULL;
	if (reasons == NULL)
		return no_memory(fault);
	int rc = sql_prepare(reader->db, &statement,
		"SELECT reason, view, sum(dead), sum(parked) FROM ("
		" SELECT reason, view, 1 AS dead, 0 AS parked FROM _dead"
		" UNION ALL SELECT reason, view, 0, 1 FROM _parked)"
		" GROUP BY reason, view"
		" ORDER BY sum(dead + parked) DESC, 1, 2 LIMIT 1000",
		fault);
	size_t count = 0;
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		rc = 0;
		if (count == REASONS_MAX ||
			!read_reason(statement, arena, &reasons[count++]))
			rc = no_memory(fault);
	}
	sqlite3_finalize(statement);
	out->reasons = reasons;
	out->reason_count = count;
	return rc;
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
		rc = meta_read_epoch(reader->db, &out->owner_epoch, fault);
	out->file_bytes = layout_file_bytes(&reader->layout);
	out->wal_bytes = layout_wal_bytes(&reader->layout);
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
	reader_end(reader);
	return rc;
}
