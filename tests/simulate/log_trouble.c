/* What happens to logs, beneath whoever reads them; and to the clock. */
#include "tests/simulate/log_inside.h"

#include <assert.h>
#include <inttypes.h>

#define FURTHER_RECORDS 30 /* of a log that was made anew, at most */
#define REWRITE_REACH 20   /* records back from where we are */
#define JUMP_US INT64_C(7200000000)

/* Retention: it holds less from now on, perhaps less than was not taken. */
static void trim(struct log_source *log, int i)
{
	struct event_log *events = &log->world->logs[i];
	size_t to = log->partitions[i].next +
		    chance_below(&log->chance, REWRITE_REACH);
	int64_t start =
		to < events->count ? events->records[to].offset : events->end;
	if (start > events->start)
		events->start = start;
}

/* Deleted, and there again: offsets begin anew. */
static void make_anew(struct log_source *log, int i)
{
	struct event_log *events = &log->world->logs[i];
	size_t count = chance_below(&log->chance, FURTHER_RECORDS);
	event_log_rewrite(log->world, i, 0, count, 0);
	events->start = 0;
}

/* An unclean election: records are gone that had been given, and others stand
 * at their offsets, or none; what was before them goes, too, so that no copy of
 * it comes. */
static void write_over(struct log_source *log, int i)
{
	struct event_log *events = &log->world->logs[i];
	size_t next = log->partitions[i].next;
	size_t back = chance_below(&log->chance, REWRITE_REACH);
	size_t from = back < next ? next - back : 0;
	size_t count = chance_below(&log->chance, FURTHER_RECORDS);
	if (from >= events->count)
		return;
	int64_t offset = events->records[from].offset;
	bool given = offset < log->partitions[i].highest;
	event_log_rewrite(log->world, i, from, count, offset);
	if (given || offset < events->start) /* no log begins behind its end */
		events->start = offset;
}

/* One that lost only what nobody was given goes on. */
static void lose_tail(struct log_source *log, int i)
{
	struct event_log *events = &log->world->logs[i];
	size_t from = log->partitions[i].next +
		      chance_below(&log->chance, REWRITE_REACH);
	size_t count = chance_below(&log->chance, FURTHER_RECORDS);
	if (from < events->count &&
		events->records[from].offset >= log->partitions[i].highest)
		event_log_rewrite(log->world, i, from, count,
			events->records[from].offset);
}

static void compact(struct log_source *log, int i)
{
	struct event_log *events = &log->world->logs[i];
	size_t next = log->partitions[i].next, reach = REWRITE_REACH;
	size_t from = next > reach ? next - reach : 0;
	size_t to = next + reach < events->count ? next + reach : events->count;
	event_log_compact(log->world, i, from, to);
}

static void trouble(struct log_source *log, int i)
{
	static void (*const all[])(struct log_source *, int) = {
		trim, make_anew, write_over, lose_tail, compact};
	struct log_partition *one = &log->partitions[i];
	if (one->log == NULL || one->stopped ||
		one->log->incarnation + 1 >= EVENT_INCARNATIONS)
		return;
	log->troubles_left--;
	all[chance_below(&log->chance, sizeof all / sizeof all[0])](log, i);
	assert(log->world->logs[i].start <= log->world->logs[i].end);
	one->unjudged = true;
	log_reposition(log, i);
}

void log_meddle(struct log_source *log)
{
	struct chance *chance = &log->chance;
	if (chance_below(chance, 1000) < log->habits.jump)
		disk_jump_us(log->disk,
			(int64_t)chance_below(chance, 2 * JUMP_US) - JUMP_US);
	if (log->troubles_left > 0 &&
		chance_below(chance, 1000) < log->habits.trouble)
		trouble(log, (int)chance_below(chance, EVENT_PARTITIONS));
}
