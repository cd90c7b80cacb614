/* What readers know of damage that was found, and remember of it. */
#include "store/reader_inside.h"
#include "store/verify.h"

#include <stdio.h>
#include <time.h>

/* More than DAMAGE_LOOK_US, which is counted by a clock that is some
 * milliseconds late. */
#define ALL_LOOKED_US (DAMAGE_LOOK_US + 50000)

#define EXAMINE_BUSY_MS 5000

/* Late by some milliseconds, and a quarter of the price: each lookup asks. */
static int64_t coarse_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const struct damage *reader_damage(struct reader *reader)
{
	int64_t now_us = coarse_us();
	bool due = reader->damage_looked_us == 0 ||
		   now_us - reader->damage_looked_us >= DAMAGE_LOOK_US;
	if (due && reader->made_us == TIMESTAMP_NONE) {
		damage_read(reader->layout.database, &reader->damage);
		reader->damage_looked_us = now_us;
	}
	return &reader->damage;
}

int reader_check_damage(
	struct reader *reader, const struct view *view, struct fault *fault)
{
	const struct damage *damage = reader_damage(reader);
	return damage_concerns(damage, view->name)
		       ? damage_fault(damage, reader->layout.database, fault)
		       : 0;
}

static int forget(struct reader *reader, const struct verify_report *report,
	struct fault *fault)
{
	struct damage now;
	damage_read(reader->layout.database, &now);
	/* Somebody else may have found more meanwhile. */
	if (!report->was_noted || !now.found ||
		now.at_us != report->noted_at_us)
		return 0;
	int rc = damage_forget(reader->layout.database, fault);
	return rc < 0 ? rc : VERIFY_CLEARED;
}

static int remember(const char *database, const struct damage *damage,
	const char *by, int64_t at_us, struct fault *fault)
{
	static const struct timespec until_all_looked = {
		.tv_nsec = ALL_LOOKED_US * 1000L};
	struct damage found = *damage;
	found.at_us = at_us;
	(void)snprintf(found.by, sizeof found.by, "%s", by);
	int rc = damage_write(database, &found, fault);
	if (rc < 0)
		return rc;
	(void)nanosleep(&until_all_looked, NULL);
	return VERIFY_NOTED;
}

int reader_remember(struct reader *reader, const struct verify_report *report,
	const char *by, int64_t at_us, struct fault *fault)
{
	if (reader->made_us != TIMESTAMP_NONE)
		return 0;
	return report->problem_count == 0
		       ? forget(reader, report, fault)
		       : remember(reader->layout.database, &report->damage, by,
				 at_us, fault);
}

int store_remember_unreadable(const char *path, const struct fault *why,
	const char *by, int64_t at_us, struct fault *fault)
{
	struct layout layout;
	bool exists = false;
	struct damage damage = {.all = true};
	damage_add(&damage, why->text);
	int rc = layout_find(&layout, path, &exists, fault);
	return rc < 0 || !exists
		       ? rc
		       : remember(layout.database, &damage, by, at_us, fault);
}

int store_examine(
	const char *path, const char *by, int64_t at_us, struct fault *fault)
{
	struct reader *reader;
	struct arena arena = ARENA_INIT;
	struct verify_report report;
	int rc = reader_open(&reader, path, EXAMINE_BUSY_MS, fault);
	if (rc == FAULT_CORRUPT) {
		struct fault why = *fault;
		return store_remember_unreadable(path, &why, by, at_us, fault);
	}
	if (rc == 0)
		rc = reader_verify(reader, &arena, &report, fault);
	if (rc == 0 && report.problem_count > 0)
		rc = reader_remember(reader, &report, by, at_us, fault);
	reader_close(reader);
	arena_finish(&arena);
	return rc;
}
