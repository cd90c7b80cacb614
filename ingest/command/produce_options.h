/*
 * The options of `holdfast produce`, which are many.
 */
#ifndef HOLDFAST_INGEST_COMMAND_PRODUCE_OPTIONS_H
#define HOLDFAST_INGEST_COMMAND_PRODUCE_OPTIONS_H

#include "ingest/command/generate.h"
#include "ingest/command/options.h"

struct produce_options {
	char *topic, *to_file, *tee;
	bool as_is;
	int64_t rate;	  /* records a second; 0: as fast as it goes */
	int64_t generate; /* records; 0: a file is sent */
	char *shape;
	int64_t seed, entities, duplicate_distance, value_bytes, features, sums;
	double zipf, duplicates, disorder, broken, deletes;
	int64_t base_time_us; /* 0: so that the stream ends an hour ago */
};

extern const struct options_spec produce_spec;

/* Do the options fit each other? Errors: FAULT_USAGE. */
int produce_check(const struct produce_options *own,
	const struct options *options, struct fault *fault);

/* What the generator is to make. Errors: FAULT_USAGE. */
int produce_generate(const struct produce_options *own,
	struct generate_options *out, struct fault *fault);

#endif
