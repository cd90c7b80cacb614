#include "store/backup_inside.h"

#include "store/failpoint.h"
#include "store/file_codes.h"
#include "store/reader_inside.h"
#include "store/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Checking takes a processor for as long as it lasts: the others go first.
 * Linux keeps this per thread (setpriority(2), NOTES). */
#define NICE 10

#define BUSY_MS 5000 /* of the store's own lock, where it is looked at too */

/* Nothing beside it: SQLite takes the journal mode of the copied first page,
 * which is the store's. */
static int leave_wal(const struct backup *backup, struct fault *fault)
{
	sqlite3 *db = NULL;
	int rc = sql_open(&db, backup->part, SQL_WRITE, 0, fault);
	if (rc == 0)
		rc = sql_execute(db, "PRAGMA journal_mode = DELETE", fault);
	sqlite3_close(db);
	return rc;
}

/* From here on every byte is known, and on the disk: what is checked later is
 * read from there. SQLite has the file closed meanwhile. */
static int seal(struct backup *backup, struct fault *fault)
{
	struct stat status = {0};
	int fd = open(backup->part, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return file_fault(
			fault, errno, "can't open backup", backup->part);
	int rc = backup_seal_put(fd, &backup->seal, fault);
	failpoint("backup_sealed");
	if (rc == 0 && fsync(fd) != 0)
		rc = file_fault(
			fault, errno, "can't sync backup", backup->part);
	if (fstat(fd, &status) == 0)
		backup->report.bytes = (int64_t)status.st_size;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	return rc;
}

/* Whoever cancels finds the reader here, and interrupts it. False: cancelled.
 */
static bool show_reader(struct backup *backup, struct reader *reader)
{
	pthread_mutex_lock(&backup->mutex);
	bool goes_on = !backup->cancelled;
	backup->reader = goes_on ? reader : NULL;
	pthread_mutex_unlock(&backup->mutex);
	return goes_on;
}

static int given_up(struct fault *fault)
{
	return fault_set(fault, FAULT_BUSY, "given up, since ingest ended");
}

/* FAULT_CORRUPT: what is wrong is in *report, and its first in *fault. */
static int verify(struct backup *backup, struct reader *reader,
	struct verify_report *report, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	if (!show_reader(backup, reader))
		return given_up(fault);
	int rc = reader_verify(reader, &arena, report, fault);
	if (rc == 0 && report->problem_count > 0)
		rc = fault_set(fault, FAULT_CORRUPT, "%s", report->problems[0]);
	arena_finish(&arena);
	/* One that was interrupted finds anything. */
	return show_reader(backup, NULL) ? rc : given_up(fault);
}

static int64_t wall_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* All of the live file; a finding in *damage. Errors: those of looking. */
static int look_at_store(
	struct backup *backup, struct damage *damage, struct fault *fault)
{
	struct verify_report report;
	struct reader *reader;
	int rc = reader_open(&reader, backup->directory, BUSY_MS, fault);
	if (rc == FAULT_CORRUPT) {
		*damage = (struct damage){.all = true};
		damage_add(damage, fault->text);
		return 0;
	}
	if (rc == 0)
		rc = verify(backup, reader, &report, fault);
	if (rc == FAULT_CORRUPT) {
		*damage = report.damage;
		rc = 0;
	}
	reader_close(reader);
	return rc;
}

/* The copy has its pages from the store as they are: is it wrong there, too? */
static bool is_store_damaged(struct backup *backup)
{
	struct damage *damage = &backup->damage;
	struct layout layout;
	struct fault why;
	bool exists = false;
	if (look_at_store(backup, damage, &why) < 0 || !damage->found ||
		layout_find(&layout, backup->directory, &exists, &why) < 0)
		damage->found = false;
	memcpy(backup->damaged, layout.database, sizeof backup->damaged);
	damage->at_us = wall_us();
	(void)snprintf(damage->by, sizeof damage->by, "backup %s",
		backup->report.name);
	return damage->found;
}

/* Whose damage is it? */
static int judge(struct backup *backup, int rc, struct fault *fault)
{
	if (rc != FAULT_CORRUPT)
		return rc;
	return fault_wrap(fault, rc, "%s",
		is_store_damaged(backup)
			? "what was copied is damaged, and so is the store: "
			  "`holdfast restore` an older backup, or `holdfast "
			  "rebuild`"
			: "what was copied is damaged, the store itself is "
			  "not: look after the disk, and try again");
}

static int check(struct backup *backup, struct fault *fault)
{
	struct backup_seal found;
	struct verify_report report;
	struct reader *reader = NULL;
	int rc = backup_seal_check(backup->part, &found, fault);
	if (rc == 0)
		rc = reader_open_backup(&reader, backup->part, fault);
	if (rc == 0)
		rc = verify(backup, reader, &report, fault);
	reader_close(reader);
	return judge(backup, rc, fault);
}

static int publish(const struct backup *backup, struct fault *fault)
{
	failpoint("backup_checked");
	if (rename(backup->part, backup->done) != 0)
		return file_fault(
			fault, errno, "can't rename to", backup->done);
	failpoint("backup_renamed");
	return layout_sync_directory(backup->folder, fault);
}

static void *run(void *payload)
{
	struct backup *backup = payload;
	struct fault *fault = &backup->fault;
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	int rc = leave_wal(backup, fault);
	failpoint("backup_settled");
	if (rc == 0)
		rc = seal(backup, fault);
	if (rc == 0)
		rc = check(backup, fault);
	if (rc == 0)
		rc = publish(backup, fault);
	fault->code = rc;
	atomic_store(&backup->phase, BACKUP_ENDED);
	/* Last: the owner, who waits for this thread, puts on the record how
	 * the backup ended before it leaves the store for what it finds here.
	 */
	if (backup->damage.found)
		(void)damage_write(backup->damaged, &backup->damage, NULL);
	return NULL;
}

int backup_check_start(struct backup *backup, struct fault *fault)
{
	if (pthread_create(&backup->thread, NULL, run, backup) != 0)
		return fault_set(fault, FAULT_IO, "can't start a thread");
	backup->thread_runs = true;
	return 0;
}

void backup_check_join(struct backup *backup, bool cancel)
{
	if (!backup->thread_runs)
		return;
	pthread_mutex_lock(&backup->mutex);
	backup->cancelled |= cancel;
	if (cancel && backup->reader != NULL)
		sqlite3_interrupt(backup->reader->db);
	pthread_mutex_unlock(&backup->mutex);
	pthread_join(backup->thread, NULL);
	backup->thread_runs = false;
}
