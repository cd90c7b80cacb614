/*
 * What the simulated log holds, in the simulation's own words: each record as
 * JSON for holdfast, and as what the oracle is to make of it. Shares nothing
 * with schema/ or store/.
 */
#ifndef HOLDFAST_TESTS_SIMULATE_EVENT_H
#define HOLDFAST_TESTS_SIMULATE_EVENT_H

#include "tests/lib/chance.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_FEATURES 3
#define EVENT_UPDATES_MAX 2
#define EVENT_PARTITIONS                                                       \
	3		     /* events:0, events:1, moves:0: as versions order \
			      */
#define EVENT_ENTITIES 6     /* of each view */
#define EVENT_INCARNATIONS 6 /* of a log, at most */

/* Features of both views: a sum, a last, a min. */
enum event_feature { FEATURE_SUM, FEATURE_LAST, FEATURE_MIN };

enum event_view { VIEW_ACCOUNT, VIEW_PAIR, VIEW_NOWHERE, VIEW_COUNT };
#define EVENT_VIEWS 2 /* that the schema has */

enum event_op { OP_UPSERT, OP_REPLACE, OP_DELETE };

struct event {
	enum event_view view;
	enum event_op op;
	int place;
	int64_t entity;
	int64_t time_us;
	bool has[EVENT_FEATURES];
	int64_t value[EVENT_FEATURES]; /* of a string: its number */
	uint64_t id;		       /* idempotency key */
	const char *broken;	       /* dies for this reason; NULL: sound */
};

struct event_record {
	int64_t offset;
	int64_t time_us;
	const char *undecodable; /* the reason; NULL: decodes */
	bool copied;		 /* or a copy */
	size_t count;		 /* events[0..count); 0: skipped */
	struct event events[EVENT_UPDATES_MAX];
	char json[512];
};

struct event_log {
	const char *topic;
	int32_t partition;
	struct event_record *records;
	size_t count, room;
	int64_t start; /* the first offset that it holds */
	int64_t end;   /* behind the last record, and a hole perhaps */
};

struct event_world {
	struct event_log logs[EVENT_PARTITIONS];
	int64_t window_us; /* the key window */
	bool apart;	   /* copies lie in one partition */
	struct chance chance;
	uint64_t next_id;
	/* Records that a log does not hold any more: others still know them. */
	struct event_record **old;
	size_t old_count, old_room;
};

/* So many records, by chance of `seed`. `window_us`, `apart`: as above. */
void event_world_make(struct event_world *world, uint64_t seed, size_t records,
	int64_t window_us, bool apart);
void event_world_finish(struct event_world *world);

/* From records[from] on a log holds `count` others, of which none is a copy of
 * what came before; from offset `offset` on. */
void event_log_rewrite(struct event_world *world, int log, size_t from,
	size_t count, int64_t offset);

/* Some of records[from..to) are gone. */
void event_log_compact(
	struct event_world *world, int log, size_t from, size_t to);

extern const char event_schema[]; /* the schema file */

#endif
