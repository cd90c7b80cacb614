/*
 * What lookup_client says and hears: requests of one shape with other keys in
 * them, and replies that are whole or not yet.
 *
 * Both servers are asked for the same ten features of the same entities, and
 * each reply is read through to its last value, in HTTP's and JSON's form as in
 * Redis's, so neither is spared work.
 */
#ifndef HOLDFAST_TESTS_BENCH_LOOKUP_CLIENT_H
#define HOLDFAST_TESTS_BENCH_LOOKUP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEATURES 10
#define KEY_DIGITS 7 /* of user-0001234 */
#define BATCH_MAX 1000

enum server { SERVER_HOLDFAST, SERVER_REDIS };

/* A request's text, and where in it the digits of each key stand. */
struct request_shape {
	char *text;
	size_t length;
	size_t slots[BATCH_MAX]; /* slots[0..batch) */
	size_t batch;
};

/* One entity: GET /v1/views/user_stats/KEY, or HMGET. `batch` of them: POST
 * /v1/lookup, or as many HMGETs in one go. */
struct request_shape request_shape_make(enum server server, size_t batch);
void request_shape_fill(struct request_shape *shape, const uint32_t *users);
void request_shape_free(struct request_shape *shape);

/* How far a reply was read: zero at its start. */
struct reading {
	size_t seen;	 /* bytes of it that were looked at */
	size_t values;	 /* that are there and not null */
	size_t replies;	 /* Redis: of the batch */
	size_t awaiting; /* Redis: values of the reply that is being read */
	size_t whole;	 /* HTTP: length with the head, once known */
	size_t head;	 /* HTTP */
};

enum heard { HEARD_PART, HEARD_ALL, HEARD_WRONG };

/* Go on reading text[0..length), which begins at the reply's first byte and has
 * a NUL behind its last. */
enum heard reply_read(enum server server, struct reading *reading,
	const char *text, size_t length, size_t batch);

#endif
