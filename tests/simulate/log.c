#include "tests/simulate/log_inside.h"

#include <stdlib.h>
#include <string.h>

#define POLL_US_MAX 4000
#define AGAIN_MAX 6	   /* records that are given again, at most */
#define POLLS_MAX 1000000  /* a run has some 10,000 */
#define LAGGARD_PERCENT 3  /* it comes before others nevertheless */
#define LATE_PERCENT 50	   /* of commits that go astray; the rest is lost */
#define ARRIVES_PERCENT 30 /* a late commit, behind a later one */

static struct log_source *log_of(struct source *source)
{
	return (struct log_source *)source;
}

void arrive(struct arrivals *arrivals, const struct arrival *arrival)
{
	if (arrivals->count == arrivals->room) {
		arrivals->room = arrivals->room * 2 + 256;
		arrivals->items = realloc(arrivals->items,
			arrivals->room * sizeof *arrivals->items);
		if (arrivals->items == NULL)
			abort();
	}
	arrivals->items[arrivals->count++] = *arrival;
}

int log_index(const char *topic, int partition)
{
	return strcmp(topic, "events") == 0 ? partition : 2;
}

static const struct event_log *events_of(const struct log_source *log, int i)
{
	return &log->world->logs[i];
}

size_t log_find(const struct event_log *events, int64_t offset)
{
	size_t index = 0;
	while (index < events->count && events->records[index].offset < offset)
		index++;
	return index;
}

void log_reposition(struct log_source *log, int i)
{
	const struct event_log *events = events_of(log, i);
	struct log_partition *one = &log->partitions[i];
	one->next = log_find(events,
		one->highest > events->start ? one->highest : events->start);
}

struct record log_record(
	const struct event_record *record, const struct log *log)
{
	return (struct record){
		.form = RECORD_MESSAGE,
		.log = log,
		.offset = record->offset,
		.next_offset = record->offset + 1,
		.timestamp_us = record->time_us,
		.value = slice_of(record->json),
	};
}

/* It runs, as far as the source knows. */
static bool is_live(const struct log_partition *one)
{
	return one->log != NULL && !one->paused && !one->stopped &&
	       !one->unjudged;
}

/* Of the record that partition `i` is to give next; INT64_MAX: none. */
static int64_t next_time(const struct log_source *log, int i)
{
	const struct event_log *events = events_of(log, i);
	size_t next = log->partitions[i].next;
	return next < events->count ? events->records[next].time_us : INT64_MAX;
}

/* Of those that run. */
static int64_t slowest(const struct log_source *log)
{
	int64_t least = INT64_MAX;
	for (int i = 0; i < EVENT_PARTITIONS; i++)
		if (is_live(&log->partitions[i]) && next_time(log, i) < least)
			least = next_time(log, i);
	return least;
}

/* Promise P7: copies in other partitions come while these are within the window
 * of each other. One that is not at its end is waited for by the window. */
static bool is_too_far(const struct log_source *log, int64_t time_us)
{
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		int64_t its_us = next_time(log, i);
		if (log->partitions[i].at_end && its_us != INT64_MAX &&
			time_us > its_us + log->drift_us)
			return true;
	}
	return false;
}

static bool is_ready(const struct log_source *log, int i)
{
	int64_t time_us = next_time(log, i);
	return is_live(&log->partitions[i]) && time_us != INT64_MAX &&
	       time_us <= log->produced_us &&
	       (log->world->apart || !is_too_far(log, time_us));
}

/* A partition that has a record to give; -1: none. */
static int pick(struct log_source *log)
{
	int ready[EVENT_PARTITIONS];
	size_t count = 0;
	if (log->run_left > 0 && is_ready(log, log->current)) {
		log->run_left--;
		return log->current;
	}
	for (int i = 0; i < EVENT_PARTITIONS; i++)
		if (is_ready(log, i) &&
			(i != log->habits.laggard ||
				chance_percent(&log->chance, LAGGARD_PERCENT)))
			ready[count++] = i;
	if (count == 0)
		return -1;
	log->current = ready[chance_below(&log->chance, count)];
	log->run_left = chance_below(&log->chance, log->habits.run_length);
	return log->current;
}

static int give_record(
	struct log_source *log, int i, struct source_event *event)
{
	struct log_partition *one = &log->partitions[i];
	const struct event_record *record =
		&events_of(log, i)->records[one->next++];
	one->end_told = one->at_end = false;
	event->record = log_record(record, one->log);
	if (record->offset >= one->highest) {
		const struct footprint step = trail_footprint(&event->record);
		trail_note(&one->trail, &step);
		one->highest = record->offset + 1;
	}
	arrive(log->arrivals,
		&(struct arrival){.kind = ARRIVAL_RECORD,
			.log = i,
			.record = record,
			.incarnation = (int)one->log->incarnation});
	return SOURCE_RECORD;
}

/* Behind it there may be markers of transactions, and what they aborted. */
static int64_t end_offset(struct log_source *log, int i)
{
	const struct event_log *events = events_of(log, i);
	size_t next = log->partitions[i].next;
	if (next == events->count)
		return events->end;
	int64_t least = next == 0 ? events->start
				  : events->records[next - 1].offset + 1;
	int64_t most = events->records[next].offset;
	return least >= most ? least
			     : least + (int64_t)chance_below(&log->chance,
					       (uint64_t)(most - least) + 1);
}

static int give_end(struct log_source *log, struct source_event *event)
{
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		struct log_partition *one = &log->partitions[i];
		if (one->end_told || !is_live(one) ||
			next_time(log, i) <= log->produced_us)
			continue;
		one->end_told = one->at_end = true;
		event->log = one->log;
		event->next_offset = end_offset(log, i);
		event->as_of_us = disk_wall_us(log->disk);
		if (event->next_offset < one->highest) /* told before */
			event->next_offset = one->highest;
		one->highest = event->next_offset;
		arrive(log->arrivals,
			&(struct arrival){.kind = ARRIVAL_END,
				.log = i,
				.next_offset = event->next_offset,
				.incarnation = (int)one->log->incarnation});
		return SOURCE_END;
	}
	return SOURCE_IDLE;
}

/* What is held back is waited for by nobody. */
bool log_source_is_done(const struct log_source *log)
{
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		const struct log_partition *one = &log->partitions[i];
		if (one->log != NULL && !one->paused && !one->stopped &&
			(one->unjudged || !one->end_told ||
				next_time(log, i) != INT64_MAX))
			return false;
	}
	return true;
}

int log_source_stopped(const struct log_source *log)
{
	int count = 0;
	for (int i = 0; i < EVENT_PARTITIONS; i++)
		count += log->partitions[i].stopped;
	return count;
}

static int announce(struct log_source *log, struct source_event *event)
{
	int i = log->announced++;
	event->topic = events_of(log, i)->topic;
	event->partition = events_of(log, i)->partition;
	event->cluster_id = "";
	event->more = log->announced < EVENT_PARTITIONS;
	return SOURCE_PARTITION;
}

/* Some of what was given comes again: not behind an end that was told, which
 * may be beyond it, and which a batch forgets where a record follows. */
static void go_back(struct log_source *log)
{
	int i = (int)chance_below(&log->chance, EVENT_PARTITIONS);
	const struct event_log *events = events_of(log, i);
	size_t back = chance_below(&log->chance, AGAIN_MAX) + 1;
	size_t first = log_find(events, events->start);
	struct log_partition *one = &log->partitions[i];
	bool comes_on = !one->at_end && i != log->habits.laggard;
	if (one->next > first && comes_on)
		one->next -=
			back < one->next - first ? back : one->next - first;
}

/* Producers come on, also when nobody can go on without them. */
static void produce(struct log_source *log)
{
	int64_t least = slowest(log);
	if (least > log->produced_us && least != INT64_MAX)
		log->produced_us = least;
	else if (chance_percent(&log->chance, log->habits.produce))
		log->produced_us += 100000;
}

static int idle(struct log_source *log, uint32_t timeout_ms)
{
	disk_pass_us(log->disk, (int64_t)timeout_ms * 1000);
	return SOURCE_IDLE;
}

/* Records, ends, or nothing. */
static int go_on(
	struct log_source *log, struct source_event *event, uint32_t timeout_ms)
{
	if (chance_percent(&log->chance, log->habits.again))
		go_back(log);
	if (chance_percent(&log->chance, log->habits.end)) {
		int outcome = give_end(log, event);
		if (outcome != SOURCE_IDLE)
			return outcome;
	}
	int i = pick(log);
	if (i >= 0)
		return give_record(log, i, event);
	if (log_source_is_done(log))
		return SOURCE_DONE;
	int outcome = give_end(log, event);
	if (outcome != SOURCE_IDLE)
		return outcome;
	produce(log);
	return idle(log, timeout_ms);
}

static int log_poll(struct source *source, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	struct log_source *log = log_of(source);
	*event = (struct source_event){0};
	if (log->polls_left-- <= 0)
		return fault_set(
			fault, FAULT_INTERNAL, "it does not come to its end");
	disk_pass_us(
		log->disk, (int64_t)chance_below(&log->chance, POLL_US_MAX));
	if (log->announced < EVENT_PARTITIONS)
		return announce(log, event);
	log_meddle(log);
	if (chance_percent(&log->chance, log->habits.stall))
		return idle(log, timeout_ms);
	int outcome = log_judge(log, event);
	return outcome != SOURCE_IDLE ? outcome : go_on(log, event, timeout_ms);
}

static int log_start(struct source *source,
	const struct source_position *position, struct fault *fault)
{
	struct log_source *log = log_of(source);
	(void)fault;
	int i = log_index(position->log->topic, position->log->partition);
	struct log_partition *one = &log->partitions[i];
	/* Only the store says where, whatever was committed (one->kafka). */
	int64_t from = position->next_offset;
	/* The key window was full: what was in flight is taken again. */
	if (log->abandons)
		log->arrivals->count = log->arrivals->landed;
	log_check_trail(log, i, position);
	one->log = position->log;
	one->trail = *position->trail;
	one->end_told = false;
	one->unjudged = true;
	one->stopped = false;
	one->highest = from;
	log_reposition(log, i);
	return 0;
}

static struct log_partition *find(
	struct log_source *log, const struct log *wanted)
{
	int i = log_index(wanted->topic, wanted->partition);
	return &log->partitions[i];
}

static int log_pause(struct source *source, const struct log *wanted,
	bool pause, struct fault *fault)
{
	(void)fault;
	find(log_of(source), wanted)->paused = pause;
	return 0;
}

/* Kafka may never hear of it, or hear of it behind a later one. */
static void log_commit(
	struct source *source, const struct log *wanted, int64_t next_offset)
{
	struct log_source *log = log_of(source);
	struct log_partition *one = find(log, wanted);
	struct chance *chance = &log->chance;
	if ((int)wanted->incarnation > one->committed_incarnation) {
		one->committed_incarnation = (int)wanted->incarnation;
		one->committed = 0;
	}
	if (next_offset > one->committed)
		one->committed = next_offset;
	if (chance_percent(chance, log->habits.lose_commit)) {
		if (chance_percent(chance, LATE_PERCENT))
			one->late = next_offset;
		return;
	}
	one->kafka = next_offset;
	if (one->late != 0 && chance_percent(chance, ARRIVES_PERCENT)) {
		one->kafka = one->late;
		one->late = 0;
	}
}

static void log_close(struct source *source)
{
	(void)source;
}

static const struct log_source *log_of_clock(const struct clock *clock)
{
	return (const struct log_source *)(const void
			*)((const char *)clock -
			   offsetof(struct log_source, clock));
}

static int64_t monotonic_us(struct clock *clock)
{
	return disk_now_us(log_of_clock(clock)->disk);
}

static int64_t wall_us(struct clock *clock)
{
	return disk_wall_us(log_of_clock(clock)->disk);
}

struct clock *log_clock(struct log_source *log)
{
	return &log->clock;
}

void log_source_init(struct log_source *log, struct event_world *world,
	struct disk *disk, struct arrivals *arrivals, uint64_t seed)
{
	static const struct source_ops ops = {.poll = log_poll,
		.start = log_start,
		.pause = log_pause,
		.commit = log_commit,
		.close = log_close};
	*log = (struct log_source){.source = {&ops},
		.clock = {.monotonic_us = monotonic_us, .wall_us = wall_us},
		.world = world,
		.disk = disk,
		.chance = {seed},
		.habits = {.run_length = 1, .laggard = -1},
		.polls_left = POLLS_MAX,
		.arrivals = arrivals};
}

void log_source_restart(struct log_source *log)
{
	log->announced = 0;
	log->run_left = 0;
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		struct log_partition *one = &log->partitions[i];
		one->log = NULL;
		one->paused = one->stopped = one->at_end = false;
	}
}
