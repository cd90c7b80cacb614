/*
 * Requests to a real store, without sockets: what is sent, and what comes back
 * as jansson reads it. JSON in tests is written with single quotes for double
 * ones.
 */
#ifndef HOLDFAST_TESTS_EXCHANGE_RIG_H
#define HOLDFAST_TESTS_EXCHANGE_RIG_H

#include "store/serve/exchange.h"
#include "tests/lib/event_store.h"

#include <jansson.h>

/* 2030-01-01T00:00:00Z: up to here everything is taken. Later than any record
 * that a test takes by the wall clock. */
#define EXCHANGE_RIG_AS_OF_US INT64_C(1893456000000000)

struct exchange_rig {
	struct event_store store;
	struct reader *reader;
	struct arena arena;
	struct counters counters;
	struct exchange exchange; /* limits and clock may be changed */
	struct fault fault;
	int rc;	       /* of exchange_run() */
	json_t *reply; /* the body; NULL when it is not JSON */
};

/* A store of that schema, its topic `log` read to its end, and the clock one
 * second behind that. */
void exchange_rig_make(struct exchange_rig *rig, const char *schema);
void exchange_rig_remove(struct exchange_rig *rig);

/* Take an event of topic `log`. */
void exchange_rig_take(struct exchange_rig *rig, const char *event);

/* Send a request; returns the status. */
unsigned exchange_rig_send(struct exchange_rig *rig, enum http_method method,
	const char *target, struct slice body);
unsigned exchange_rig_get(struct exchange_rig *rig, const char *target);
unsigned exchange_rig_post(
	struct exchange_rig *rig, const char *target, const char *body);

/* What the reply has at a JSON pointer; NULL: nothing. */
json_t *exchange_rig_at(const struct exchange_rig *rig, const char *pointer);

/* The reply has exactly this there: order of members does not count, and 1
 * differs from 1.0. */
void exchange_rig_has(
	struct exchange_rig *rig, const char *pointer, const char *json);

/* The code of a lookup's error reply, "" when it is none. */
const char *exchange_rig_error(const struct exchange_rig *rig);

#endif
