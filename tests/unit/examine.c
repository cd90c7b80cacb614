/* A look at all of the live generation, by somebody who met damage; and what is
 * remembered of one that can't even be opened. */
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BY "a test"

static void take(struct store_rig *rig)
{
	const struct store_rig_event event = {.id = 7, .count = 1};
	(void)store_rig_take(rig, &event);
}

static struct damage note_of(const struct store_rig *rig)
{
	struct damage damage;
	damage_read(directory_entry(&rig->directory, "generations/g1.db").path,
		&damage);
	return damage;
}

static int examine(struct store_rig *rig, int64_t at_us)
{
	struct fault fault = {0};
	int rc = store_examine(rig->directory.path, BY, at_us, &fault);
	if (rc < 0)
		fail_msg("%d: %s", rc, fault.text);
	return rc;
}

static void a_good_store_is_left_alone(void **state)
{
	struct store_rig *rig = *state;
	take(rig);
	assert_int_equal(examine(rig, 5), 0);
	assert_false(note_of(rig).found);
}

static void what_is_found_is_remembered_by_whom_and_when(void **state)
{
	struct store_rig *rig = *state;
	take(rig);
	store_rig_tamper(rig, "UPDATE account SET count = 9");
	assert_int_equal(examine(rig, 1000000), VERIFY_NOTED);
	const struct damage note = note_of(rig);
	assert_true(damage_concerns(&note, "account"));
	assert_string_equal(note.by, BY);
	assert_int_equal(note.at_us, 1000000);
}

/* Zeros in the place of its first page. */
static void break_file(const struct store_rig *rig)
{
	static const char zeros[4096];
	struct directory file =
		directory_entry(&rig->directory, "generations/g1.db");
	struct directory wal =
		directory_entry(&rig->directory, "generations/g1.db-wal");
	int fd = open(file.path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, zeros + 100, sizeof zeros - 100, 100),
		sizeof zeros - 100);
	close(fd);
	(void)unlink(wal.path);
}

static void one_that_can_not_be_opened_concerns_all_lookups(void **state)
{
	struct store_rig *rig = *state;
	take(rig);
	store_rig_close(rig);
	break_file(rig);
	assert_int_equal(examine(rig, 1000000), VERIFY_NOTED);
	const struct damage note = note_of(rig);
	assert_true(note.all);
	assert_string_not_equal(note.text, "");
}

static void where_there_is_no_store_nothing_is_remembered(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0}, why = {0};
	struct directory nowhere = directory_entry(&rig->directory, "nowhere");
	(void)fault_set(&why, FAULT_CORRUPT, "it is damaged");
	assert_int_equal(
		store_examine(nowhere.path, BY, 5, &fault), FAULT_REFUSED);
	assert_int_equal(
		store_remember_unreadable(nowhere.path, &why, BY, 5, &fault),
		0);
	assert_int_not_equal(access(nowhere.path, F_OK), 0);
}

/* It was noted, and is good again: only that very note goes. */
static void a_look_ends_only_what_was_noted_before_it(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct verify_report report;
	struct reader *reader = NULL;
	take(rig);
	store_rig_tamper(rig, "UPDATE account SET count = count + 1");
	assert_int_equal(examine(rig, 1000000), VERIFY_NOTED);
	store_rig_tamper(rig, "UPDATE account SET count = count - 1");
	assert_int_equal(
		reader_open(&reader, rig->directory.path, 0, &fault), 0);
	assert_int_equal(
		reader_verify(reader, &rig->arena, &report, &fault), 0);
	assert_int_equal(report.problem_count, 0);
	assert_true(report.was_noted);
	struct verify_report other = report;
	other.noted_at_us = 2000000; /* another one has come since */
	assert_int_equal(reader_remember(reader, &other, BY, 5, &fault), 0);
	assert_true(note_of(rig).found);
	other = report;
	other.was_noted = false;
	assert_int_equal(reader_remember(reader, &other, BY, 5, &fault), 0);
	assert_true(note_of(rig).found);
	assert_int_equal(reader_remember(reader, &report, BY, 5, &fault),
		VERIFY_CLEARED);
	assert_false(note_of(rig).found);
	/* nor is there anything to end any more */
	assert_int_equal(reader_remember(reader, &report, BY, 5, &fault), 0);
	reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_good_store_is_left_alone),
		WITH_STORE(what_is_found_is_remembered_by_whom_and_when),
		WITH_STORE(one_that_can_not_be_opened_concerns_all_lookups),
		WITH_STORE(where_there_is_no_store_nothing_is_remembered),
		WITH_STORE(a_look_ends_only_what_was_noted_before_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
