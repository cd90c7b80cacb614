#include "tests/lib/random_updates.h"

#include <assert.h>
#include <stdlib.h>

const char *const random_topics[RANDOM_TOPIC_COUNT] = {"alpha", "beta"};

static const char schema_text[] =
	"{\"views\": {"
	" \"profile\": {\"entity\": {\"name\": \"string\"}, \"features\": {"
	"  \"age\": {\"type\": \"int64\"}, \"city\": {\"type\": \"string\"},"
	"  \"score\": {\"type\": \"float64\"}, \"vip\": {\"type\": \"bool\"},"
	"  \"photo\": {\"type\": \"bytes\"},"
	"  \"taste\": {\"type\": \"float32[2]\"}}},"
	" \"account\": {\"entity\": {\"id\": \"int64\"}, \"features\": {"
	"  \"count\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	"  \"spend\": {\"type\": \"decimal(2)\", \"merge\": \"sum\"},"
	"  \"label\": {\"type\": \"string\"}}},"
	" \"pair\": {\"entity\": {\"shop\": \"string\", \"item\": \"int64\"},"
	"  \"features\": {"
	"  \"low\": {\"type\": \"int64\", \"merge\": \"min\"},"
	"  \"high\": {\"type\": \"decimal(3)\", \"merge\": \"max\"},"
	"  \"seen\": {\"type\": \"timestamp\", \"merge\": \"max\"},"
	"  \"cold\": {\"type\": \"float64\", \"merge\": \"min\"},"
	"  \"note\": {\"type\": \"string\"}}}},"
	"\"sources\": {\"alpha\": {}, \"beta\": {}}}";

struct schema *random_schema(void)
{
	struct schema *schema;
	struct fault fault = {0};
	int rc = schema_parse(&schema, slice_of(schema_text), "test", &fault);
	assert(rc == 0);
	return schema;
}

void random_updates_finish(struct random_updates *random)
{
	free(random->events);
	random->events = NULL;
	random->event_count = 0;
}

static void *take(struct random_updates *random, size_t size)
{
	void *memory = arena_take(random->arena, size);
	assert(memory != NULL);
	return memory;
}

static uint64_t below(struct random_updates *random, uint64_t limit)
{
	return chance_below(random->chance, limit);
}

static bool percent(struct random_updates *random, unsigned share)
{
	return chance_percent(random->chance, share);
}

static struct slice some_text(struct random_updates *random)
{
	static const char *const texts[] = {
		"", "a", "Köln", "x'y\"z", "longer than a pointer is"};
	return slice_of(texts[below(random, sizeof texts / sizeof texts[0])]);
}

static struct slice some_bytes(struct random_updates *random, size_t length)
{
	char *bytes = take(random, length);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)below(random, 4);
	return (struct slice){bytes, length};
}

/* Mostly small; sometimes so large that two of them are too much. */
static int64_t some_sum(struct random_updates *random, const struct type *type)
{
	int64_t number = (int64_t)below(random, 200) - 100;
	if (!percent(random, 15))
		return number;
	int64_t large = type->kind == TYPE_DECIMAL ? INT64_C(999999999999900)
						   : INT64_MAX - 100;
	return percent(random, 50) ? large + number - 100
				   : -large - number + 100;
}

static struct value some_value(
	struct random_updates *random, const struct feature *feature)
{
	struct value value = {.state = VALUE_SET};
	if (feature->merge == MERGE_LAST && percent(random, 10))
		return (struct value){.state = VALUE_NULL};
	switch (feature->type.kind) {
	case TYPE_BOOL:
		value.as.integer = (int64_t)below(random, 2);
		break;
	case TYPE_FLOAT64:
		value.as.real = (double)below(random, 100) / 8 - 5;
		break;
	case TYPE_STRING:
		value.as.bytes = some_text(random);
		break;
	case TYPE_BYTES:
		value.as.bytes = some_bytes(random, below(random, 6));
		break;
	case TYPE_VECTOR:
		value.as.bytes = some_bytes(
			random, sizeof(float) * feature->type.length);
		break;
	case TYPE_TIMESTAMP:
		value.as.integer =
			RANDOM_TIME_US + (int64_t)below(random, 1000000);
		break;
	case TYPE_INT64:
	case TYPE_DECIMAL:
		value.as.integer = some_sum(random, &feature->type);
		break;
	}
	return value;
}

static struct value *some_entity(
	struct random_updates *random, const struct view *view)
{
	static const char *const names[] = {"a", "ab", "", "Köln"};
	static const int64_t numbers[] = {-1, 0, 7, INT64_MAX};
	struct value *entity = take(random, view->key_count * sizeof *entity);
	for (size_t i = 0; i < view->key_count; i++) {
		uint64_t index = below(random, 4);
		entity[i].state = VALUE_SET;
		if (view->keys[i].type.kind == TYPE_INT64)
			entity[i].as.integer = numbers[index];
		else
			entity[i].as.bytes = slice_of(names[index]);
	}
	return entity;
}

/* At least one, where `some` must be. */
static void assign_some(
	struct random_updates *random, struct update *update, bool some)
{
	const struct view *view = update->view;
	size_t least = some ? below(random, view->feature_count) : SIZE_MAX;
	update->assignments =
		take(random, view->feature_count * sizeof *update->assignments);
	for (size_t i = 0; i < view->feature_count; i++)
		if (i == least || percent(random, 40))
			update->assignments[update->assignment_count++] =
				(struct assignment){i,
					some_value(random, &view->features[i])};
}

/* A key that no other event has, and a content to go with it. */
static void identify(struct random_updates *random, struct update *update)
{
	update->has_key = true;
	update->content = chance_next(random->chance);
	for (size_t i = 0; i < KEY_BYTES; i += sizeof(uint64_t)) {
		uint64_t bits = chance_next(random->chance);
		/* Some share their first half, as only chance would do. */
		if (i == 0 && percent(random, 10))
			bits = 42;
		memcpy(update->key + i, &bits, sizeof bits);
	}
}

static struct update some_update(struct random_updates *random, size_t view)
{
	struct update update = {.view = &random->schema->views[view]};
	update.view_name = slice_of(update.view->name);
	update.entity = some_entity(random, update.view);
	update.event_us =
		RANDOM_TIME_US +
		(int64_t)below(random, RANDOM_EVENT_SECONDS) * 1000000;
	return update;
}

struct update random_upsert(struct random_updates *random, size_t view)
{
	struct update update = some_update(random, view);
	assign_some(random, &update, true);
	identify(random, &update);
	return update;
}

/* Something with the update's content is wrong. */
static void spoil(struct random_updates *random, struct update *update)
{
	static const enum reason reasons[] = {REASON_MISSING_ENTITY,
		REASON_EVENT_TIME_IN_FUTURE, REASON_TYPE_MISMATCH,
		REASON_OUT_OF_BOUNDS, REASON_UNKNOWN_FEATURE,
		REASON_UNKNOWN_VIEW};
	update->reason =
		reasons[below(random, sizeof reasons / sizeof reasons[0])];
	update->detail = "spoilt by the test";
	update->assignment_count = 0;
	if (update->reason == REASON_MISSING_ENTITY)
		update->entity = NULL;
	if (update->reason == REASON_UNKNOWN_FEATURE)
		update->parks = percent(random, 50);
	if (update->reason == REASON_UNKNOWN_VIEW) {
		update->parks = true;
		update->view = NULL;
		update->view_name = slice_of("not_yet");
	}
}

static struct update new_event(struct random_updates *random)
{
	struct update update =
		some_update(random, below(random, random->schema->view_count));
	uint64_t kind = below(random, 100);
	if (kind < 70)
		assign_some(random, &update, true);
	else if (kind < 80)
		update.operation = OPERATION_DELETE;
	else if (kind < 90)
		update.operation = OPERATION_REPLACE;
	else
		spoil(random, &update);
	if (update.operation == OPERATION_REPLACE)
		assign_some(random, &update, false);
	if (update.reason == REASON_NONE)
		update.ignored_features = percent(random, 10);
	identify(random, &update);
	return update;
}

static void remember(struct random_updates *random, const struct update *event)
{
	random->events = realloc(random->events,
		(random->event_count + 1) * sizeof *random->events);
	assert(random->events != NULL);
	random->events[random->event_count++] = *event;
}

/* One of the older events, the younger the likelier. */
static const struct update *some_event(struct random_updates *random)
{
	uint64_t reach = percent(random, 50) ? 6 : random->event_count;
	if (reach > random->event_count)
		reach = random->event_count;
	return &random->events[random->event_count - 1 - below(random, reach)];
}

struct update random_update(struct random_updates *random, uint32_t place)
{
	struct update update;
	bool again = random->event_count > 0;
	if (again && percent(random, 30)) {
		update = *some_event(random);
	} else {
		update = new_event(random);
		if (again && percent(random, 30)) {
			const struct update *older = some_event(random);
			memcpy(update.key, older->key, KEY_BYTES);
		}
		remember(random, &update);
	}
	update.place = place;
	return update;
}

struct update random_dead_record(struct random_updates *random)
{
	return (struct update){
		.reason =
			percent(random, 50) ? REASON_BAD_JSON : REASON_TOO_LONG,
		.detail = "spoilt by the test",
	};
}
