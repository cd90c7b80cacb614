#include "tests/simulate/log.h"

#include <stdlib.h>
#include <string.h>

#define POLL_US_MAX 4000
#define AGAIN_MAX 6 /* records that are given again, at most */

static struct log_source *log_of(struct source *source)
{
	return (struct log_source *)source;
}

void log_source_arrive(struct log_source *log, const struct arrival *arrival)
{
	if (log->arrival_count == log->arrival_room) {
		log->arrival_room = log->arrival_room * 2 + 256;
		log->arrivals = realloc(log->arrivals,
			log->arrival_room * sizeof *log->arrivals);
		if (log->arrivals == NULL)
			abort();
	}
	log->arrivals[log->arrival_count++] = *arrival;
}

static const struct event_log *events_of(const struct log_source *log, int i)
{
	return &log->world->logs[i];
}

/* Of the record that partition `i` is to give next; INT64_MAX: none. */
static int64_t next_time(const struct log_source *log, int i)
{
	const struct event_log *events = events_of(log, i);
	size_t next = log->partitions[i].next;
	return next < events->count ? events->records[next].time_us : INT64_MAX;
}

static int64_t slowest(const struct log_source *log)
{
	int64_t least = INT64_MAX;
	for (int i = 0; i < EVENT_PARTITIONS; i++)
		if (next_time(log, i) < least)
			least = next_time(log, i);
	return least;
}

static bool is_ready(const struct log_source *log, int i)
{
	int64_t time_us = next_time(log, i), least = slowest(log);
	const struct log_partition *one = &log->partitions[i];
	return one->log != NULL && !one->paused && time_us != INT64_MAX &&
	       time_us <= log->produced_us && time_us <= least + log->drift_us;
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
		if (is_ready(log, i))
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
	one->end_told = false;
	event->record = (struct record){
		.form = RECORD_MESSAGE,
		.log = one->log,
		.offset = record->offset,
		.next_offset = record->offset + 1,
		.timestamp_us = record->time_us,
		.value = slice_of(record->json),
	};
	log_source_arrive(
		log, &(struct arrival){ARRIVAL_RECORD, i, record, 0, 0});
	return SOURCE_RECORD;
}

static bool is_at_end(const struct log_source *log, int i)
{
	const struct log_partition *one = &log->partitions[i];
	return one->log != NULL && !one->paused &&
	       next_time(log, i) > log->produced_us;
}

static int64_t end_offset(const struct log_source *log, int i)
{
	const struct event_log *events = events_of(log, i);
	size_t next = log->partitions[i].next;
	if (next == events->count)
		return events->end;
	return next == 0 ? 0 : events->records[next - 1].offset + 1;
}

static int give_end(struct log_source *log, struct source_event *event)
{
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		struct log_partition *one = &log->partitions[i];
		if (one->end_told || !is_at_end(log, i))
			continue;
		one->end_told = true;
		event->log = one->log;
		event->next_offset = end_offset(log, i);
		event->as_of_us = disk_now_us(log->disk);
		log_source_arrive(log, &(struct arrival){ARRIVAL_END, i, NULL,
					       event->next_offset, 0});
		return SOURCE_END;
	}
	return SOURCE_IDLE;
}

static bool is_done(const struct log_source *log)
{
	for (int i = 0; i < EVENT_PARTITIONS; i++)
		if (next_time(log, i) != INT64_MAX ||
			!log->partitions[i].end_told)
			return false;
	return true;
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

/* Some of what was given comes again. */
static void go_back(struct log_source *log)
{
	int i = (int)chance_below(&log->chance, EVENT_PARTITIONS);
	size_t back = chance_below(&log->chance, AGAIN_MAX) + 1;
	struct log_partition *one = &log->partitions[i];
	one->next -= back < one->next ? back : one->next;
}

/* Producers come on, also when nobody can go on without them. */
static void produce(struct log_source *log)
{
	if (slowest(log) > log->produced_us)
		log->produced_us = slowest(log);
	else if (chance_percent(&log->chance, log->habits.produce))
		log->produced_us += 100000;
}

static int idle(struct log_source *log, uint32_t timeout_ms)
{
	disk_pass_us(log->disk, (int64_t)timeout_ms * 1000);
	return SOURCE_IDLE;
}

static int log_poll(struct source *source, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	struct log_source *log = log_of(source);
	(void)fault;
	*event = (struct source_event){0};
	disk_pass_us(
		log->disk, (int64_t)chance_below(&log->chance, POLL_US_MAX));
	if (log->announced < EVENT_PARTITIONS)
		return announce(log, event);
	if (chance_percent(&log->chance, log->habits.stall))
		return idle(log, timeout_ms);
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
	if (is_done(log))
		return SOURCE_DONE;
	int outcome = give_end(log, event);
	if (outcome != SOURCE_IDLE)
		return outcome;
	produce(log);
	return idle(log, timeout_ms);
}

/* Only the store says where to go on. */
static int log_start(struct source *source,
	const struct source_position *position, struct fault *fault)
{
	struct log_source *log = log_of(source);
	(void)fault;
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		const struct event_log *events = events_of(log, i);
		struct log_partition *one = &log->partitions[i];
		if (events->partition != position->log->partition ||
			strcmp(events->topic, position->log->topic) != 0)
			continue;
		one->log = position->log;
		one->end_told = false;
		one->next = 0;
		while (one->next < events->count &&
			events->records[one->next].offset <
				position->next_offset)
			one->next++;
	}
	return 0;
}

static struct log_partition *find(
	struct log_source *log, const struct log *wanted)
{
	for (int i = 0; i < EVENT_PARTITIONS; i++)
		if (log->partitions[i].log == wanted)
			return &log->partitions[i];
	return NULL;
}

static int log_pause(struct source *source, const struct log *wanted,
	bool pause, struct fault *fault)
{
	struct log_partition *one = find(log_of(source), wanted);
	(void)fault;
	if (one != NULL)
		one->paused = pause;
	return 0;
}

static void log_commit(
	struct source *source, const struct log *wanted, int64_t next_offset)
{
	struct log_partition *one = find(log_of(source), wanted);
	if (one != NULL && next_offset > one->committed)
		one->committed = next_offset;
}

static void log_close(struct source *source)
{
	(void)source;
}

static int64_t clock_us(struct clock *clock)
{
	const struct log_source *log = (const struct log_source *)(const void
			*)((const char *)clock -
			   offsetof(struct log_source, clock));
	return disk_now_us(log->disk);
}

struct clock *log_clock(struct log_source *log)
{
	return &log->clock;
}

void log_source_init(struct log_source *log, const struct event_world *world,
	struct disk *disk, uint64_t seed)
{
	static const struct source_ops ops = {.poll = log_poll,
		.start = log_start,
		.pause = log_pause,
		.commit = log_commit,
		.close = log_close};
	*log = (struct log_source){.source = {&ops},
		.clock = {clock_us, clock_us},
		.world = world,
		.disk = disk,
		.chance = {seed},
		.habits = {.run_length = 1}};
}

void log_source_restart(struct log_source *log)
{
	log->announced = 0;
	log->run_left = 0;
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		log->partitions[i].log = NULL;
		log->partitions[i].paused = false;
	}
}

void log_source_finish(struct log_source *log)
{
	free(log->arrivals);
}
