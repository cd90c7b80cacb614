/*
 * Prometheus' text format, version 0.0.4, appended to a buffer.
 *
 * A family's name, help and type come once, before all its samples.
 * Source: prometheus.io/docs/instrumenting/exposition_formats; contracts.md
 * I.1.
 */
#ifndef HOLDFAST_STORE_SERVE_EXPOSITION_H
#define HOLDFAST_STORE_SERVE_EXPOSITION_H

#include "schema/buffer.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define EXPOSITION_LABELS_MAX 4

struct label {
	const char *name, *value; /* any text: it is escaped */
};

struct labels {
	struct label items[EXPOSITION_LABELS_MAX]; /* up to one without name */
};

struct exposition {
	struct buffer *out;
	const char *family; /* the one being written; without "holdfast_" */
};

enum family_type { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_HISTOGRAM };

/* Begin the family "holdfast_<name>". */
void exposition_family(struct exposition *exposition, const char *name,
	enum family_type type, const char *help);

/* A sample of it; NULL: without labels. */
void exposition_count(struct exposition *exposition,
	const struct labels *labels, int64_t value);
/* Microseconds, as the seconds they are. */
void exposition_seconds(
	struct exposition *exposition, const struct labels *labels, int64_t us);

/* A histogram's samples: buckets[0..count), not cumulative, with the upper
 * bound bound_s(i) each, the last +Inf. */
void exposition_histogram(struct exposition *exposition,
	const struct labels *labels, const uint64_t *buckets, size_t count,
	double (*bound_s)(size_t bucket), uint64_t sum_us);

#endif
