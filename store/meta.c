#include "store/meta.h"

#include <sodium.h>

#define META_COMMITS "commits"

int meta_put(sqlite3 *db, const char *name, const struct column *value,
	struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(
		db, &statement, "REPLACE INTO _meta VALUES (?, ?, ?)", fault);
	struct column row[2] = {column_text(slice_of(name)), *value};
	if (rc == 0 && !sql_bind_row(statement, "_meta", row, 2))
		rc = fault_set(fault, FAULT_OOM, "no memory to write %s", name);
	if (rc == 0)
		rc = sql_run(statement, fault);
	sqlite3_finalize(statement);
	return rc;
}

int meta_find(sqlite3 *db, const char *name, struct column *value,
	struct arena *arena, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	struct column row[2] = {column_text(slice_of(name))};
	*value = column_null();
	int rc = sql_prepare(
		db, &statement, "SELECT * FROM _meta WHERE name = ?", fault);
	if (rc == 0)
		rc = sql_find_row(statement, "_meta", (struct row_room){row, 2},
			arena, fault);
	if (rc == 1)
		*value = row[1];
	sqlite3_finalize(statement);
	return rc;
}

int meta_get(sqlite3 *db, const char *name, struct column *value,
	struct arena *arena, struct fault *fault)
{
	int rc = meta_find(db, name, value, arena, fault);
	if (rc == 0)
		rc = fault_set(fault, FAULT_CORRUPT,
			"table _meta: %s is missing", name);
	return rc < 0 ? rc : 0;
}

static int read_bytes(sqlite3 *db, const char *name, void *out, size_t size,
	struct arena *arena, struct fault *fault)
{
	struct column value;
	int rc = meta_get(db, name, &value, arena, fault);
	if (rc < 0)
		return rc;
	struct slice bytes = column_as_bytes(&value);
	if (bytes.length != size)
		return fault_set(fault, FAULT_CORRUPT,
			"table _meta: %s has %zu bytes, not %zu", name,
			bytes.length, size);
	memcpy(out, bytes.data, size);
	return 0;
}

int meta_read_identity(sqlite3 *db, struct identity *out, struct arena *arena,
	struct fault *fault)
{
	*out = (struct identity){0};
	int rc = read_bytes(
		db, "store_id", out->store_id, STORE_ID_SIZE - 1, arena, fault);
	if (rc == 0)
		rc = read_bytes(
			db, "secret", out->secret, SECRET_BYTES, arena, fault);
	struct column text;
	if (rc == 0)
		rc = meta_get(db, "schema", &text, arena, fault);
	if (rc == 0)
		rc = schema_parse(&out->schema, column_as_bytes(&text),
			"the store's schema", fault);
	return rc;
}

static void make_up(struct identity *out)
{
	unsigned char chance[8];
	randombytes_buf(out->secret, sizeof out->secret);
	randombytes_buf(chance, sizeof chance);
	sodium_bin2hex(
		out->store_id, sizeof out->store_id, chance, sizeof chance);
}

int meta_write_identity(sqlite3 *db, const struct schema *schema,
	const struct identity *of, struct fault *fault)
{
	struct identity made;
	if (of == NULL)
		make_up(&made);
	const struct identity *identity = of == NULL ? &made : of;
	struct column value = column_text(slice_of(identity->store_id));
	int rc = meta_put(db, "store_id", &value, fault);
	value = column_blob(
		(struct slice){(const char *)identity->secret, SECRET_BYTES});
	if (rc == 0)
		rc = meta_put(db, "secret", &value, fault);
	value = column_text(slice_of(schema->text));
	if (rc == 0)
		rc = meta_put(db, "schema", &value, fault);
	if (rc == 0)
		rc = meta_write_epoch(db, 0, fault);
	return rc;
}

int meta_get_text(sqlite3 *db, const char *name, const char **out,
	struct arena *arena, struct fault *fault)
{
	int64_t count = 0;
	struct column value;
	*out = "";
	char sql[128];
	sqlite3_snprintf(sizeof sql, sql,
		"SELECT count(*) FROM _meta WHERE name = %Q", name);
	int rc = sql_integer(db, sql, &count, fault);
	if (rc < 0 || count == 0)
		return rc;
	rc = meta_get(db, name, &value, arena, fault);
	if (rc == 0)
		*out = column_as_bytes(&value).data;
	return rc;
}

/* 0 where there is none. */
static int read_count(
	sqlite3 *db, const char *name, int64_t *out, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct column value;
	int rc = meta_find(db, name, &value, &arena, fault);
	*out = column_as_integer(&value);
	arena_finish(&arena);
	return rc < 0 ? rc : 0;
}

int meta_read_edition(sqlite3 *db, int64_t *edition, struct fault *fault)
{
	return read_count(db, META_EDITION, edition, fault);
}

int meta_read_commits(sqlite3 *db, int64_t *commits, struct fault *fault)
{
	return read_count(db, META_COMMITS, commits, fault);
}

int meta_write_commits(sqlite3 *db, int64_t commits, struct fault *fault)
{
	struct column value = column_integer(commits);
	return meta_put(db, META_COMMITS, &value, fault);
}

int meta_read_epoch(sqlite3 *db, int64_t *epoch, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct column value;
	int rc = meta_get(db, "owner_epoch", &value, &arena, fault);
	if (rc == 0)
		*epoch = column_as_integer(&value);
	arena_finish(&arena);
	return rc;
}

int meta_write_epoch(sqlite3 *db, int64_t epoch, struct fault *fault)
{
	struct column value = column_integer(epoch);
	return meta_put(db, "owner_epoch", &value, fault);
}
