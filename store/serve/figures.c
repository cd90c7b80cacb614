#include "store/serve/figures.h"

#include "schema/load.h"

#include <stdlib.h>

/* Clocks of two machines may differ a little: never negative. */
static int64_t lag_of(int64_t as_of_us, int64_t now_us)
{
	if (as_of_us == TIMESTAMP_NONE)
		return LAG_UNKNOWN;
	return as_of_us > now_us ? 0 : now_us - as_of_us;
}

static int by_topic(const void *a, const void *b)
{
	const struct log *one =
		&(*(const struct store_partition *const *)a)->log;
	const struct log *two =
		&(*(const struct store_partition *const *)b)->log;
	int order = strcmp(one->topic, two->topic);
	if (order != 0)
		return order;
	if (one->partition != two->partition)
		return one->partition < two->partition ? -1 : 1;
	return one->incarnation < two->incarnation ? -1 : 1;
}

static bool same_partition(
	const struct store_partition *a, const struct store_partition *b)
{
	return a->log.partition == b->log.partition &&
	       strcmp(a->log.topic, b->log.topic) == 0;
}

static void add(struct store_accounts *sum, const struct store_accounts *more)
{
	sum->first_offset = more->first_offset;
	sum->next_offset = more->next_offset;
	sum->taken += more->taken;
	sum->gaps += more->gaps;
	sum->lost += more->lost;
	sum->skipped += more->skipped;
	sum->updates += more->updates;
	for (int i = 0; i < DISPOSITION_COUNT; i++)
		sum->dispositions[i] += more->dispositions[i];
	sum->late_deletes += more->late_deletes;
	sum->ignored_features += more->ignored_features;
	sum->redelivered += more->redelivered;
}

/* Put the incarnations of each partition together; they come oldest first. */
static size_t merge(const struct store_partition *const *sorted, size_t count,
	struct figures_partition *out)
{
	size_t merged = 0;
	for (size_t i = 0; i < count; i++) {
		if (merged == 0 ||
			!same_partition(out[merged - 1].newest, sorted[i]))
			out[merged++] = (struct figures_partition){0};
		out[merged - 1].newest = sorted[i];
		add(&out[merged - 1].sum, &sorted[i]->accounts);
	}
	return merged;
}

static bool gather_partitions(struct figures *figures, struct arena *arena)
{
	size_t count = figures->status.partition_count;
	const struct store_partition **sorted =
		arena_take(arena, count * sizeof *sorted);
	struct figures_partition *out = arena_take(arena, count * sizeof *out);
	if (sorted == NULL || out == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &figures->status.partitions[i];
	if (count > 0)
		qsort(sorted, count, sizeof *sorted, by_topic);
	figures->partition_count = merge(sorted, count, out);
	for (size_t i = 0; i < figures->partition_count; i++)
		out[i].lag_us = load_is_topic(out[i].newest->log.topic)
					? 0 /* it has all it will have */
					: lag_of(out[i].newest->as_of_us,
						  figures->now_us);
	figures->partitions = out;
	return true;
}

static bool gather_views(struct figures *figures, const struct schema *schema,
	struct arena *arena)
{
	size_t count = figures->status.view_count;
	struct figures_view *views = arena_take(arena, count * sizeof *views);
	if (views == NULL)
		return false;
	figures->as_of_us = count == 0 ? TIMESTAMP_NONE : INT64_MAX;
	for (size_t i = 0; i < count; i++) {
		const struct reader_view_status *status =
			&figures->status.views[i];
		views[i] = (struct figures_view){&schema->views[i], status,
			lag_of(status->as_of_us, figures->now_us)};
		if (status->as_of_us < figures->as_of_us)
			figures->as_of_us = status->as_of_us;
	}
	figures->lag_us = lag_of(figures->as_of_us, figures->now_us);
	figures->views = views;
	figures->view_count = count;
	return true;
}

enum ingest_state figures_ingest(struct exchange *exchange)
{
	bool stopped = false;
	enum ingest_state state =
		counters_ingest(exchange->counters, exchange->now_us);
	if (state == INGEST_DOWN && exchange->reader != NULL &&
		reader_all_stopped(exchange->reader, &stopped, NULL) == 0 &&
		stopped)
		return INGEST_STOPPED;
	return state;
}

int figures_gather(
	struct exchange *exchange, struct figures *out, struct fault *fault)
{
	*out = (struct figures){.now_us = exchange->now_us};
	counters_sum(exchange->counters, &out->counted);
	out->ingest = figures_ingest(exchange);
	if (exchange->reader == NULL)
		return 0;
	int rc = reader_summary(
		exchange->reader, exchange->arena, &out->status, fault);
	if (rc < 0)
		return rc;
	if (!gather_partitions(out, exchange->arena) ||
		!gather_views(
			out, reader_schema(exchange->reader), exchange->arena))
		return fault_set(fault, FAULT_OOM, "no memory for figures");
	out->reader = exchange->reader;
	return 0;
}
