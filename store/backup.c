#include "store/backup.h"

#include "store/backup_inside.h"
#include "store/backup_record.h"
#include "store/failpoint.h"
#include "store/file_codes.h"
#include "store/writer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* At once, before the clock is looked at: some 100 us. */
#define PAGES_AT_ONCE 16
/* How often the room that is left is looked at. */
#define PAGES_A_LOOK 1024
/* Copied pages wait in so much memory to be written, KiB. */
#define CACHE_PRAGMA "PRAGMA cache_size = -1024"
/* Between batches a backup takes a fifth of the time that passes. While ingest
 * is caught up no step is longer than this, which a record waits at most;
 * behind, batches are long and so may steps be. */
#define STEP_PART 4 /* to one */
#define STEP_MAX_US 3000
#define STEP_BEHIND_MAX_US 50000
/* While no batches come it is its turn so often. */
#define IDLE_EVERY_US 20000

static int64_t wall_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static enum backup_phase phase_of(const struct backup *backup)
{
	return backup == NULL ? BACKUP_NONE
			      : (enum backup_phase)atomic_load(&backup->phase);
}

static int64_t free_bytes(const struct backup *backup)
{
	struct statvfs disk;
	if (statvfs(backup->folder, &disk) != 0)
		return INT64_MAX; /* writing will say so */
	return (int64_t)(disk.f_bavail * disk.f_frsize);
}

/* The WAL may grow to its limit meanwhile, and ingest must not wait for it. */
static int check_room(const struct store *store, const struct backup *backup,
	int64_t needed, struct fault *fault)
{
	int64_t reserve = (int64_t)store->options.wal_max_bytes;
	int64_t found = free_bytes(backup);
	if (found - reserve >= needed)
		return 0;
	return fault_set(fault, FAULT_FULL,
		"no room for it: %" PRId64 " MiB are free, it needs %" PRId64
		" MiB more, and store.wal_max_bytes (%" PRId64
		" MiB) stay free for ingest: make room, or remove older "
		"backups",
		found >> 20, (needed >> 20) + 1, reserve >> 20);
}

/* The file is nobody's before it is sealed: nothing of it is synced, and
 * nothing kept to undo. */
static int open_copy(
	struct store *store, struct backup *backup, struct fault *fault)
{
	int rc = sql_open(&backup->db, backup->part, SQL_CREATE, 0, fault);
	if (rc == 0)
		rc = sql_execute(backup->db,
			"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
			"PRAGMA locking_mode = EXCLUSIVE;" CACHE_PRAGMA,
			fault);
	if (rc < 0)
		return rc;
	backup->copy =
		sqlite3_backup_init(backup->db, "main", store->db, "main");
	if (backup->copy == NULL)
		return sql_fault(backup->db, sqlite3_errcode(backup->db), fault,
			backup->part);
	failpoint("backup_begun");
	return 0;
}

/* SQLite's last word on what was copied. */
static int close_copy(struct backup *backup)
{
	int code = sqlite3_backup_finish(backup->copy);
	backup->copy = NULL;
	int closed = sqlite3_close(backup->db);
	backup->db = NULL;
	return code == SQLITE_OK ? closed : code;
}

static void backup_free(struct backup *backup)
{
	(void)close_copy(backup);
	pthread_mutex_destroy(&backup->mutex);
	free(backup);
}

/* As much of it as there is room for, in whole characters (RFC 3629). */
static void keep_text(char *out, size_t size, const char *text)
{
	size_t length = strnlen(text, size - 1);
	while (length > 0 && text[length] != '\0' &&
		((unsigned char)text[length] & 0xC0) == 0x80)
		length--;
	memcpy(out, text, length);
	out[length] = '\0';
}

static int name_it(const struct store *store, struct backup *backup,
	const struct backup_request *request, struct fault *fault)
{
	char *name = backup->report.name;
	struct stat status;
	if (request->name == NULL)
		backup_name_of_time(request->at_us, name);
	else if (!backup_name_is_good(request->name))
		return fault_set(fault, FAULT_USAGE,
			"a backup's name is 1 to %d of A-Z, a-z, 0-9, '.', "
			"'_', '-', and does not begin with '.'",
			BACKUP_NAME_MAX);
	else
		memcpy(name, request->name, strlen(request->name) + 1);
	const char *directory = store->layout.directory;
	(void)snprintf(
		backup->directory, sizeof backup->directory, "%s", directory);
	if (!backups_path(backup->done, directory, name) ||
		!backups_path(backup->folder, directory, NULL) ||
		snprintf(backup->part, sizeof backup->part, "%s.part",
			backup->done) < 0)
		return fault_set(fault, FAULT_USAGE, "store.path: too long");
	if (lstat(backup->done, &status) == 0)
		return fault_set(fault, FAULT_REFUSED,
			"there is a backup %s already: take another name",
			name);
	return 0;
}

static int prepare(struct store *store, struct backup *backup,
	const struct backup_request *request, struct fault *fault)
{
	backup->report.at_us = request->at_us;
	backup->keep = request->keep;
	backup->asked = request->decision != NULL;
	if (backup->asked) {
		keep_text(backup->who, sizeof backup->who,
			request->decision->who);
		keep_text(backup->because, sizeof backup->because,
			request->decision->because);
	}
	backup->began_us = store_monotonic_us();
	atomic_store(&backup->stepped_us, backup->began_us);
	atomic_store(&backup->phase, BACKUP_COPYING);
	return name_it(store, backup, request, fault);
}

/* It comes to nothing, and its room is free again. */
static void fail(struct backup *backup, const struct fault *why)
{
	(void)close_copy(backup);
	(void)unlink(backup->part);
	backup->fault = *why;
	atomic_store(&backup->phase, BACKUP_ENDED);
}

static void begin_copy(struct store *store, struct backup *backup)
{
	struct fault why = {0};
	const struct layout *layout = &store->layout;
	backups_clear_unfinished(layout->directory);
	int rc = check_room(store, backup,
		layout_file_bytes(layout) + layout_wal_bytes(layout), &why);
	if (rc == 0)
		rc = open_copy(store, backup, &why);
	if (rc < 0)
		fail(backup, &why);
}

int store_backup_begin(struct store *store,
	const struct backup_request *request, struct fault *fault)
{
	if (store->backup != NULL)
		return fault_set(fault, FAULT_REFUSED,
			"backup %s is being made: wait for it",
			store->backup->report.name);
	struct backup *backup = calloc(1, sizeof *backup);
	if (backup == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a backup");
	pthread_mutex_init(&backup->mutex, NULL);
	int rc = prepare(store, backup, request, fault);
	if (rc < 0) {
		backup_free(backup);
		return rc;
	}
	begin_copy(store, backup);
	store->backup = backup;
	return 0;
}

/* All is copied: the moment that the backup holds. */
static void finish_copy(struct store *store, struct backup *backup)
{
	struct fault why = {0};
	backup->report.made_us = backup->seal.made_us = wall_us();
	memcpy(backup->seal.generation, store->layout.generation,
		sizeof backup->seal.generation);
	int code = close_copy(backup);
	failpoint("backup_copied");
	int rc = code == SQLITE_OK
			 ? 0
			 : sql_fault(NULL, code, &why, "copying pages");
	atomic_store(&backup->phase, BACKUP_CHECKING);
	if (rc == 0)
		rc = backup_check_start(backup, &why);
	if (rc < 0)
		fail(backup, &why);
}

/* Some pages. SQLITE_OK: there are more. */
static int copy_some(
	struct store *store, struct backup *backup, struct fault *fault)
{
	backup->pages_until_look -= PAGES_AT_ONCE;
	if (backup->pages_until_look <= 0) {
		backup->pages_until_look = PAGES_A_LOOK;
		int rc = check_room(
			store, backup, PAGES_A_LOOK * store->page_bytes, fault);
		if (rc < 0)
			return SQLITE_FULL;
	}
	int code = sqlite3_backup_step(backup->copy, PAGES_AT_ONCE);
	failpoint("backup_step");
	if (code != SQLITE_OK && code != SQLITE_DONE)
		sql_fault(NULL, code, fault, "copying pages");
	return code;
}

void store_backup_copy(struct store *store, int64_t most_us)
{
	struct backup *backup = store->backup;
	struct fault why = {0};
	if (phase_of(backup) != BACKUP_COPYING)
		return;
	int64_t began_us = store_monotonic_us(), now_us;
	int code;
	do {
		code = copy_some(store, backup, &why);
		now_us = store_monotonic_us();
	} while (code == SQLITE_OK && now_us - began_us < most_us);
	if (code == SQLITE_DONE)
		finish_copy(store, backup);
	/* A lock that passes; where it does not, so does no batch. */
	else if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY &&
		 (code & 0xff) != SQLITE_LOCKED)
		fail(backup, &why);
	now_us = store_monotonic_us();
	backup->report.copied_us += now_us - began_us;
	atomic_store(&backup->stepped_us, now_us);
}

void store_backup_between(struct store *store, bool caught_up)
{
	const struct backup *backup = store->backup;
	if (phase_of(backup) != BACKUP_COPYING)
		return;
	int64_t passed_us =
		store_monotonic_us() - atomic_load(&backup->stepped_us);
	int64_t most_us = passed_us / STEP_PART;
	int64_t limit_us = caught_up ? STEP_MAX_US : STEP_BEHIND_MAX_US;
	store_backup_copy(store, most_us < limit_us ? most_us : limit_us);
}

enum backup_phase store_backup_phase(const struct store *store)
{
	return phase_of(store->backup);
}

bool store_backup_wants(const struct store *store)
{
	const struct backup *backup = store->backup;
	switch (phase_of(backup)) {
	case BACKUP_NONE:
	case BACKUP_CHECKING:
		return false;
	case BACKUP_COPYING:
		return store_monotonic_us() - atomic_load(&backup->stepped_us) >
		       IDLE_EVERY_US;
	case BACKUP_ENDED:
		return true;
	}
	return false;
}

void store_backup_progress(
	const struct store *store, struct backup_progress *out)
{
	const struct backup *backup = store->backup;
	*out = (struct backup_progress){.phase = phase_of(backup)};
	if (backup == NULL)
		return;
	memcpy(out->name, backup->report.name, sizeof out->name);
	out->share = out->phase == BACKUP_COPYING ? 0 : 1;
	if (backup->copy == NULL)
		return;
	int all = sqlite3_backup_pagecount(backup->copy);
	int left = sqlite3_backup_remaining(backup->copy);
	if (all > 0)
		out->share = (double)(all - left) / all;
}

bool store_backup_make_room(struct store *store)
{
	struct backup *backup = store->backup;
	struct fault why = {0};
	enum backup_phase phase = phase_of(backup);
	if (phase != BACKUP_COPYING && phase != BACKUP_CHECKING)
		return false;
	fault_set(&why, FAULT_FULL,
		"given up, since the disk is full and ingest needs the room");
	if (phase == BACKUP_COPYING) {
		fail(backup, &why);
		return true;
	}
	backup_check_join(backup, true);
	bool made = backup->fault.code == 0;
	if (!made)
		fail(backup, &why);
	return !made;
}

const struct backup_report *store_backup_last(const struct store *store)
{
	return &store->backup_last;
}

/* The report and, where somebody asked, the decision, in one transaction. */
static int put_on_record(
	struct store *store, const struct backup *backup, struct fault *fault)
{
	const struct backup_report *report = &backup->report;
	const struct decision decision = {report->at_us, backup->who, "backup",
		report->name, backup->because};
	int rc = store_refresh(store, fault);
	if (rc == 0)
		rc = store_begin(store, fault);
	if (rc < 0)
		return rc;
	rc = backup_record_write(store->db, report, fault);
	if (rc == 0)
		rc = store_note(store, backup->asked ? &decision : NULL, "",
			report->code < 0 ? report->why : "made, checked",
			fault);
	if (rc == 0)
		return store_commit(store, fault);
	store_rollback(store);
	return rc;
}

/* The newest that is there. False: it is known, or there is none. */
static bool find_unknown(struct store *store, struct backup_report *out)
{
	struct arena arena = ARENA_INIT;
	struct reader_backups known;
	const struct backup_file *files;
	size_t count;
	*out = (struct backup_report){0};
	int rc = backup_record_read(store->db, &known, &arena, NULL);
	if (rc == 0)
		rc = backups_list(
			store->layout.directory, &arena, &files, &count, NULL);
	bool unknown = rc == 0 && count > 0 && files[0].sealed &&
		       files[0].seal.made_us > known.made_us;
	if (unknown) {
		memcpy(out->name, files[0].name, sizeof out->name);
		out->made_us = files[0].seal.made_us;
		out->bytes = files[0].bytes;
	}
	arena_finish(&arena);
	return unknown;
}

int store_backup_remember(struct store *store, struct fault *fault)
{
	struct backup backup = {0};
	return find_unknown(store, &backup.report)
		       ? put_on_record(store, &backup, fault)
		       : 0;
}

int store_backup_end(
	struct store *store, struct backup_report *out, struct fault *fault)
{
	struct backup *backup = store->backup;
	assert(phase_of(backup) == BACKUP_ENDED);
	backup_check_join(backup, false);
	struct backup_report *report = &backup->report;
	report->took_us = store_monotonic_us() - backup->began_us;
	report->code = backup->fault.code;
	if (report->code < 0) {
		(void)unlink(backup->part);
		keep_text(report->why, sizeof report->why, backup->fault.text);
	} else if (backup->keep > 0) {
		backups_prune(
			store->layout.directory, backup->keep, report->made_us);
	}
	*out = store->backup_last = *report;
	int rc = put_on_record(store, backup, fault);
	backup_free(backup);
	store->backup = NULL;
	return rc;
}

/* One that is whole by now stays, and goes on the record if that is possible.
 */
void store_backup_close(struct store *store)
{
	struct backup *backup = store->backup;
	struct backup_report report;
	if (backup == NULL)
		return;
	backup_check_join(backup, true);
	if (phase_of(backup) == BACKUP_ENDED && backup->fault.code == 0) {
		(void)store_backup_end(store, &report, NULL);
		return;
	}
	(void)close_copy(backup);
	(void)unlink(backup->part);
	backup_free(backup);
	store->backup = NULL;
}
