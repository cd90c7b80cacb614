/*
 * A switch in which something goes wrong leaves one generation live, and who
 * reads knows which; nor does it take a lock from whoever reads in the owner's
 * own process.
 */
#include "store/failpoint.h"
#include "store/generations.h"
#include "store/holdfast.h"
#include "store/reader.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Somebody writes `generation` from outside when the switch is at `where`. */
static struct {
	const struct store_rig *rig;
	const char *where, *generation;
	sqlite3 *db;
} rival;

static void name_file(const struct store_rig *rig, const char *generation,
	char out[PATH_MAX + 32])
{
	(void)snprintf(out, PATH_MAX + 32, "%s/generations/%s.db",
		rig->directory.path, generation);
}

void failpoint(const char *name)
{
	char path[PATH_MAX + 32];
	if (rival.where == NULL || strcmp(name, rival.where) != 0)
		return;
	name_file(rival.rig, rival.generation, path);
	assert_int_equal(sqlite3_open(path, &rival.db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(rival.db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
		SQLITE_OK);
}

static void rival_comes(
	const struct store_rig *rig, const char *where, const char *generation)
{
	rival.rig = rig;
	rival.where = where;
	rival.generation = generation;
}

static void rival_goes(void)
{
	rival.where = NULL;
	sqlite3_close(rival.db);
	rival.db = NULL;
}

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void take(struct store_rig *rig, int64_t offset)
{
	const struct store_rig_event event = {.offset = offset,
		.record_s = offset,
		.key = 1 + (unsigned)offset,
		.content = (uint64_t)offset,
		.id = 7,
		.count = 10};
	(void)store_rig_take(rig, &event);
}

/* One record, then the same in g2. */
static void prepare(struct store_rig *rig)
{
	struct fault fault = {0};
	const struct store_build build = {.origin = "the log"};
	struct store *live = rig->store;
	take(rig, 0);
	check_ok(store_build(&rig->store, &rig->options, &build, &fault),
		&fault);
	take(rig, 0);
	check_ok(store_complete(rig->store, &fault), &fault);
	store_close(rig->store);
	rig->store = live;
}

static int switch_to(
	struct store_rig *rig, const char *generation, struct fault *fault)
{
	const struct store_switch to = {.generation = generation};
	return store_switch(&rig->store, &to, fault);
}

static void assert_live(const struct store_rig *rig, const char *generation)
{
	char path[PATH_MAX + 16], found[64] = "", target[64];
	(void)snprintf(
		path, sizeof path, "%s/features.db", rig->directory.path);
	(void)snprintf(target, sizeof target, "generations/%s.db", generation);
	assert_true(readlink(path, found, sizeof found - 1) > 0);
	assert_string_equal(found, target);
	assert_string_equal(store_generation(rig->store), generation);
}

/* No link can be made: its name is taken by a directory that is not empty. */
static void block_link(const struct store_rig *rig)
{
	char path[PATH_MAX + 32];
	(void)snprintf(
		path, sizeof path, "%s/features.db.new", rig->directory.path);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void unblock_link(const struct store_rig *rig)
{
	char path[PATH_MAX + 32];
	(void)snprintf(
		path, sizeof path, "%s/features.db.new", rig->directory.path);
	assert_int_equal(rmdir(path), 0);
}

static int64_t state_is(const struct store_rig *rig, const char *state)
{
	char sql[128];
	(void)snprintf(sql, sizeof sql,
		"SELECT count(*) FROM _meta WHERE name = 'state' AND value = "
		"'%s'",
		state);
	return store_rig_ask(rig, sql);
}

static void behind_the_link_nothing_turns_it_back(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	prepare(rig);
	rival_comes(rig, "switch_linked", "g2");
	check_ok(switch_to(rig, "g2", &fault), &fault);
	rival_goes();
	assert_live(rig, "g2");
	take(rig, 1);
	store_rig_close(rig);
	store_rig_open(rig);
	assert_live(rig, "g2");
	assert_int_equal(state_is(rig, "live"), 1);
}

static void without_a_link_the_live_one_goes_on_unsealed(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	prepare(rig);
	block_link(rig);
	assert_int_equal(switch_to(rig, "g2", &fault), FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "features.db.new"));
	assert_live(rig, "g1");
	assert_int_equal(state_is(rig, "live"), 1);
	take(rig, 1);
	unblock_link(rig);
	store_rig_close(rig);
	store_rig_open(rig);
	assert_live(rig, "g1");
	assert_int_equal(store_rig_partition(rig, 0)->accounts.next_offset, 2);
}

static void who_can_not_lift_the_seal_ends(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	prepare(rig);
	block_link(rig);
	rival_comes(rig, "switch_sealed", "g1");
	assert_int_equal(switch_to(rig, "g2", &fault), FAULT_IO);
	assert_non_null(strstr(fault.text, "sealed"));
	rival_goes();
	unblock_link(rig);
	store_rig_close(rig);
	store_rig_open(rig);
	assert_live(rig, "g2");
}

static void what_can_not_be_made_ready_leaves_no_seal(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	prepare(rig);
	/* so it can't be claimed either */
	char path[PATH_MAX + 32];
	name_file(rig, "g2", path);
	rival_comes(rig, "now", "g2");
	failpoint("now");
	assert_int_equal(switch_to(rig, "g2", &fault), FAULT_BUSY);
	rival_goes();
	assert_live(rig, "g1");
	take(rig, 1);
}

/* Does this process hold SQLite's shared lock on the file? Asked by another:
 * POSIX locks are a process's own. Source: os_unix.c, SHARED_FIRST. */
static bool is_locked(const struct store_rig *rig, const char *generation)
{
	char path[PATH_MAX + 32];
	name_file(rig, generation, path);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct flock lock = {.l_type = F_WRLCK,
			.l_whence = SEEK_SET,
			.l_start = 0x40000002,
			.l_len = 510};
		int fd = open(path, O_RDWR);
		_exit(fd < 0 || fcntl(fd, F_GETLK, &lock) != 0
				? 2
				: lock.l_type != F_UNLCK);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 1;
}

static struct reader *read_live(const struct store_rig *rig)
{
	struct reader *reader = NULL;
	struct fault fault = {0};
	check_ok(reader_open(&reader, rig->directory.path, 1000, &fault),
		&fault);
	return reader;
}

static void a_build_takes_no_lock_from_its_own_process(void **state)
{
	struct store_rig *rig = *state;
	assert_true(is_locked(rig, "g1"));
	prepare(rig);
	assert_true(is_locked(rig, "g1"));
}

static void going_back_takes_no_lock_from_who_still_reads_there(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	prepare(rig);
	struct reader *reader = read_live(rig);
	check_ok(switch_to(rig, "g2", &fault), &fault);
	assert_true(is_locked(rig, "g1"));
	check_ok(switch_to(rig, "g1", &fault), &fault);
	assert_true(is_locked(rig, "g1"));
	reader_close(reader);
	assert_true(is_locked(rig, "g1"));
}

static void a_reader_moves_also_when_its_generation_is_sealed_no_longer(
	void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *built = NULL;
	const struct store_build go_on = {.generation = "g1"};
	prepare(rig);
	struct reader *reader = read_live(rig);
	reader_keep(reader, true);
	check_ok(switch_to(rig, "g2", &fault), &fault);
	check_ok(store_build(&built, &rig->options, &go_on, &fault), &fault);
	assert_true(reader_has_moved(reader));
	check_ok(store_complete(built, &fault), &fault);
	assert_true(reader_has_moved(reader));
	store_close(built);
	reader_close(reader);
}

static void assert_answers(struct holdfast_query *query, const char *generation)
{
	const struct holdfast_answer *answer = NULL;
	struct holdfast_error error = {0};
	const int64_t id = 7;
	holdfast_bind_int64(query, 0, &id, 1);
	if (holdfast_lookup(query, &answer, &error) != HOLDFAST_OK)
		fail_msg("%s", error.text);
	assert_string_equal(answer->generation, generation);
}

/* It looks for a replaced store once a second; a switch tells by itself. */
static void the_library_answers_from_the_live_one_at_once(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct holdfast *library = NULL;
	struct holdfast_query *query = NULL;
	const char *const features[] = {"account:count"};
	prepare(rig);
	assert_int_equal(
		holdfast_open(&library, rig->directory.path, 1000, NULL),
		HOLDFAST_OK);
	assert_int_equal(
		holdfast_query_new(&query, library, features, 1, NULL, NULL),
		HOLDFAST_OK);
	assert_answers(query, "g1");
	check_ok(switch_to(rig, "g2", &fault), &fault);
	assert_answers(query, "g2");
	check_ok(switch_to(rig, "g1", &fault), &fault);
	assert_answers(query, "g1");
	holdfast_close(library);
}

/* It looks at no backup: it fails, and goes on. */
static void the_library_goes_on_when_a_damaged_one_was_replaced(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct holdfast *library = NULL;
	struct holdfast_query *query = NULL;
	const struct holdfast_answer *answer = NULL;
	const char *const features[] = {"account:count"};
	const struct store_switch to = {.generation = "g2"};
	prepare(rig);
	assert_int_equal(
		holdfast_open(&library, rig->directory.path, 1000, NULL),
		HOLDFAST_OK);
	assert_int_equal(
		holdfast_query_new(&query, library, features, 1, NULL, NULL),
		HOLDFAST_OK);
	assert_answers(query, "g1");
	store_rig_close(rig);
	store_rig_tamper(rig, "UPDATE account SET _checksum = _checksum + 1");
	store_rig_tamper(rig, "UPDATE _view SET _checksum = _checksum + 1");
	assert_int_equal(
		holdfast_lookup(query, &answer, NULL), HOLDFAST_ERROR_CORRUPT);
	check_ok(store_replace(&rig->options, &to, &fault), &fault);
	/* nobody sealed the other: else within a second */
	assert_int_equal(holdfast_refresh(library, NULL), HOLDFAST_REOPENED);
	assert_answers(query, "g2");
	holdfast_close(library);
}

static void a_missing_file_is_said_to_be_missing(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader *reader = NULL;
	char path[PATH_MAX + 32];
	store_rig_close(rig);
	name_file(rig, "g1", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(
		reader_open(&reader, rig->directory.path, 1000, &fault),
		FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "g1.db is missing"));
	assert_null(reader);
}

static void who_is_opened_again_can_be_told_from_before(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	int64_t before = store_epoch(rig->store);
	check_ok(store_reopen(&rig->store, &fault), &fault);
	assert_true(store_epoch(rig->store) > before);
	assert_live(rig, "g1");
	take(rig, 0);
}

/* What happens just before a builder's lock is taken. */
static struct store_rig *switches_first;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_layout_lock_build(
	const struct layout *layout, int *out, struct fault *fault);
int __wrap_layout_lock_build(
	const struct layout *layout, int *out, struct fault *fault);

int __wrap_layout_lock_build(
	const struct layout *layout, int *out, struct fault *fault)
{
	struct store_rig *rig = switches_first;
	switches_first = NULL;
	if (rig != NULL)
		check_ok(switch_to(rig, "g2", fault), fault);
	return __real_layout_lock_build(layout, out, fault);
}

/* NOLINTEND(bugprone-reserved-identifier) */

static void what_just_became_live_is_not_dropped(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	prepare(rig);
	switches_first = rig;
	assert_int_equal(generation_drop(rig->directory.path, "g2", &fault),
		FAULT_REFUSED);
	assert_live(rig, "g2");
	take(rig, 1);
	check_ok(generation_drop(rig->directory.path, "g1", &fault), &fault);
}

static void what_just_became_live_is_not_built_on(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *built = NULL;
	const struct store_build go_on = {.generation = "g2"};
	prepare(rig);
	switches_first = rig;
	assert_int_equal(store_build(&built, &rig->options, &go_on, &fault),
		FAULT_REFUSED);
	assert_null(built);
	take(rig, 1);
}

static void half_a_drop_leaves_no_generation(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct generation *all = NULL;
	char path[PATH_MAX + 32];
	size_t count = 0;
	prepare(rig);
	name_file(rig, "g2", path);
	memcpy(path + strlen(path), "-journal", sizeof "-journal");
	assert_int_equal(mkdir(path, 0700), 0); /* it can't be removed */
	assert_int_equal(generation_drop(rig->directory.path, "g2", &fault),
		FAULT_REFUSED);
	check_ok(generations_list(rig->directory.path, &rig->arena, &all,
			 &count, &fault),
		&fault);
	assert_int_equal(count, 1);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(behind_the_link_nothing_turns_it_back),
		WITH_STORE(without_a_link_the_live_one_goes_on_unsealed),
		WITH_STORE(who_can_not_lift_the_seal_ends),
		WITH_STORE(what_can_not_be_made_ready_leaves_no_seal),
		WITH_STORE(a_build_takes_no_lock_from_its_own_process),
		WITH_STORE(going_back_takes_no_lock_from_who_still_reads_there),
		WITH_STORE(
			a_reader_moves_also_when_its_generation_is_sealed_no_longer),
		WITH_STORE(the_library_answers_from_the_live_one_at_once),
		WITH_STORE(the_library_goes_on_when_a_damaged_one_was_replaced),
		WITH_STORE(a_missing_file_is_said_to_be_missing),
		WITH_STORE(who_is_opened_again_can_be_told_from_before),
		WITH_STORE(what_just_became_live_is_not_dropped),
		WITH_STORE(what_just_became_live_is_not_built_on),
		WITH_STORE(half_a_drop_leaves_no_generation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
