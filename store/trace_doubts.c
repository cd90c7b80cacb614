#include "store/trace_doubts.h"

#include "store/decisions.h"
#include "store/meta.h"

#include <stdlib.h>

#define HISTORY_COLUMNS 6
#define HISTORY_BEFORE 5

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for the store's history");
}

static int read_time(struct trace_doubts *out, sqlite3 *db, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct column value;
	int rc = meta_find(db, META_FORGOTTEN, &value, &arena, fault);
	if (rc == 1)
		out->forgotten_before_us = column_as_integer(&value);
	arena_finish(&arena);
	return rc < 0 ? rc : 0;
}

/* Logs that came since have none. */
static bool note_offset(struct trace_doubts *out, size_t id, int64_t offset)
{
	if (id > out->count) {
		int64_t *larger =
			realloc(out->offsets, id * sizeof *out->offsets);
		if (larger == NULL)
			return false;
		out->offsets = larger;
		while (out->count < id)
			larger[out->count++] = 0;
	}
	out->offsets[id - 1] = offset;
	return true;
}

static int read_offsets(
	struct trace_doubts *out, sqlite3 *db, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	const char *text = "";
	int rc = meta_get_text(db, META_SCHEMA_OFFSETS, &text, &arena, fault);
	while (rc == 0 && *text != '\0') {
		char *end = NULL;
		unsigned long id = strtoul(text, &end, 10);
		long long offset =
			*end == ':' ? strtoll(end + 1, &end, 10) : -1;
		if (id == 0 || id > UINT32_MAX || offset < 0 || *end != ' ')
			rc = fault_set(fault, FAULT_CORRUPT,
				"table _meta: " META_SCHEMA_OFFSETS
				" can't be read");
		else if (!note_offset(out, id, offset))
			rc = no_memory(fault);
		text = end + 1;
	}
	arena_finish(&arena);
	return rc;
}

static int note_schema(
	struct trace_doubts *out, struct slice text, struct fault *fault)
{
	struct schema **larger = realloc(
		(void *)out->schemas, (out->schema_count + 1) * sizeof *larger);
	if (larger == NULL)
		return no_memory(fault);
	out->schemas = larger;
	int rc = schema_parse(&larger[out->schema_count], text,
		"a schema the store had", fault);
	out->schema_count += rc == 0;
	return rc;
}

/* A generation that took its logs under the present schema needs none. */
static int read_schemas(
	struct trace_doubts *out, sqlite3 *db, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = 0;
	if (out->count == 0)
		return 0;
	rc = sql_prepare(db, &statement,
		"SELECT * FROM _schema ORDER BY id DESC", fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct column row[HISTORY_COLUMNS];
		rc = sql_read_row(
			statement, "_schema", row, HISTORY_COLUMNS, fault);
		if (rc == 0)
			rc = note_schema(out,
				column_as_bytes(&row[HISTORY_BEFORE]), fault);
	}
	sqlite3_finalize(statement);
	return rc;
}

int trace_doubts_read(
	struct trace_doubts *out, sqlite3 *db, struct fault *fault)
{
	*out = (struct trace_doubts){.forgotten_before_us = TIMESTAMP_NONE};
	int rc = read_time(out, db, fault);
	if (rc == 0)
		rc = read_offsets(out, db, fault);
	return rc < 0 ? rc : read_schemas(out, db, fault);
}

void trace_doubts_finish(struct trace_doubts *doubts)
{
	for (size_t i = 0; i < doubts->schema_count; i++)
		schema_free(doubts->schemas[i]);
	free((void *)doubts->schemas);
	free(doubts->offsets);
}

int trace_forced(sqlite3 *db, struct fault *fault)
{
	int64_t forced = 0;
	int rc = sql_integer(db,
		"SELECT EXISTS (SELECT 1 FROM _decision WHERE what = "
		"'" DECISION_FORCED "')",
		&forced, fault);
	return rc < 0 ? rc : forced != 0;
}

bool trace_doubts_predates(
	const struct trace_doubts *doubts, const struct record *record)
{
	size_t index = record->log->id - 1;
	return index < doubts->count && record->offset < doubts->offsets[index];
}
