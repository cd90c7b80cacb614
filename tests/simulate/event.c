#include "tests/simulate/event.h"

#include "tests/lib/chance.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define START_US INT64_C(1795422048000000)
#define SECOND_US INT64_C(1000000)
/* Still too far when a copy of it comes after jumps of the clock. */
#define AHEAD_US (48 * 3600 * SECOND_US)
#define HUGE_SUM INT64_C(5000000000000000000) /* two of them overflow */

const char event_schema[] =
	"{\"views\": {"
	"\"account\": {\"entity\": {\"id\": \"int64\"}, \"features\": {"
	" \"count\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	" \"label\": {\"type\": \"string\"},"
	" \"low\": {\"type\": \"int64\", \"merge\": \"min\"}}},"
	"\"pair\": {\"entity\": {\"shop\": \"string\", \"item\": \"int64\"},"
	" \"features\": {"
	" \"seen\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	" \"price\": {\"type\": \"int64\"},"
	" \"best\": {\"type\": \"int64\", \"merge\": \"min\"}}}},"
	"\"sources\": {\"events\": {},"
	"\"moves\": {\"id\": \"/id\", \"event_time\": \"/at\", \"updates\": ["
	" {\"view\": \"account\", \"entity\": {\"id\": \"/from\"},"
	"  \"when\": {\"/type\": [\"move\", \"sale\"]},"
	"  \"features\": {\"count\": \"/amount\", \"label\": \"/note\"}},"
	" {\"view\": \"pair\", \"entity\": {\"shop\": \"/shop\","
	"  \"item\": \"/item\"}, \"when\": {\"/type\": \"sale\"},"
	"  \"features\": {\"seen\": {\"const\": 1}, \"price\": \"/price\"}}]"
	"}}}";

static const char *const feature_names[VIEW_COUNT][EVENT_FEATURES] = {
	[VIEW_ACCOUNT] = {"count", "label", "low"},
	[VIEW_PAIR] = {"seen", "price", "best"},
	[VIEW_NOWHERE] = {"a", "b", "c"},
};

/* What the generator knows while it writes. */
struct writer {
	struct event_world *world;
	struct chance chance;
	int64_t now_us;
};

struct text {
	char *at;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void put(
	struct text *text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text->at, text->left, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= text->left)
		abort();
	text->at += length;
	text->left -= (size_t)length;
}

static void put_time(struct text *text, int64_t time_us)
{
	time_t seconds = (time_t)(time_us / SECOND_US);
	struct tm parts;
	gmtime_r(&seconds, &parts);
	put(text, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"",
		parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
		parts.tm_hour, parts.tm_min, parts.tm_sec,
		(int)(time_us % SECOND_US));
}

static void put_entity(struct text *text, const struct event *event)
{
	if (event->view == VIEW_PAIR)
		put(text, "\"shop\": \"s%d\", \"item\": %d",
			(int)(event->entity % 3), (int)(event->entity / 3));
	else
		put(text, "\"id\": %d", (int)event->entity);
}

static bool is_mistyped(const struct event *event)
{
	return event->broken != NULL &&
	       strcmp(event->broken, "type_mismatch") == 0;
}

static void put_features(struct text *text, const struct event *event)
{
	const char *comma = "";
	put(text, ", \"features\": {");
	for (int i = 0; i < EVENT_FEATURES; i++) {
		if (!event->has[i])
			continue;
		put(text, "%s\"%s\": ", comma, feature_names[event->view][i]);
		bool string = event->view == VIEW_ACCOUNT && i == FEATURE_LAST;
		if (is_mistyped(event) && i == FEATURE_SUM)
			put(text, "\"%" PRId64 "\"", event->value[i]);
		else
			put(text, string ? "\"x%" PRId64 "\"" : "%" PRId64,
				event->value[i]);
		comma = ", ";
	}
	put(text, "}");
}

static void write_envelope(struct event_record *record)
{
	static const char *const views[] = {"account", "pair", "nowhere"};
	static const char *const ops[] = {"upsert", "replace", "delete"};
	const struct event *event = &record->events[0];
	struct text text = {record->json, sizeof record->json};
	put(&text, "{\"id\": \"e%" PRIu64 "\", \"view\": \"%s\", \"entity\": {",
		event->id, views[event->view]);
	put_entity(&text, event);
	put(&text, "}, \"op\": \"%s\", \"event_time\": ", ops[event->op]);
	put_time(&text, event->time_us);
	if (event->op != OP_DELETE)
		put_features(&text, event);
	put(&text, "}");
}

/* events[0] is of `account`, events[1] of `pair`; only the first `count` are
 * taken. */
static void write_move(struct event_record *record)
{
	static const char *const types[] = {"noise", "move", "sale"};
	const struct event *from = &record->events[0];
	const struct event *to = &record->events[1];
	struct text text = {record->json, sizeof record->json};
	put(&text, "{\"id\": \"m%" PRIu64 "\", \"at\": ", from->id);
	put_time(&text, from->time_us);
	put(&text, ", \"type\": \"%s\", \"from\": %d, \"shop\": \"s%d\"",
		types[record->count], (int)from->entity, (int)(to->entity % 3));
	put(&text, ", \"item\": %d, \"price\": %" PRId64, (int)(to->entity / 3),
		to->value[FEATURE_LAST]);
	put(&text,
		is_mistyped(from) ? ", \"amount\": \"%" PRId64 "\""
				  : ", \"amount\": %" PRId64,
		from->value[FEATURE_SUM]);
	if (from->has[FEATURE_LAST])
		put(&text, ", \"note\": \"x%" PRId64 "\"",
			from->value[FEATURE_LAST]);
	put(&text, "}");
}

static void write_json(
	const struct writer *writer, int log, struct event_record *record)
{
	(void)writer;
	if (record->undecodable != NULL) {
		struct text text = {record->json, sizeof record->json};
		put(&text, "{\"id\": ");
	} else if (log == 2) {
		write_move(record);
	} else {
		write_envelope(record);
	}
}

static int64_t some_value(struct writer *writer)
{
	if (chance_percent(&writer->chance, 3))
		return HUGE_SUM;
	return (int64_t)chance_below(&writer->chance, 100) - 50;
}

static struct event some_event(struct writer *writer)
{
	struct chance *chance = &writer->chance;
	struct event event = {.view = (enum event_view)chance_below(chance, 2),
		.id = writer->world->next_id,
		.entity = (int64_t)chance_below(chance, EVENT_ENTITIES)};
	if (chance_percent(chance, 6))
		event.view = VIEW_NOWHERE;
	if (chance_percent(chance, 20))
		event.op = chance_percent(chance, 50) ? OP_DELETE : OP_REPLACE;
	/* In disorder, and often at the same moment as others. */
	event.time_us =
		writer->now_us - (int64_t)chance_below(chance, 8) * SECOND_US;
	event.time_us -= event.time_us % SECOND_US;
	for (int i = 0; event.op != OP_DELETE && i < EVENT_FEATURES; i++) {
		event.has[i] = chance_percent(chance, 60);
		event.value[i] = some_value(writer);
	}
	if (event.op != OP_DELETE && !event.has[0] && !event.has[2])
		event.has[FEATURE_LAST] = true;
	if (event.view != VIEW_NOWHERE && event.has[FEATURE_SUM] &&
		chance_percent(chance, 4))
		event.broken = "type_mismatch";
	if (event.view != VIEW_NOWHERE && chance_percent(chance, 3)) {
		event.broken = "event_time_in_future";
		event.time_us += AHEAD_US;
	}
	return event;
}

static void make_move(struct writer *writer, struct event_record *record)
{
	struct chance *chance = &writer->chance;
	struct event *from = &record->events[0];
	struct event *to = &record->events[1];
	*from = some_event(writer);
	*to = *from;
	from->view = VIEW_ACCOUNT;
	from->op = to->op = OP_UPSERT;
	if (from->broken == NULL && chance_percent(chance, 5))
		from->broken = "type_mismatch";
	from->has[FEATURE_SUM] = true;
	from->has[FEATURE_MIN] = false;
	from->value[FEATURE_SUM] = some_value(writer);
	to->view = VIEW_PAIR;
	to->place = 1;
	to->entity = (int64_t)chance_below(chance, EVENT_ENTITIES);
	to->has[FEATURE_SUM] = to->has[FEATURE_LAST] = true;
	to->has[FEATURE_MIN] = false;
	to->value[FEATURE_SUM] = 1;
	to->value[FEATURE_LAST] = some_value(writer);
	if (is_mistyped(to) || is_mistyped(from))
		to->broken = NULL;
	record->count = chance_below(chance, 3);
}

static struct event_record *add_record(struct writer *writer, int log)
{
	struct event_log *to = &writer->world->logs[log];
	if (to->count == to->room) {
		to->room = to->room * 2 + 64;
		to->records =
			realloc(to->records, to->room * sizeof *to->records);
		if (to->records == NULL)
			abort();
	}
	if (chance_percent(&writer->chance, 8)) /* a hole */
		to->end += 1 + (int64_t)chance_below(&writer->chance, 3);
	struct event_record *record = &to->records[to->count++];
	*record = (struct event_record){
		.offset = to->end++, .time_us = writer->now_us};
	return record;
}

static void make_record(struct writer *writer, int log)
{
	struct event_record *record = add_record(writer, log);
	writer->world->next_id++;
	if (chance_percent(&writer->chance, 4)) {
		record->undecodable = "bad_json";
	} else if (log == 2) {
		make_move(writer, record);
	} else {
		record->events[0] = some_event(writer);
		record->count = 1;
	}
	write_json(writer, log, record);
}

/* Another amount, another note: the same key for another event. */
static void alter(struct writer *writer, struct event_record *record)
{
	struct event *event = &record->events[0];
	event->time_us -= SECOND_US;
	record->events[1].time_us -= SECOND_US;
	if (event->broken != NULL && is_mistyped(event) &&
		chance_percent(&writer->chance, 70))
		event->broken = NULL;
}

/* Copies lie in one partition, or come within a quarter of the window or beyond
 * it: nearer than the source lets partitions drift apart (log.h), so that the
 * key is still held. A record is copied once. */
static bool may_go(const struct writer *writer, int from, int to, int64_t age)
{
	if (from == to)
		return true;
	return !writer->world->apart && from != 2 && to != 2 &&
	       (age <= writer->world->window_us / 4 ||
		       age > writer->world->window_us);
}

#define COPY_REACH 40 /* records back */
#define COPY_PERCENT 15

/* Of one of records[least..) of log `from`, to log `to`. */
static void make_copy(struct writer *writer, int from, int to, size_t least)
{
	struct chance *chance = &writer->chance;
	const struct event_log *log = &writer->world->logs[from];
	if (log->count <= least)
		return;
	size_t back = chance_below(chance, COPY_REACH) + 1;
	size_t index = back < log->count - least ? log->count - back : least;
	struct event_record copied = log->records[index];
	if (copied.undecodable != NULL || copied.copied ||
		!may_go(writer, from, to, writer->now_us - copied.time_us))
		return;
	log->records[index].copied = true;
	struct event_record *record = add_record(writer, to);
	copied.offset = record->offset;
	copied.time_us = record->time_us;
	copied.copied = true;
	*record = copied;
	if (chance_percent(chance, 40))
		alter(writer, record);
	write_json(writer, to, record);
}

static void pass_time(struct writer *writer)
{
	struct chance *chance = &writer->chance;
	writer->now_us += (int64_t)chance_below(chance, 300) * 1000;
	if (chance_percent(chance, 1)) /* the producers' clock jumps */
		writer->now_us += 600 * SECOND_US;
}

static int any_log(struct writer *writer)
{
	return (int)chance_below(&writer->chance, EVENT_PARTITIONS);
}

void event_world_make(struct event_world *world, uint64_t seed, size_t records,
	int64_t window_us, bool apart)
{
	struct writer writer = {
		.world = world, .chance = {seed}, .now_us = START_US};
	static const struct event_log logs[EVENT_PARTITIONS] = {
		{.topic = "events"},
		{.topic = "events", .partition = 1},
		{.topic = "moves"},
	};
	*world = (struct event_world){
		.window_us = window_us, .apart = apart, .chance = {~seed}};
	memcpy(world->logs, logs, sizeof logs);
	for (size_t i = 0; i < records; i++) {
		pass_time(&writer);
		if (chance_percent(&writer.chance, COPY_PERCENT)) {
			int from = any_log(&writer), to = any_log(&writer);
			make_copy(&writer, from, to, 0);
		} else {
			make_record(&writer, any_log(&writer));
		}
	}
	for (int i = 0; i < EVENT_PARTITIONS; i++)
		world->logs[i].end += (int64_t)chance_below(&writer.chance, 3);
}

/* Others go on with what the log held: it works on a copy. */
static void keep_old(struct event_world *world, struct event_log *log)
{
	struct event_record *copy = calloc(log->room + 1, sizeof *log->records);
	if (world->old_count == world->old_room) {
		world->old_room = world->old_room * 2 + 16;
		world->old = realloc(
			world->old, world->old_room * sizeof *world->old);
	}
	if (copy == NULL || world->old == NULL)
		abort();
	if (log->count > 0)
		memcpy(copy, log->records, log->count * sizeof *copy);
	world->old[world->old_count++] = log->records;
	log->records = copy;
}

void event_log_rewrite(struct event_world *world, int log, size_t from,
	size_t count, int64_t offset)
{
	struct event_log *to = &world->logs[log];
	struct writer writer = {
		.world = world, .chance = world->chance, .now_us = START_US};
	if (from < to->count)
		writer.now_us = to->records[from].time_us;
	else if (to->count > 0)
		writer.now_us = to->records[to->count - 1].time_us;
	keep_old(world, to);
	to->count = from;
	to->end = offset;
	for (size_t i = 0; i < count; i++) {
		pass_time(&writer);
		if (chance_percent(&writer.chance, COPY_PERCENT))
			make_copy(&writer, log, log, from);
		else
			make_record(&writer, log);
	}
	world->chance = writer.chance;
}

void event_log_compact(
	struct event_world *world, int log, size_t from, size_t to)
{
	struct event_log *its = &world->logs[log];
	size_t kept = from;
	keep_old(world, its);
	for (size_t i = from; i < its->count; i++)
		if (i >= to || chance_percent(&world->chance, 50))
			its->records[kept++] = its->records[i];
	its->count = kept;
}

void event_world_finish(struct event_world *world)
{
	for (int i = 0; i < EVENT_PARTITIONS; i++)
		free(world->logs[i].records);
	for (size_t i = 0; i < world->old_count; i++)
		free(world->old[i]);
	free(world->old);
}
