/*
 * How much a topic's letters are, beside what they may be.
 */
#ifndef HOLDFAST_INGEST_LETTER_LOAD_H
#define HOLDFAST_INGEST_LETTER_LOAD_H

#include "store/store.h"

/* Of a topic. */
struct letter_limits {
	int64_t parked_max;	  /* updates */
	int64_t parked_max_bytes; /* as store_letter_bytes() counts */
	int64_t dead_max_bytes;
};

struct letter_load {
	int64_t parked;	  /* updates */
	int64_t bytes[2]; /* by letter_kind */
};

/* Of all partitions of `topic`, older incarnations too. */
struct letter_load letter_load_of(const struct store *store, const char *topic);

/* Are dead letters, or parked updates, as many as may be? */
bool letters_are_full(const struct letter_load *load,
	const struct letter_limits *limits, enum letter_kind kind);

/* How many, and what to do: for an operator, in *detail. */
void letters_describe_full(const struct letter_load *load,
	const struct letter_limits *limits, enum letter_kind kind,
	const char *topic, struct fault *detail);

/* Is a tenth of the limit free again? Sooner it would stop and go. */
bool letters_have_room(const struct letter_load *load,
	const struct letter_limits *limits, enum letter_kind kind);

#endif
