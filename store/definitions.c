#include "store/definitions.h"

#include "store/tables.h"

#include <string.h>

/* Where each of them begins is for SQLite's own check to say. */
#define DEFINITIONS "SELECT type, name, coalesce(sql, '') FROM sqlite_schema"

static const char *text_of(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	return text == NULL ? "" : text;
}

/* `held`, asked for the one that `made` stands on. */
static int compare_row(
	sqlite3_stmt *made, sqlite3_stmt *held, struct fault *fault)
{
	const struct column asked[] = {column_text(slice_of(text_of(made, 0))),
		column_text(slice_of(text_of(made, 1)))};
	sql_bind(held, asked, 2);
	int rc = sql_step(held, fault);
	bool same = rc == 1 && strcmp(text_of(made, 2), text_of(held, 2)) == 0;
	sqlite3_reset(held);
	if (rc < 0 || same)
		return rc < 0 ? rc : 0;
	return fault_set(fault, FAULT_CORRUPT,
		"the file's own schema: %s %s is not defined as it was made: "
		"restore a backup",
		text_of(made, 0), text_of(made, 1));
}

static int compare(sqlite3 *like, sqlite3 *db, struct fault *fault)
{
	sqlite3_stmt *made = NULL, *held = NULL;
	int rc = sql_prepare(like, &made, DEFINITIONS, fault);
	if (rc == 0)
		rc = sql_prepare(db, &held,
			DEFINITIONS " WHERE type = ? AND name = ?", fault);
	while (rc == 0 && (rc = sql_step(made, fault)) == 1)
		rc = compare_row(made, held, fault);
	sqlite3_finalize(made);
	sqlite3_finalize(held);
	return rc;
}

int definitions_check(sqlite3 *db, const struct schema *schema,
	struct arena *arena, struct fault *fault)
{
	sqlite3 *like = NULL;
	int rc = sql_open(&like, ":memory:", SQL_CREATE, 0, fault);
	if (rc == 0)
		rc = tables_create(like, schema, arena, fault);
	if (rc == 0)
		rc = compare(like, db, fault);
	sqlite3_close(like);
	return rc;
}
