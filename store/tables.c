#include "store/tables.h"

#include "schema/buffer.h"
#include "store/file_codes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char own_tables[] =
	"CREATE TABLE _meta (name TEXT PRIMARY KEY, value ANY,"
	" _checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

	"CREATE TABLE _partition (id INTEGER PRIMARY KEY, topic TEXT NOT NULL,"
	" partition INTEGER NOT NULL, incarnation INTEGER NOT NULL,"
	" cluster_id TEXT NOT NULL,"
	" first_offset INTEGER NOT NULL, next_offset INTEGER NOT NULL,"
	" taken INTEGER NOT NULL, gaps INTEGER NOT NULL,"
	" lost INTEGER NOT NULL, skipped INTEGER NOT NULL,"
	" updates INTEGER NOT NULL, applied INTEGER NOT NULL,"
	" superseded INTEGER NOT NULL, duplicate INTEGER NOT NULL,"
	" parked INTEGER NOT NULL, dead INTEGER NOT NULL,"
	" late_deletes INTEGER NOT NULL, ignored_features INTEGER NOT NULL,"
	" redelivered INTEGER NOT NULL, cleared INTEGER NOT NULL,"
	" record_time INTEGER, as_of INTEGER,"
	" at_end INTEGER NOT NULL, end_offset INTEGER NOT NULL,"
	" trail BLOB NOT NULL, _checksum INTEGER NOT NULL,"
	" UNIQUE (topic, partition, incarnation)) STRICT;"

	"CREATE TABLE _view (name TEXT PRIMARY KEY, rows INTEGER NOT NULL,"
	" deleted INTEGER NOT NULL, digest BLOB NOT NULL,"
	" _checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

	/* In order of arrival: a B-tree of random keys costs 3/4 of the speed
	 * (design section 6). */
	"CREATE TABLE _key (seq INTEGER PRIMARY KEY, key BLOB NOT NULL,"
	" content INTEGER NOT NULL, record_time INTEGER NOT NULL,"
	" log INTEGER NOT NULL, offset INTEGER NOT NULL,"
	" place INTEGER NOT NULL, state TEXT NOT NULL, letter INTEGER,"
	" _checksum INTEGER NOT NULL) STRICT;"

	/* The payload, once a record, of dead letters and parked updates. */
	"CREATE TABLE _record (id INTEGER PRIMARY KEY, log INTEGER NOT NULL,"
	" offset INTEGER NOT NULL, form TEXT NOT NULL, timestamp INTEGER,"
	" key BLOB, value BLOB, headers BLOB,"
	" _checksum INTEGER NOT NULL) STRICT;"
	"CREATE INDEX _record_place ON _record (log, offset);"

	/* A letter's id is never given again: what operators did to it is on
	 * the record by its id, and so is how far the export came. */
	"CREATE TABLE _dead (id INTEGER PRIMARY KEY AUTOINCREMENT, record "
	"INTEGER NOT NULL,"
	" view TEXT NOT NULL, place INTEGER NOT NULL, reason TEXT NOT NULL,"
	" detail TEXT NOT NULL, key BLOB, state TEXT NOT NULL,"
	" acknowledged INTEGER, _checksum INTEGER NOT NULL) STRICT;"
	"CREATE INDEX _dead_record ON _dead (record);"
	"CREATE INDEX _dead_key ON _dead (key);"

	"CREATE TABLE _parked (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" record INTEGER NOT NULL, view TEXT NOT NULL,"
	" place INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,"
	" key BLOB, attempts INTEGER NOT NULL, due INTEGER,"
	" _checksum INTEGER NOT NULL) STRICT;"
	"CREATE INDEX _parked_record ON _parked (record);"
	"CREATE INDEX _parked_due ON _parked (due);"

	/* What an operator did, for good. */
	"CREATE TABLE _decision (id INTEGER PRIMARY KEY,"
	" at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,"
	" target TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,"
	" because TEXT NOT NULL, _checksum INTEGER NOT NULL) STRICT;"

	/* Schemas that ended, and why; the present one is in _meta. */
	"CREATE TABLE _schema (id INTEGER PRIMARY KEY,"
	" at INTEGER NOT NULL, who TEXT NOT NULL, because TEXT NOT NULL,"
	" changes TEXT NOT NULL, before TEXT NOT NULL,"
	" _checksum INTEGER NOT NULL) STRICT;"

	/* Views and features that are not to be served. */
	"CREATE TABLE _hold (target TEXT PRIMARY KEY, choice TEXT NOT NULL,"
	" because TEXT NOT NULL, since INTEGER NOT NULL,"
	" _checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

	/* Partitions that take no records, and why. */
	"CREATE TABLE _stop (log INTEGER PRIMARY KEY, reason TEXT NOT NULL,"
	" detail TEXT NOT NULL, since INTEGER NOT NULL,"
	" log_start INTEGER NOT NULL, _checksum INTEGER NOT NULL) STRICT;"

	/* Where runs began, and how many ended uncleanly there in a row. */
	"CREATE TABLE _start (log INTEGER PRIMARY KEY,"
	" next_offset INTEGER NOT NULL, ends INTEGER NOT NULL,"
	" until INTEGER NOT NULL, _checksum INTEGER NOT NULL) STRICT;"

	/* The search for a record that ends the process: one row. */
	"CREATE TABLE _crash (id INTEGER PRIMARY KEY,"
	" epoch INTEGER NOT NULL, ends INTEGER NOT NULL,"
	" batch_records INTEGER NOT NULL,"
	" log INTEGER NOT NULL, offset INTEGER NOT NULL,"
	" alone_log INTEGER NOT NULL, alone_offset INTEGER NOT NULL,"
	" alone_ends INTEGER NOT NULL,"
	" letter INTEGER NOT NULL, letter_ends INTEGER NOT NULL,"
	" _checksum INTEGER NOT NULL) STRICT;"

	/* Records that were found to, before the store went back: they come
	 * again. By name, since the partition may be unknown here. */
	"CREATE TABLE _culprit (topic TEXT NOT NULL,"
	" partition INTEGER NOT NULL, incarnation INTEGER NOT NULL,"
	" offset INTEGER NOT NULL, _checksum INTEGER NOT NULL,"
	" PRIMARY KEY (topic, partition, incarnation, offset))"
	" STRICT, WITHOUT ROWID;";

static void text(struct buffer *sql, const char *piece)
{
	buffer_bytes(sql, piece, strlen(piece));
}

static const char *finished(struct buffer *sql)
{
	buffer_byte(sql, '\0');
	return sql->failed ? NULL : (const char *)sql->data;
}

/* Names are of [a-z0-9_], so quotes are enough even for SQL's keywords. */
static void name(struct buffer *sql, const char *prefix, const char *word)
{
	text(sql, "\"");
	text(sql, prefix);
	text(sql, word);
	text(sql, "\"");
}

static void key_names(struct buffer *sql, const struct view *view)
{
	for (size_t i = 0; i < view->key_count; i++) {
		text(sql, i == 0 ? "" : ", ");
		name(sql, "", view->keys[i].name);
	}
}

static const char *sql_type(enum value_type kind)
{
	if (kind == TYPE_STRING)
		return " TEXT";
	if (type_is_bytes(kind))
		return " BLOB";
	if (kind == TYPE_FLOAT64 || kind == TYPE_DECIMAL)
		return " REAL";
	return " INTEGER";
}

/* One int64 key is the rowid itself; other keys cluster the table. */
static bool key_is_rowid(const struct view *view)
{
	return view->key_count == 1 && view->keys[0].type.kind == TYPE_INT64;
}

static void key_definitions(struct buffer *sql, const struct view *view)
{
	for (size_t i = 0; i < view->key_count; i++) {
		name(sql, "", view->keys[i].name);
		text(sql, sql_type(view->keys[i].type.kind));
		text(sql, " NOT NULL, ");
	}
}

static void primary_key(struct buffer *sql, const struct view *view)
{
	text(sql, ", PRIMARY KEY (");
	key_names(sql, view);
	text(sql, key_is_rowid(view) ? ")) STRICT;"
				     : ")) STRICT, WITHOUT ROWID;");
}

static void define_rows(struct buffer *sql, const struct view *view)
{
	text(sql, "CREATE TABLE ");
	name(sql, "", view->name);
	text(sql, " (");
	key_definitions(sql, view);
	for (size_t i = 0; i < view->feature_count; i++) {
		name(sql, "", view->features[i].name);
		text(sql, sql_type(view->features[i].type.kind));
		text(sql, ", ");
	}
	text(sql, "_event_time INTEGER NOT NULL, _log INTEGER NOT NULL,"
		  " _offset INTEGER NOT NULL, _place INTEGER NOT NULL,"
		  " _floor TEXT, _versions TEXT, _checksum INTEGER NOT NULL");
	primary_key(sql, view);
}

static void define_view(struct buffer *sql, const struct view *view)
{
	define_rows(sql, view);
	text(sql, "CREATE TABLE ");
	name(sql, "_deleted_", view->name);
	text(sql, " (");
	key_definitions(sql, view);
	text(sql, "_event_time INTEGER NOT NULL, _floor TEXT NOT NULL,"
		  " _checksum INTEGER NOT NULL");
	primary_key(sql, view);
}

/* A timestamp as RFC 3339 with microseconds; % must not see a negative. */
static void readable_time(struct buffer *sql, const char *column)
{
	static const char *const pieces[] = {"strftime('%Y-%m-%dT%H:%M:%S', (",
		" - ((",
		" % 1000000) + "
		"1000000) % 1000000) / 1000000, 'unixepoch') || "
		"printf('.%06dZ', ((",
		" % 1000000) + 1000000) % 1000000) AS "};
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		text(sql, pieces[i]);
		name(sql, "", column);
	}
}

static void define_readable(struct buffer *sql, const struct view *view)
{
	text(sql, "CREATE VIEW ");
	name(sql, "_readable_", view->name);
	text(sql, " AS SELECT ");
	key_names(sql, view);
	for (size_t i = 0; i < view->feature_count; i++) {
		const struct feature *feature = &view->features[i];
		text(sql, ", ");
		if (feature->type.kind == TYPE_TIMESTAMP)
			readable_time(sql, feature->name);
		else
			name(sql, "", feature->name);
	}
	text(sql, ", ");
	readable_time(sql, "_event_time");
	text(sql, " FROM ");
	name(sql, "", view->name);
	text(sql, ";");
}

int tables_create(sqlite3 *db, const struct schema *schema, struct arena *arena,
	struct fault *fault)
{
	struct buffer sql = BUFFER_INIT(arena);
	text(&sql, own_tables);
	for (size_t i = 0; i < schema->view_count; i++) {
		define_view(&sql, &schema->views[i]);
		define_readable(&sql, &schema->views[i]);
	}
	const char *all = finished(&sql);
	if (all == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for the tables");
	return sql_execute(db, all, fault);
}

static int run(sqlite3 *db, struct buffer *sql, struct fault *fault)
{
	const char *all = finished(sql);
	return all == NULL
		       ? fault_set(fault, FAULT_OOM, "no memory for the tables")
		       : sql_execute(db, all, fault);
}

int tables_add_view(sqlite3 *db, const struct view *view, struct arena *arena,
	struct fault *fault)
{
	struct buffer sql = BUFFER_INIT(arena);
	define_view(&sql, view);
	define_readable(&sql, view);
	return run(db, &sql, fault);
}

/* Renaming looks at every view: that of the table must not be there. */
int tables_put_view_aside(sqlite3 *db, const struct view *view,
	struct arena *arena, struct fault *fault)
{
	struct buffer sql = BUFFER_INIT(arena);
	text(&sql, "DROP VIEW ");
	name(&sql, "_readable_", view->name);
	text(&sql, "; ALTER TABLE ");
	name(&sql, "", view->name);
	text(&sql, " RENAME TO ");
	name(&sql, "_replaced_", view->name);
	text(&sql, "; ");
	define_rows(&sql, view);
	return run(db, &sql, fault);
}

int tables_drop_replaced(sqlite3 *db, const struct view *view,
	struct arena *arena, struct fault *fault)
{
	struct buffer sql = BUFFER_INIT(arena);
	text(&sql, "DROP TABLE ");
	name(&sql, "_replaced_", view->name);
	text(&sql, "; ");
	define_readable(&sql, view);
	return run(db, &sql, fault);
}

const char *tables_select_replaced(const struct view *view, struct arena *arena)
{
	struct buffer sql = BUFFER_INIT(arena);
	text(&sql, "SELECT * FROM ");
	name(&sql, "_replaced_", view->name);
	return finished(&sql);
}

static int judge_format(const char *path, int64_t application, int64_t format,
	struct fault *fault)
{
	if (application != STORE_APPLICATION_ID)
		return fault_set(fault, FAULT_REFUSED,
			"%s is no holdfast store (application_id %" PRId64
			"): name another directory",
			path, application);
	if (format == STORE_FORMAT)
		return 0;
	return fault_set(fault, FAULT_REFUSED,
		"%s has format %" PRId64 ", this program knows %d: use the "
		"program that wrote it, or a newer one",
		path, format, STORE_FORMAT);
}

/* The file's first bytes. Source: sqlite.org/fileformat2.html, 1.3. */
#define HEADER_BYTES 100
#define HEADER_FORMAT 60      /* user_version */
#define HEADER_APPLICATION 68 /* application_id */
static const char header_magic[16] = "SQLite format 3";

static int64_t big_endian(const unsigned char bytes[4])
{
	return (int32_t)((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
			 (uint32_t)bytes[2] << 8 | bytes[3]);
}

static bool has_content(const char *path, const char *suffix)
{
	char beside[PATH_MAX];
	struct stat status;
	int length = snprintf(beside, sizeof beside, "%s%s", path, suffix);
	return length > 0 && (size_t)length < sizeof beside &&
	       stat(beside, &status) == 0 && status.st_size > 0;
}

/* A power loss while the first page is written may leave anything of it: it is
 * still in the WAL that it was copied from; or in the journal, in a store that
 * is being made and has no WAL yet. */
static bool is_elsewhere(const char *path)
{
	return has_content(path, "-wal") || has_content(path, "-journal");
}

/* 0: it is there. HEADER_ELSEWHERE: SQLite must be asked. */
#define HEADER_ELSEWHERE 1
static int read_header(const char *path, unsigned char header[HEADER_BYTES],
	struct fault *fault)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return fault_set(fault, FAULT_REFUSED,
			"%s is missing, and the link to it is not: restore a "
			"backup, or name another directory",
			path);
	ssize_t length = fd < 0 ? -1 : pread(fd, header, HEADER_BYTES, 0);
	int rc = length >= 0 ? 0 : file_fault(fault, errno, "can't read", path);
	if (fd >= 0)
		close(fd);
	if (rc < 0 ||
		(length == HEADER_BYTES &&
			memcmp(header, header_magic, sizeof header_magic) == 0))
		return rc;
	if (is_elsewhere(path))
		return HEADER_ELSEWHERE;
	return fault_set(fault, FAULT_REFUSED,
		"%s is no holdfast store, or its beginning is destroyed: name "
		"another directory, or restore a backup",
		path);
}

int tables_check_file(const char *path, struct fault *fault)
{
	unsigned char header[HEADER_BYTES] = {0};
	int rc = read_header(path, header, fault);
	if (rc == HEADER_ELSEWHERE)
		return 0; /* tables_check() judges */
	return rc < 0 ? rc
		      : judge_format(path,
				big_endian(&header[HEADER_APPLICATION]),
				big_endian(&header[HEADER_FORMAT]), fault);
}

int tables_check(sqlite3 *db, const char *path, struct fault *fault)
{
	int64_t application = 0;
	int64_t format = 0;
	int rc = sql_integer(db, "PRAGMA application_id", &application, fault);
	if (rc == 0)
		rc = sql_integer(db, "PRAGMA user_version", &format, fault);
	return rc < 0 ? rc : judge_format(path, application, format, fault);
}

static void where_key(struct buffer *sql, const struct view *view)
{
	text(sql, " WHERE ");
	for (size_t i = 0; i < view->key_count; i++) {
		text(sql, i == 0 ? "" : " AND ");
		name(sql, "", view->keys[i].name);
		text(sql, " = ?");
	}
}

/* "prefix TABLE" and, for one row, the key as parameters. */
static const char *by_key(struct arena *arena, const char *verb,
	const char *prefix, const struct view *view, bool one)
{
	struct buffer sql = BUFFER_INIT(arena);
	text(&sql, verb);
	name(&sql, prefix, view->name);
	if (one)
		where_key(&sql, view);
	return finished(&sql);
}

static const char *put(struct arena *arena, const char *prefix,
	const struct view *view, size_t columns)
{
	struct buffer sql = BUFFER_INIT(arena);
	text(&sql, "REPLACE INTO ");
	name(&sql, prefix, view->name);
	text(&sql, " VALUES (?");
	for (size_t i = 1; i < columns; i++)
		text(&sql, ", ?");
	text(&sql, ")");
	return finished(&sql);
}

bool view_sql_make(
	const struct view *view, struct arena *arena, struct view_sql *out)
{
	size_t keys = view->key_count;
	size_t columns = keys + view->feature_count + VIEW_OWN_COLUMNS + 1;
	const char *const select = "SELECT * FROM ";
	const char *const delete = "DELETE FROM ";
	const char *const dead = "_deleted_";
	out->get = by_key(arena, select, "", view, true);
	out->put = put(arena, "", view, columns);
	out->remove = by_key(arena, delete, "", view, true);
	out->get_deleted = by_key(arena, select, dead, view, true);
	out->put_deleted = put(arena, dead, view, keys + 3);
	out->remove_deleted = by_key(arena, delete, dead, view, true);
	out->all = by_key(arena, select, "", view, false);
	out->all_deleted = by_key(arena, select, dead, view, false);
	return out->get != NULL && out->put != NULL && out->remove != NULL &&
	       out->get_deleted != NULL && out->put_deleted != NULL &&
	       out->remove_deleted != NULL && out->all != NULL &&
	       out->all_deleted != NULL;
}
