/* What the store holds at a start, and at the end, against the oracle. */
#include "store/generations.h"
#include "store/verify.h"
#include "store/writer.h"
#include "tests/simulate/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void violate(struct world *world, const char *format, ...)
{
	va_list arguments;
	if (world->result->why[0] != '\0')
		return;
	va_start(arguments, format);
	(void)vsnprintf(world->result->why, RUN_WHY_BYTES, format, arguments);
	va_end(arguments);
}

bool is_violated(const struct world *world)
{
	return world->result->why[0] != '\0';
}

static void replay(struct world *world, const struct arrival *arrival)
{
	struct oracle *oracle = &world->oracle;
	switch (arrival->kind) {
	case ARRIVAL_RECORD:
		oracle_take(oracle, arrival->log, arrival->record);
		break;
	case ARRIVAL_END:
		oracle_end(oracle, arrival->log, arrival->next_offset);
		break;
	case ARRIVAL_RETRY:
		oracle_retry(oracle, arrival->log, arrival->incarnation,
			arrival->record, arrival->place);
		break;
	case ARRIVAL_CLEAR:
		oracle_clear(oracle, arrival->log, arrival->incarnation,
			arrival->record->offset, arrival->place);
		break;
	case ARRIVAL_GAP:
		oracle_accept_gap(oracle, arrival->log, arrival->next_offset);
		break;
	case ARRIVAL_NEW_LOG:
		oracle_new_log(oracle, arrival->log, arrival->next_offset);
		break;
	}
}

/* One partition, in all its incarnations. */
static bool stands_at(const struct world *world, int log,
	const struct store_partition *newest, int incarnations)
{
	const struct oracle *oracle = &world->oracle;
	const struct oracle_account *account =
		&oracle->accounts[log][oracle->incarnations[log]];
	int64_t next = newest == NULL ? 0 : newest->accounts.next_offset;
	int64_t again = newest == NULL ? 0 : newest->accounts.redelivered;
	return next == account->next && again == account->redelivered &&
	       (newest == NULL ||
		       incarnations == oracle->incarnations[log] + 1);
}

/* Does the store stand where the oracle does? `decisions` < 0: whatever
 * operators did. */
static bool stands_there(const struct world *world, int64_t decisions)
{
	const struct store_partition *newest[EVENT_PARTITIONS] = {NULL};
	int incarnations[EVENT_PARTITIONS] = {0};
	size_t count = store_partition_count(world->store);
	for (size_t i = 0; i < count; i++) {
		const struct store_partition *one =
			store_partition_at(world->store, i);
		int log = log_index(one->log.topic, one->log.partition);
		incarnations[log]++;
		if (newest[log] == NULL ||
			one->log.incarnation > newest[log]->log.incarnation)
			newest[log] = one;
	}
	bool same = decisions < 0 || decisions == world->oracle.decisions;
	for (int i = 0; same && i < EVENT_PARTITIONS; i++)
		same = stands_at(world, i, newest[i], incarnations[i]);
	return same;
}

/* P3, P6: the store stands behind a beginning of what arrived; the rest is as
 * if it never came. */
static void find_beginning(struct world *world)
{
	struct arrivals *arrivals = &world->arrivals;
	size_t taken = 0;
	int64_t decisions = 0;
	if (sql_integer(world->store->db, "SELECT count(*) FROM _decision",
		    &decisions, &world->fault) < 0)
		violate(world, "%s", world->fault.text);
	oracle_finish(&world->oracle);
	oracle_init(&world->oracle, world->plan->window_us);
	while (!stands_there(world, decisions) && taken < arrivals->count)
		replay(world, &arrivals->items[taken++]);
	if (!stands_there(world, decisions))
		violate(world, "the store stands behind no beginning of what "
			       "arrived");
	if (world->taken_over > 0 && taken > world->taken_over)
		violate(world, "written after another took the store over");
	world->taken_over = 0;
	arrivals->count = arrivals->landed = taken;
}

/* P4, and durability. */
static void check_committed(struct world *world)
{
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		const struct log_partition *one = &world->log.partitions[i];
		const struct oracle_account *accounts =
			world->oracle.accounts[i];
		int newest = world->oracle.incarnations[i];
		if (one->committed_incarnation <= newest &&
			accounts[one->committed_incarnation].next >=
				one->committed)
			continue;
		violate(world,
			"partition %d: %" PRId64 " of incarnation %d was "
			"committed, %" PRId64 " of %d is durable",
			i, one->committed, one->committed_incarnation,
			accounts[newest].next, newest);
	}
}

/* "" where the store holds what the oracle does. */
static void compare(struct world *world, char why[RUN_WHY_BYTES])
{
	sqlite3 *db = NULL;
	if (sqlite3_open_v2(world->store->layout.database, &db,
		    SQLITE_OPEN_READONLY, NULL) == SQLITE_OK)
		oracle_compare(&world->oracle, db, why, RUN_WHY_BYTES);
	else
		(void)snprintf(why, RUN_WHY_BYTES, "can't look: %s",
			sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* After damage that nobody found the store holds what it did behind some
 * beginning; of operators' decisions it may know more or less. */
static void find_any_beginning(struct world *world)
{
	char why[RUN_WHY_BYTES] = "no such beginning";
	oracle_finish(&world->oracle);
	oracle_init(&world->oracle, world->plan->window_us);
	for (size_t i = 0; i <= world->arrivals.count; i++) {
		if (stands_there(world, -1)) {
			compare(world, why);
			/* An error is found, too. */
			if (why[0] == '\0' || strncmp(why, "SELECT", 6) == 0)
				return;
		}
		if (i < world->arrivals.count)
			replay(world, &world->arrivals.items[i]);
	}
	violate(world, "damage that was not found: %.900s", why);
}

/* "" where all is well. */
static void verify(struct world *world, char why[RUN_WHY_BYTES])
{
	struct arena arena = ARENA_INIT;
	struct verify_report report = {0};
	struct reader *reader = NULL;
	why[0] = '\0';
	int rc = reader_open(&reader, world->path, 0, &world->fault);
	if (rc == 0)
		rc = reader_verify(reader, &arena, &report, &world->fault);
	if (rc != 0)
		(void)snprintf(why, RUN_WHY_BYTES, "verify: %.900s",
			world->fault.text);
	else if (report.problem_count > 0)
		(void)snprintf(why, RUN_WHY_BYTES, "verify: %.900s",
			report.problems[0]);
	reader_close(reader);
	arena_finish(&arena);
}

static void check_all(struct world *world)
{
	char why[RUN_WHY_BYTES];
	verify(world, why);
	world->over = world->tainted;
	if (world->tainted) {
		if (why[0] == '\0')
			find_any_beginning(world);
		return;
	}
	find_beginning(world);
	check_committed(world);
	if (why[0] == '\0')
		compare(world, why);
	if (why[0] != '\0')
		violate(world, "%s", why);
}

void world_check(struct world *world)
{
	struct disk_plan plan = *disk_plan(world->disk);
	*disk_plan(world->disk) = (struct disk_plan){.lies = plan.lies};
	check_all(world);
	*disk_plan(world->disk) = plan;
}

/* What it is looked at through. */
static void exchange(
	struct world *world, struct store **store, struct arrivals *arrivals)
{
	struct store *other = world->store;
	struct arrivals others = world->arrivals;
	world->store = *store;
	world->arrivals = *arrivals;
	*store = other;
	*arrivals = others;
}

void world_check_build(
	struct world *world, struct store *build, struct arrivals *arrivals)
{
	char why[RUN_WHY_BYTES] = "";
	struct disk_plan plan = *disk_plan(world->disk);
	size_t taken_over = world->taken_over;
	if (disk_is_dead(world->disk)) /* whoever goes on will notice */
		return;
	*disk_plan(world->disk) = (struct disk_plan){.lies = plan.lies};
	exchange(world, &build, arrivals);
	find_beginning(world);
	if (!is_violated(world))
		compare(world, why);
	if (why[0] != '\0')
		violate(world, "generation %s: %.900s",
			store_generation(world->store), why);
	exchange(world, &build, arrivals);
	world->taken_over = taken_over;
	*disk_plan(world->disk) = plan;
}
