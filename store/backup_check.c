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
#include <unistd.h>

/* Checking takes a processor for as long as it lasts: the others go first.
 * Linux keeps this per thread (setpriority(2), NOTES). */
#define NICE 10

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

static int verify(
	struct backup *backup, struct reader *reader, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct verify_report report = {0};
	int rc = reader_verify(reader, &arena, &report, fault);
	if (rc == 0 && report.problem_count > 0)
		rc = fault_set(fault, FAULT_CORRUPT,
			"what was copied is damaged, and so may the store be: "
			"run `holdfast verify`: %s",
			report.problems[0]);
	arena_finish(&arena);
	/* One that was interrupted finds anything. */
	return show_reader(backup, NULL) ? rc : given_up(fault);
}

static int check(struct backup *backup, struct fault *fault)
{
	struct backup_seal found;
	struct reader *reader = NULL;
	int rc = backup_seal_check(backup->part, &found, fault);
	if (rc == 0)
		rc = reader_open_backup(&reader, backup->part, fault);
	if (rc == 0)
		rc = show_reader(backup, reader) ? verify(backup, reader, fault)
						 : given_up(fault);
	(void)show_reader(backup, NULL);
	reader_close(reader);
	return rc;
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
