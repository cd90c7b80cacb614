#include "store/sql.h"

#include "schema/bytes.h"
#include "schema/checksum.h"
#include "store/file_codes.h"
#include "store/sql_codes.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

/* Rows up to this size are checked on the stack; nearly all are. */
#define CHECK_BYTES 2048
/* Of a statement, in a message: some are longer than a message, and what was
 * wrong comes behind. */
#define WHAT_BYTES_MAX 400

struct column column_null(void)
{
	return (struct column){.kind = COLUMN_NULL};
}

struct column column_integer(int64_t integer)
{
	return (struct column){COLUMN_INTEGER, {.integer = integer}};
}

struct column column_real(double real)
{
	return (struct column){COLUMN_REAL, {.real = real}};
}

struct column column_text(struct slice text)
{
	return text.data == NULL
		       ? column_null()
		       : (struct column){COLUMN_TEXT, {.bytes = text}};
}

struct column column_blob(struct slice bytes)
{
	return bytes.data == NULL
		       ? column_null()
		       : (struct column){COLUMN_BLOB, {.bytes = bytes}};
}

int64_t column_as_integer(const struct column *column)
{
	return column->kind == COLUMN_INTEGER ? column->as.integer : 0;
}

struct slice column_as_bytes(const struct column *column)
{
	if (column->kind == COLUMN_TEXT || column->kind == COLUMN_BLOB)
		return column->as.bytes;
	return (struct slice){NULL, 0};
}

/* SQLite calls only ENOSPC a full disk (os_unix.c, unixWrite()); over quota is
 * one, too. */
static int judge(sqlite3 *db, int code)
{
	if (code == SQLITE_IOERR_WRITE && db != NULL &&
		file_fault_code(sqlite3_system_errno(db)) == FAULT_FULL)
		return FAULT_FULL;
	int judged = sql_fault_code(code);
	return judged < 0 ? judged : FAULT_INTERNAL;
}

/* Our statements name only what a store of this format has: one that SQLite
 * finds no table or column for, when it is prepared or prepared anew, is of a
 * file whose schema is damaged, though it can be read. */
static int lacks(sqlite3 *db, struct fault *fault, const char *what)
{
	return fault_set(fault, FAULT_CORRUPT,
		"%.*s%s: %s: the file's own schema is damaged: restore a "
		"backup",
		WHAT_BYTES_MAX, what, strlen(what) > WHAT_BYTES_MAX ? "…" : "",
		sqlite3_errmsg(db));
}

static bool is_lacking(sqlite3 *db, int code)
{
	return code == SQLITE_ERROR && db != NULL &&
	       strncmp(sqlite3_errmsg(db), "no such ", 8) == 0;
}

int sql_fault(sqlite3 *db, int code, struct fault *fault, const char *what)
{
	if (is_lacking(db, code))
		return lacks(db, fault, what);
	const char *text =
		db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(db);
	const char *advice = sql_advice(code);
	return fault_set(fault, judge(db, code), "%.*s%s: %s (SQLite %d)%s%s",
		WHAT_BYTES_MAX, what, strlen(what) > WHAT_BYTES_MAX ? "…" : "",
		text, code, advice[0] == '\0' ? "" : ": ", advice);
}

/* Settings of every connection (faults.md S1, S2, S17); the page cache is the
 * store's business. */
static const char settings[] = "PRAGMA trusted_schema = OFF;"
			       "PRAGMA cell_size_check = ON;"
			       "PRAGMA mmap_size = 0;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA wal_autocheckpoint = 0;"
			       "PRAGMA synchronous = FULL;";

/* "file:/a%20path?immutable=1". Source: sqlite.org/uri.html. */
static bool name_copy(char *out, size_t size, const char *path)
{
	static const char plain[] = "/._-";
	static const char digits[] = "0123456789ABCDEF";
	static const char end[] = "?immutable=1";
	size_t at = 0;
	if (size < sizeof "file:" + sizeof end)
		return false;
	for (const char *start = "file:"; *start != '\0'; start++)
		out[at++] = *start;
	for (; *path != '\0' && at + 3 + sizeof end <= size; path++) {
		unsigned char byte = (unsigned char)*path;
		if (isalnum(byte) || strchr(plain, byte) != NULL) {
			out[at++] = (char)byte;
			continue;
		}
		out[at++] = '%';
		out[at++] = digits[byte >> 4];
		out[at++] = digits[byte & 15];
	}
	memcpy(out + at, end, sizeof end);
	return *path == '\0';
}

int sql_open(sqlite3 **out, const char *path, enum sql_mode mode,
	uint32_t busy_timeout_ms, struct fault *fault)
{
	static const int flags[] = {
		[SQL_READ] = SQLITE_OPEN_READONLY,
		[SQL_WRITE] = SQLITE_OPEN_READWRITE,
		[SQL_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		[SQL_COPY] = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
	};
	sqlite3 *db = NULL;
	char name[3 * PATH_MAX];
	*out = NULL;
	if (mode == SQL_COPY && !name_copy(name, sizeof name, path))
		return fault_set(fault, FAULT_USAGE, "%s: too long", path);
	int code = sqlite3_open_v2(mode == SQL_COPY ? name : path, &db,
		flags[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
		NULL);
	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(db, (int)busy_timeout_ms);
		sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		code = sqlite3_exec(db, settings, NULL, NULL, NULL);
	}
	int rc = code == SQLITE_OK ? 0 : sql_fault(db, code, fault, path);
	/* The settings are the same for every file, and so are no misuse: its
	 * header names a schema format that there is none of
	 * (sqlite.org/fileformat.html section 1.3.9). */
	if (rc < 0 && code == SQLITE_ERROR)
		rc = fault_set(fault, FAULT_CORRUPT,
			"%s: its header is damaged: restore a backup", path);
	if (rc < 0) {
		sqlite3_close(db);
		db = NULL;
	}
	*out = db;
	return rc;
}

int sql_execute(sqlite3 *db, const char *sql, struct fault *fault)
{
	int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? 0 : sql_fault(db, code, fault, sql);
}

int sql_prepare(
	sqlite3 *db, sqlite3_stmt **out, const char *sql, struct fault *fault)
{
	int code = sqlite3_prepare_v3(
		db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
	if (code == SQLITE_ERROR) /* and whatever else a table may be */
		return lacks(db, fault, sql);
	return code == SQLITE_OK ? 0 : sql_fault(db, code, fault, sql);
}

int sql_integer(sqlite3 *db, const char *sql, int64_t *out, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(db, &statement, sql, fault);
	if (rc == 0)
		rc = sql_step(statement, fault);
	if (rc == 1)
		*out = sqlite3_column_int64(statement, 0);
	else if (rc == 0)
		rc = fault_set(fault, FAULT_CORRUPT, "%s: no row", sql);
	sqlite3_finalize(statement);
	return rc < 0 ? rc : 0;
}

static void bind_column(
	sqlite3_stmt *statement, int index, const struct column *column)
{
	const struct slice *bytes = &column->as.bytes;
	/* Binding fails only for a wrong index (ours: asserted), or a value
	 * beyond SQLite's billion bytes, which the record limits keep out. */
	int code = SQLITE_OK;
	switch (column->kind) {
	case COLUMN_NULL:
		code = sqlite3_bind_null(statement, index);
		break;
	case COLUMN_INTEGER:
		code = sqlite3_bind_int64(statement, index, column->as.integer);
		break;
	case COLUMN_REAL:
		code = sqlite3_bind_double(statement, index, column->as.real);
		break;
	case COLUMN_TEXT:
		code = sqlite3_bind_text64(statement, index, bytes->data,
			bytes->length, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case COLUMN_BLOB:
		code = sqlite3_bind_blob64(statement, index, bytes->data,
			bytes->length, SQLITE_STATIC);
		break;
	}
	assert(code == SQLITE_OK);
}

void sql_bind(
	sqlite3_stmt *statement, const struct column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bind_column(statement, (int)i + 1, &columns[i]);
}

static bool has_bytes(const struct column *column)
{
	return column->kind == COLUMN_TEXT || column->kind == COLUMN_BLOB;
}

static size_t check_size(
	const char *table, const struct column *columns, size_t count)
{
	size_t size = strlen(table) + 1;
	for (size_t i = 0; i < count; i++) {
		size += 9;
		if (has_bytes(&columns[i]))
			size += columns[i].as.bytes.length;
	}
	return size;
}

static void put_column(struct byte_writer *writer, const struct column *column)
{
	uint64_t bits = 0;
	put_byte(writer, (unsigned char)column->kind);
	if (has_bytes(column))
		bits = column->as.bytes.length;
	else if (column->kind != COLUMN_NULL)
		memcpy(&bits, &column->as, sizeof bits);
	put_u64(writer, bits);
	if (has_bytes(column))
		put_bytes(writer, column->as.bytes);
}

/* False when out of memory. */
static bool row_checksum(const char *table, const struct column *columns,
	size_t count, int64_t *out)
{
	unsigned char stack[CHECK_BYTES];
	size_t size = check_size(table, columns, count);
	unsigned char *bytes = size <= sizeof stack ? stack : malloc(size);
	if (bytes == NULL)
		return false;
	struct byte_writer writer = {bytes, bytes + size};
	put_bytes(&writer, (struct slice){table, strlen(table) + 1});
	for (size_t i = 0; i < count; i++)
		put_column(&writer, &columns[i]);
	*out = (int64_t)checksum((struct slice){(const char *)bytes, size});
	if (bytes != stack)
		free(bytes);
	return true;
}

bool sql_bind_row(sqlite3_stmt *statement, const char *table,
	const struct column *columns, size_t count)
{
	int64_t sum;
	if (!row_checksum(table, columns, count, &sum))
		return false;
	sql_bind(statement, columns, count);
	struct column check = column_integer(sum);
	bind_column(statement, (int)count + 1, &check);
	return true;
}

int sql_run(sqlite3_stmt *statement, struct fault *fault)
{
	int rc = sql_step(statement, fault);
	assert(rc <= 0);
	sqlite3_reset(statement);
	return rc;
}

int sql_step(sqlite3_stmt *statement, struct fault *fault)
{
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	int rc = sql_fault(sqlite3_db_handle(statement), code, fault,
		sqlite3_sql(statement));
	sqlite3_reset(statement);
	return rc;
}

/* Through sqlite3_value: one look at the statement a column. Allowed where a
 * connection belongs to one thread (sqlite.org/c3ref/value.html). */
static struct column read_column(sqlite3_stmt *statement, int index)
{
	sqlite3_value *value = sqlite3_column_value(statement, index);
	int type = sqlite3_value_type(value);
	if (type == SQLITE_INTEGER)
		return column_integer(sqlite3_value_int64(value));
	if (type == SQLITE_FLOAT)
		return column_real(sqlite3_value_double(value));
	if (type == SQLITE_NULL)
		return column_null();
	const char *data = sqlite3_value_blob(value);
	size_t length = (size_t)sqlite3_value_bytes(value);
	/* SQLite gives no pointer for an empty value, which is not NULL. */
	struct slice bytes = {data == NULL ? "" : data, length};
	return type == SQLITE_TEXT ? column_text(bytes) : column_blob(bytes);
}

int sql_read_row(sqlite3_stmt *statement, const char *table,
	struct column *columns, size_t count, struct fault *fault)
{
	/* SQLite prepares "SELECT *" anew where a table was altered. */
	if ((size_t)sqlite3_column_count(statement) != count + 1)
		return fault_set(fault, FAULT_CORRUPT,
			"table %s has %d columns where %zu are expected: "
			"something else altered it; restore a backup",
			table, sqlite3_column_count(statement), count + 1);
	for (size_t i = 0; i < count; i++)
		columns[i] = read_column(statement, (int)i);
	int64_t sum;
	if (!row_checksum(table, columns, count, &sum))
		return fault_set(fault, FAULT_OOM,
			"table %s: no memory to "
			"check a row",
			table);
	struct column stored = read_column(statement, (int)count);
	if (stored.kind == COLUMN_INTEGER && stored.as.integer == sum)
		return 0;
	return fault_set(fault, FAULT_CORRUPT,
		"table %s: a row whose checksum does not fit its values: run "
		"`holdfast verify`, then restore a backup",
		table);
}

bool columns_keep(struct column *columns, size_t count, struct arena *arena)
{
	for (size_t i = 0; i < count; i++) {
		if (!has_bytes(&columns[i]))
			continue;
		columns[i].as.bytes = arena_copy(arena, columns[i].as.bytes);
		if (columns[i].as.bytes.data == NULL)
			return false;
	}
	return true;
}

int sql_fault_other_row(const char *table, struct fault *fault)
{
	return fault_set(fault, FAULT_CORRUPT,
		"table %s: another row than the one that was looked up: run "
		"`holdfast verify`, then restore a backup",
		table);
}

static bool is_equal(const struct column *a, const struct column *b)
{
	if (a->kind != b->kind)
		return false;
	return has_bytes(a) ? slice_equal(a->as.bytes, b->as.bytes)
			    : a->as.integer == b->as.integer;
}

int sql_find_row(sqlite3_stmt *statement, const char *table,
	struct row_room row, struct arena *arena, struct fault *fault)
{
	const struct column key = row.columns[0];
	sql_bind(statement, row.columns, 1);
	int rc = sql_step(statement, fault);
	bool found = rc == 1;
	if (found)
		rc = sql_read_row(
			statement, table, row.columns, row.count, fault);
	if (found && rc == 0 && !is_equal(&key, &row.columns[0]))
		rc = sql_fault_other_row(table, fault);
	if (found && rc == 0 && !columns_keep(row.columns, row.count, arena))
		rc = fault_set(fault, FAULT_OOM,
			"table %s: no memory for a row", table);
	sqlite3_reset(statement);
	return rc < 0 ? rc : found;
}
