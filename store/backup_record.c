#include "store/backup_record.h"

#include "store/meta.h"

static int put_integer(
	sqlite3 *db, const char *name, int64_t value, struct fault *fault)
{
	struct column column = column_integer(value);
	return meta_put(db, name, &column, fault);
}

static int put_text(
	sqlite3 *db, const char *name, const char *text, struct fault *fault)
{
	struct column column = column_text(slice_of(text));
	return meta_put(db, name, &column, fault);
}

static int get_integer(sqlite3 *db, const char *name, int64_t *out,
	struct arena *arena, struct fault *fault)
{
	struct column value;
	int rc = meta_find(db, name, &value, arena, fault);
	*out = rc == 1 ? column_as_integer(&value) : 0;
	return rc < 0 ? rc : 0;
}

static int get_text(sqlite3 *db, const char *name, const char **out,
	struct arena *arena, struct fault *fault)
{
	struct column value;
	int rc = meta_find(db, name, &value, arena, fault);
	struct slice text = column_as_bytes(&value);
	*out = rc == 1 && text.data != NULL ? text.data : "";
	return rc < 0 ? rc : 0;
}

static int write_failure(
	sqlite3 *db, const struct backup_report *report, struct fault *fault)
{
	int64_t failures = 0;
	struct arena arena = ARENA_INIT;
	int rc = get_integer(db, "backup_failures", &failures, &arena, fault);
	arena_finish(&arena);
	if (rc == 0)
		rc = put_integer(db, "backup_failures", failures + 1, fault);
	if (rc == 0)
		rc = put_integer(db, "backup_failed_us", report->at_us, fault);
	if (rc == 0)
		rc = put_text(db, "backup_failed_why", report->why, fault);
	return rc;
}

int backup_record_write(
	sqlite3 *db, const struct backup_report *report, struct fault *fault)
{
	if (report->code < 0)
		return write_failure(db, report, fault);
	int rc = put_text(db, "backup_name", report->name, fault);
	if (rc == 0)
		rc = put_integer(db, "backup_made_us", report->made_us, fault);
	if (rc == 0)
		rc = put_integer(db, "backup_took_us", report->took_us, fault);
	if (rc == 0)
		rc = put_integer(db, "backup_bytes", report->bytes, fault);
	return rc;
}

int backup_record_read(sqlite3 *db, struct reader_backups *out,
	struct arena *arena, struct fault *fault)
{
	int rc = get_text(db, "backup_name", &out->name, arena, fault);
	if (rc == 0)
		rc = get_integer(
			db, "backup_made_us", &out->made_us, arena, fault);
	if (rc == 0)
		rc = get_integer(
			db, "backup_took_us", &out->took_us, arena, fault);
	if (rc == 0)
		rc = get_integer(db, "backup_bytes", &out->bytes, arena, fault);
	if (rc == 0)
		rc = get_text(db, "backup_failed_why", &out->failed_why, arena,
			fault);
	if (rc == 0)
		rc = get_integer(
			db, "backup_failed_us", &out->failed_us, arena, fault);
	if (rc == 0)
		rc = get_integer(
			db, "backup_failures", &out->failures, arena, fault);
	return rc;
}
