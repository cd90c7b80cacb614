/*
 * An answer to a lookup of one entity, for people.
 */
#ifndef HOLDFAST_INGEST_COMMAND_ANSWER_TABLE_H
#define HOLDFAST_INGEST_COMMAND_ANSWER_TABLE_H

#include "schema/fault.h"
#include "store/lookup.h"

#include <stdio.h>

/* How far the pipeline is, then a line a feature: value, status, event time,
 * age at `now_us`. Errors: FAULT_OOM. */
int answer_print(const struct lookup_answer *answer, int64_t now_us, FILE *out,
	struct fault *fault);

/* "txns (max_lag), spend (max_lag)": what the terms refuse, and why. */
void refused_print(const struct lookup_answer *answer, FILE *out);

#endif
