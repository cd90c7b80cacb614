/*
 * What metrics and the status page show: the server's counters, and what the
 * store says of itself, from one snapshot.
 */
#ifndef HOLDFAST_STORE_SERVE_FIGURES_H
#define HOLDFAST_STORE_SERVE_FIGURES_H

#include "store/reader.h"
#include "store/serve/exchange.h"

/* One partition over all its incarnations. */
struct figures_partition {
	const struct store_partition *newest;
	struct store_accounts sum; /* offsets are the newest incarnation's */
	int64_t lag_us;		   /* or LAG_UNKNOWN */
};

struct figures_view {
	const struct view *view;
	const struct reader_view_status *status;
	int64_t lag_us; /* or LAG_UNKNOWN */
};

struct figures {
	int64_t now_us;
	struct counters_total counted;
	enum ingest_state ingest;
	/* All below: only where `reader` is not NULL. */
	struct reader *reader;
	struct reader_status status;
	const struct figures_partition *partitions; /* by topic and number */
	size_t partition_count;
	const struct figures_view *views; /* in the schema's order */
	size_t view_count;
	int64_t as_of_us, lag_us; /* of the view that is furthest behind */
};

/* How ingest is, by counters and store. */
enum ingest_state figures_ingest(struct exchange *exchange);

/* Fill in *out from the exchange's counters and reader, in its arena. After a
 * fault out->reader is NULL, and the rest is good.
 * Errors: as reader_summary(). */
int figures_gather(
	struct exchange *exchange, struct figures *out, struct fault *fault);

#endif
