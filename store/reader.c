#include "store/reader_inside.h"

#include "store/generation_state.h"

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

/* Pages a reader keeps between two batches: some hundred thousand entities. A
 * commit of the writer empties it (SQLite's pager). */
#define CACHE_PRAGMA "PRAGMA cache_size = -32768" /* KiB */

int reader_connect(struct reader *reader, enum sql_mode mode,
	uint32_t busy_timeout_ms, struct fault *fault)
{
	const char *path = reader->layout.database;
	int rc = sql_open(&reader->db, path, mode, busy_timeout_ms, fault);
	if (rc == 0)
		rc = sql_execute(reader->db, CACHE_PRAGMA, fault);
	if (rc == 0)
		rc = tables_check(reader->db, path, fault);
	/* Before the schema: one that comes in between makes it outdated. */
	if (rc == 0)
		rc = meta_read_edition(reader->db, &reader->edition, fault);
	if (rc == 0)
		rc = meta_read_identity(
			reader->db, &reader->identity, &reader->memory, fault);
	if (rc == 0)
		rc = prepare(reader, fault);
	if (rc == 0)
		rc = sql_prepare(reader->db, &reader->anchor,
			"PRAGMA data_version", fault);
	if (rc == 0)
		rc = partitions_prepare(
			reader->db, &reader->list_partitions, fault);
	if (rc == 0)
		rc = holds_prepare(reader->db, &reader->list_holds, fault);
	if (rc == 0)
		rc = generation_look_prepare(reader->db, &reader->look, fault);
	if (rc == 0)
		rc = reader_begin(reader, fault);
	reader_end(reader);
	return rc;
}

#define REPLACED 1
#define MISSING 2
#define OPENINGS 3 /* one switch after another takes longer than these */

/* SQLite opens the WAL by its path and later than the file. Were the store
 * replaced in between, the one would be read with the other's pages. REPLACED,
 * MISSING: it was, or is not there, and the fault says so. */
static int connect_current(
	struct reader *reader, uint32_t busy_timeout_ms, struct fault *fault)
{
	int rc = reader_connect(reader, SQL_READ, busy_timeout_ms, fault);
	if (rc == FAULT_OOM || reader_is_current(reader))
		return rc;
	bool missing = reader->layout.inode == 0;
	(void)fault_set(fault, missing ? FAULT_REFUSED : FAULT_BUSY, "%s %s",
		reader->layout.database,
		missing ? "is missing, and the link to it is not: restore a "
			  "backup, or name another directory"
			: "was replaced while it was opened: try again");
	return missing ? MISSING : REPLACED;
}

struct reader *reader_new(struct fault *fault)
{
	struct reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL || sodium_init() < 0) {
		free(reader);
		fault_set(fault, FAULT_OOM, "no memory for a reader");
		return NULL;
	}
	reader->made_us = TIMESTAMP_NONE;
	return reader;
}

/* The layout of the generation that is asked for; NULL: the live one. */
static int find(struct reader *reader, const char *path, const char *generation,
	struct fault *fault)
{
	bool exists = false;
	int rc = layout_find(&reader->layout, path, &exists, fault);
	if (rc == 0 && !exists)
		rc = fault_set(fault, FAULT_REFUSED,
			"%s holds no store: check store.path, or start "
			"`holdfast run` to make one",
			path);
	if (rc < 0 || generation == NULL)
		return rc;
	return layout_turn_to(&reader->layout, generation, fault);
}

static int open_reader(struct reader **out, const char *path,
	const char *generation, uint32_t busy_timeout_ms, struct fault *fault)
{
	*out = NULL;
	struct reader *reader = reader_new(fault);
	if (reader == NULL)
		return FAULT_OOM;
	int rc = find(reader, path, generation, fault);
	memcpy(reader->generation, reader->layout.generation,
		sizeof reader->layout.generation);
	if (rc == 0)
		rc = generation == NULL
			     ? connect_current(reader, busy_timeout_ms, fault)
			     : reader_connect(reader, SQL_READ, busy_timeout_ms,
				       fault);
	if (rc != 0)
		reader_close(reader);
	else
		*out = reader;
	return rc;
}

int reader_open(struct reader **out, const char *path, uint32_t busy_timeout_ms,
	struct fault *fault)
{
	int rc = REPLACED;
	for (int i = 0; rc > 0 && i < OPENINGS; i++)
		rc = open_reader(out, path, NULL, busy_timeout_ms, fault);
	if (rc == REPLACED)
		return FAULT_BUSY;
	return rc == MISSING ? FAULT_REFUSED : rc;
}

int reader_open_generation(struct reader **out, const char *path,
	const char *generation, uint32_t busy_timeout_ms, struct fault *fault)
{
	return open_reader(out, path, generation, busy_timeout_ms, fault);
}

void reader_close(struct reader *reader)
{
	if (reader == NULL)
		return;
	for (size_t i = 0; reader->views != NULL &&
			   i < reader->identity.schema->view_count;
		i++)
		view_rows_finish(&reader->views[i]);
	sqlite3_finalize(reader->anchor);
	sqlite3_finalize(reader->list_partitions);
	sqlite3_finalize(reader->list_holds);
	sqlite3_finalize(reader->look);
	sqlite3_close(reader->db);
	holds_finish(&reader->holds);
	feeds_finish(&reader->feeds);
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
	return reader->generation;
}

/* Rows of another schema are not read under this one. */
static int look(struct reader *reader, struct fault *fault)
{
	struct generation_look now;
	int rc = generation_look(reader->look, &now, fault);
	if (rc < 0)
		return rc;
	reader->sealed = now.sealed;
	reader->outdated = now.edition != reader->edition;
	return reader->outdated
		       ? fault_set(fault, FAULT_BUSY,
				 "%s: the schema was changed: ask again",
				 reader->layout.database)
		       : 0;
}

static int load(struct reader *reader, struct fault *fault)
{
	reader->loaded = false;
	int rc = look(reader, fault);
	if (rc == 0)
		rc = partitions_read(
			&reader->partitions, reader->list_partitions, fault);
	if (rc == 0)
		rc = feeds_update(&reader->feeds, reader->identity.schema,
			&reader->partitions, fault);
	if (rc == 0)
		rc = holds_read(&reader->holds, reader->identity.schema,
			reader->list_holds, fault);
	reader->loaded = rc == 0;
	return rc;
}

/* Partitions change with every batch, and so does SQLite's data version: while
 * that is the same, what was read of them is still true. */
static int refresh(struct reader *reader, uint32_t version, struct fault *fault)
{
	if (reader->loaded && version == reader->data_version)
		return 0;
	reader->data_version = version;
	return load(reader, fault);
}

bool reader_is_current(const struct reader *reader)
{
	return layout_is_current(&reader->layout);
}

bool reader_saw_seal(const struct reader *reader)
{
	return reader->sealed;
}

bool reader_saw_change(const struct reader *reader)
{
	return reader->outdated;
}

bool reader_has_moved(struct reader *reader)
{
	int rc = reader_begin(reader, NULL);
	bool moved = rc == 0 && reader_was_left(reader);
	reader_end(reader);
	return moved || reader->outdated;
}

bool reader_was_left(const struct reader *reader)
{
	return reader->outdated ||
	       (reader->sealed && !layout_is_current(&reader->layout));
}

/* Open a snapshot: while the anchor stands on its row, every other statement
 * reads from it. The row is the data version, and the cheapest there is. */
static int drop_anchor(
	struct reader *reader, uint32_t *version, struct fault *fault)
{
	sqlite3_reset(reader->anchor);
	int rc = sql_step(reader->anchor, fault);
	if (rc != 1)
		return rc < 0 ? rc
			      : fault_set(fault, FAULT_INTERNAL,
					"%s: no data version",
					reader->layout.database);
	*version = (uint32_t)sqlite3_column_int64(reader->anchor, 0);
	return 0;
}

/* A new snapshot, which is kept only if nothing happened meanwhile: then it is
 * known to be that of `state`. */
static int begin_anew(struct reader *reader, struct fault *fault)
{
	uint32_t version = 0;
	reader->state = wal_watch_state(&reader->watch);
	int rc = drop_anchor(reader, &version, fault);
	if (rc == 0)
		rc = refresh(reader, version, fault);
	if (rc < 0)
		sqlite3_reset(reader->anchor);
	return rc;
}

int reader_begin(struct reader *reader, struct fault *fault)
{
	if (sqlite3_stmt_busy(reader->anchor) &&
		wal_watch_same(&reader->watch, &reader->state))
		return 0;
	return begin_anew(reader, fault);
}

void reader_end(struct reader *reader)
{
	if (!reader->keeps || !wal_watch_same(&reader->watch, &reader->state))
		sqlite3_reset(reader->anchor);
}

void reader_keep(struct reader *reader, bool keep)
{
	if (keep && reader->watch.index == NULL)
		reader->watch = wal_watch_of(reader->db);
	reader->keeps = keep && reader->watch.index != NULL;
	if (!reader->keeps)
		reader_rest(reader);
}

void reader_rest(struct reader *reader)
{
	sqlite3_reset(reader->anchor);
}

bool reader_rest_if_old(struct reader *reader)
{
	if (!wal_watch_same(&reader->watch, &reader->state))
		reader_rest(reader);
	return sqlite3_stmt_busy(reader->anchor) != 0;
}

int reader_data_version(
	struct reader *reader, uint32_t *out, struct fault *fault)
{
	int rc = drop_anchor(reader, out, fault);
	reader_rest(reader);
	return rc;
}

int reader_get(struct reader *reader, const struct view *view,
	const struct value *entity, struct arena *arena, struct row *row,
	struct fault *fault)
{
	struct view_rows *rows =
		&reader->views[view - reader->identity.schema->views];
	struct held_row held = {.place = ROW_NOWHERE};
	int rc = reader_check_damage(reader, view, fault);
	if (rc == 0)
		rc = reader_begin(reader, fault);
	if (rc < 0)
		return rc;
	rc = view_rows_get(rows, entity, arena, &held, fault);
	reader_end(reader);
	if (rc < 0)
		return rc;
	*row = held.row;
	return held.place == ROW_PRESENT;
}
