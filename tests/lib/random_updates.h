/*
 * Updates by chance: few entities, few keys, few event times, so that all
 * meet; sums near their limits, so that some overflow.
 */
#ifndef HOLDFAST_TESTS_RANDOM_UPDATES_H
#define HOLDFAST_TESTS_RANDOM_UPDATES_H

#include "schema/arena.h"
#include "schema/update.h"
#include "tests/lib/chance.h"

/* A schema with every merge rule, type and shape of key: owned by the caller,
 * who frees it with schema_free(). */
struct schema *random_schema(void);

/* Its topics. */
#define RANDOM_TOPIC_COUNT 2
extern const char *const random_topics[RANDOM_TOPIC_COUNT];

/* Event times lie in so many seconds behind this one. */
#define RANDOM_TIME_US INT64_C(1795422048000000)
#define RANDOM_EVENT_SECONDS 40

struct random_updates {
	const struct schema *schema;
	struct chance *chance;
	struct arena *arena;   /* of the events: they live as long */
	struct update *events; /* every event ever made, to be sent again */
	size_t event_count;
};

void random_updates_finish(struct random_updates *random);

/* What record-level faults give: one update, no key. */
struct update random_dead_record(struct random_updates *random);

/*
 * The next update, of random->schema: a new event, a copy of an older one, or
 * one that uses an older one's key for something else. `place` is the caller's.
 */
struct update random_update(struct random_updates *random, uint32_t place);

/* An upsert that is valid, with a key of its own. */
struct update random_upsert(struct random_updates *random, size_t view);

#endif
