#include "store/reader_inside.h"

#include <sodium.h>
#include <stdlib.h>

static int prepare(struct reader *reader, struct fault *fault)
{
	const struct schema *schema = reader->identity.schema;
	size_t size = schema->view_count * sizeof *reader->views;
	reader->views = arena_take(&reader->memory, size);
	if (reader->views == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for views");
	memset(reader->views, 0, size);
	const struct view_rows_home home = {
		reader->db, &reader->partitions, false, &reader->memory};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < schema->view_count; i++)
		rc = view_rows_init(
			&reader->views[i], &home, &schema->views[i], fault);
	return rc;
}

static int connect_database(
	struct reader *reader, uint32_t busy_timeout_ms, struct fault *fault)
{
	const char *path = reader->layout.database;
	int rc = sql_open(&reader->db, path, SQL_READ, busy_timeout_ms, fault);
	if (rc == 0)
		rc = tables_check(reader->db, path, fault);
	if (rc == 0)
		rc = meta_read_identity(
			reader->db, &reader->identity, &reader->memory, fault);
	if (rc == 0)
		rc = prepare(reader, fault);
	if (rc == 0)
		rc = partitions_load(&reader->partitions, reader->db, fault);
	return rc;
}

int reader_open(struct reader **out, const char *path, uint32_t busy_timeout_ms,
	struct fault *fault)
{
	*out = NULL;
	struct reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL || sodium_init() < 0) {
		free(reader);
		return fault_set(fault, FAULT_OOM, "no memory for a reader");
	}
	bool exists = false;
	int rc = layout_find(&reader->layout, path, &exists, fault);
	if (rc == 0 && !exists)
		rc = fault_set(fault, FAULT_REFUSED,
			"%s holds no store: check store.path, or start "
			"`holdfast "
			"run` to make one",
			path);
	if (rc == 0)
		rc = connect_database(reader, busy_timeout_ms, fault);
	if (rc < 0)
		reader_close(reader);
	else
		*out = reader;
	return rc;
}

void reader_close(struct reader *reader)
{
	if (reader == NULL)
		return;
	for (size_t i = 0; reader->views != NULL &&
			   i < reader->identity.schema->view_count;
		i++)
		view_rows_finish(&reader->views[i]);
	sqlite3_close(reader->db);
	partitions_finish(&reader->partitions);
	schema_free(reader->identity.schema);
	arena_finish(&reader->memory);
	free(reader);
}

const struct schema *reader_schema(const struct reader *reader)
{
	return reader->identity.schema;
}

const char *reader_store_id(const struct reader *reader)
{
	return reader->identity.store_id;
}

const char *reader_generation(const struct reader *reader)
{
	return reader->layout.generation;
}

int reader_begin(struct reader *reader, struct fault *fault)
{
	int rc = sql_execute(reader->db, "BEGIN", fault);
	if (rc == 0)
		rc = partitions_load(&reader->partitions, reader->db, fault);
	if (rc < 0)
		reader_end(reader);
	return rc;
}

void reader_end(struct reader *reader)
{
	if (!sqlite3_get_autocommit(reader->db))
		(void)sql_execute(reader->db, "ROLLBACK", NULL);
}

/* A row may name a log that is younger than what this reader knows. */
static bool names_unknown_log(int rc, sqlite3 *db, size_t known)
{
	int64_t count = 0;
	return rc == FAULT_CORRUPT &&
	       sql_integer(db, "SELECT count(*) FROM _partition", &count,
		       NULL) == 0 &&
	       (size_t)count > known;
}

/* A row is looked for in two tables. What is in neither may have moved from the
 * one to the other between the two looks: then both are taken from one
 * snapshot. */
static int look_again(struct reader *reader, struct view_rows *rows,
	const struct value *entity, struct arena *arena, struct held_row *held,
	struct fault *fault)
{
	int rc = sql_execute(reader->db, "BEGIN", fault);
	if (rc == 0)
		rc = view_rows_get(rows, entity, arena, held, fault);
	reader_end(reader);
	return rc;
}

int reader_get(struct reader *reader, const struct view *view,
	const struct value *entity, struct arena *arena, struct row *row,
	struct fault *fault)
{
	struct view_rows *rows =
		&reader->views[view - reader->identity.schema->views];
	struct held_row held;
	int rc = view_rows_get(rows, entity, arena, &held, fault);
	if (rc == 0 && held.place == ROW_NOWHERE &&
		sqlite3_get_autocommit(reader->db))
		rc = look_again(reader, rows, entity, arena, &held, fault);
	if (names_unknown_log(rc, reader->db, reader->partitions.count)) {
		rc = partitions_load(&reader->partitions, reader->db, fault);
		if (rc == 0)
			rc = view_rows_get(rows, entity, arena, &held, fault);
	}
	if (rc < 0)
		return rc;
	*row = held.row;
	return held.place == ROW_PRESENT;
}
