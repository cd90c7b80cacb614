/* The status page: what the engineer on call sees at night. */
#include "schema/rfc3339.h"
#include "store/serve/endpoints.h"
#include "store/serve/errors.h"
#include "store/serve/figures.h"
#include "store/serve/html.h"
#include "store/serve/page_damage.h"
#include "store/serve/page_style.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define REFRESH_S "5"
#define PARTITIONS_MAX 50 /* those furthest behind; more nobody reads */

struct page {
	struct buffer out;
	const struct counters *counters;
	struct figures figures;
	const char *why_unreadable; /* NULL: it is not */
};

enum mood { MOOD_PLAIN, MOOD_GOOD, MOOD_WARN, MOOD_BAD };

static const char *class_of(enum mood mood)
{
	static const char *const classes[] = {
		"", " class=good", " class=warn", " class=bad"};
	return classes[mood];
}

static void head(struct page *page)
{
	struct buffer *out = &page->out;
	buffer_text(out,
		"<!doctype html><html lang=en><head><meta charset=utf-8>"
		"<meta name=viewport content=\"width=device-width\">"
		"<meta http-equiv=refresh content=" REFRESH_S ">"
		"<title>holdfast</title><style>");
	buffer_text(out, page_style);
	buffer_text(out, "</style></head><body><header><h1>holdfast</h1>"
			 "<span>");
	if (page->figures.reader != NULL) {
		buffer_text(out, "generation ");
		html_text(out, reader_generation(page->figures.reader));
		buffer_text(out, " of store ");
		html_text(out, reader_store_id(page->figures.reader));
		buffer_text(out, "</span><span>");
	}
	html_time(out, page->figures.now_us);
	buffer_text(out, "</span></header>");
}

/* Begin the one sentence that matters; the caller closes with </div>. */
static void begin_state(struct page *page, const char *mood, const char *text)
{
	buffer_print(&page->out,
		"<div class=\"state %s\" role=status><b>%s</b>", mood, text);
}

static int64_t unsettled(const struct figures *figures)
{
	int64_t sum = 0;
	for (size_t i = 0; i < figures->status.reason_count; i++)
		sum += figures->status.reasons[i].dead +
		       figures->status.reasons[i].parked;
	return sum;
}

static void state(struct page *page)
{
	struct buffer *out = &page->out;
	const struct figures *figures = &page->figures;
	int64_t seen_us = atomic_load(&page->counters->ingest_seen_us);
	if (figures->reader == NULL) {
		begin_state(page, "bad", "Lookups get 503");
		buffer_text(out, "The store can't be read: ");
		html_text(out, page->why_unreadable);
	} else if (reader_damage(figures->reader)->found) {
		begin_state(page, "bad", "The store is damaged");
		page_damage(out, reader_damage(figures->reader));
	} else if (figures->ingest == INGEST_STOPPED) {
		begin_state(page, "warn", "Every partition is stopped");
		buffer_text(out,
			"None takes records: why, and what to run, stands "
			"below. Lookups are answered, behind by what is shown "
			"there, as each view says.");
	} else if (figures->ingest == INGEST_DOWN) {
		begin_state(page, "warn", "Ingest is down");
		buffer_text(out, "Nothing has been stored ");
		if (seen_us == 0)
			buffer_text(out, "since this server was started");
		else
			buffer_text(out, "since ");
		if (seen_us != 0)
			html_time(out, seen_us);
		buffer_text(out,
			". Lookups are answered, behind by what is shown "
			"below, as each view says. See what the ingest process "
			"says, and <code>holdfast status</code>.");
	} else {
		begin_state(page, "good", "Lookups are answered");
		buffer_text(out, "The view furthest behind is behind by ");
		html_duration(out, figures->lag_us);
		buffer_text(out, ".");
		if (unsettled(figures) > 0)
			buffer_text(out, " Some updates are dead or parked.");
	}
	buffer_text(out, "</div>");
}

static void begin_tile(struct page *page, const char *name, enum mood mood)
{
	buffer_print(
		&page->out, "<div><dt>%s</dt><dd%s>", name, class_of(mood));
}

static void end_tile(struct page *page)
{
	buffer_text(&page->out, "</dd></div>");
}

static void tile_count(struct page *page, const char *name, int64_t count)
{
	begin_tile(page, name, MOOD_PLAIN);
	html_count(&page->out, count);
	end_tile(page);
}

static void tile_bytes(struct page *page, const char *name, int64_t bytes)
{
	begin_tile(page, name, MOOD_PLAIN);
	html_bytes(&page->out, bytes);
	end_tile(page);
}

static int64_t count_rows(const struct figures *figures)
{
	int64_t sum = 0;
	for (size_t i = 0; i < figures->view_count; i++)
		sum += figures->views[i].status->rows;
	return sum;
}

static bool is_behind(const struct figures_view *one)
{
	return one->view->max_lag_us >= 0 &&
	       one->lag_us > one->view->max_lag_us;
}

static enum mood lag_mood(const struct figures *figures)
{
	for (size_t i = 0; i < figures->view_count; i++)
		if (is_behind(&figures->views[i]))
			return MOOD_WARN;
	return MOOD_PLAIN;
}

static void tiles(struct page *page)
{
	static const char *const ingest[] = {
		"up", "watching", "down", "stopped"};
	static const enum mood moods[] = {
		MOOD_GOOD, MOOD_PLAIN, MOOD_WARN, MOOD_WARN};
	const struct figures *figures = &page->figures;
	buffer_text(&page->out, "<dl>");
	begin_tile(page, "ingest", moods[figures->ingest]);
	buffer_text(&page->out, ingest[figures->ingest]);
	end_tile(page);
	if (figures->reader != NULL) {
		begin_tile(page, "lag", lag_mood(figures));
		html_duration(&page->out, figures->lag_us);
		end_tile(page);
		tile_count(page, "entities", count_rows(figures));
		tile_bytes(page, "file", figures->status.file_bytes);
		tile_bytes(page, "write-ahead log", figures->status.wal_bytes);
	}
	tile_count(
		page, "connections", atomic_load(&page->counters->connections));
	begin_tile(page, "serving for", MOOD_PLAIN);
	html_duration(&page->out,
		figures->now_us - atomic_load(&page->counters->started_us));
	end_tile(page);
	buffer_text(&page->out, "</dl>");
}

/* Columns are separated by |; the first and those after < are to the left. */
static void begin_table(struct page *page, const char *name, const char *note,
	const char *columns)
{
	buffer_print(&page->out,
		"<div class=table><table><caption>%s <small>%s</small>"
		"</caption><tr><th>",
		name, note);
	for (; *columns != '\0'; columns++) {
		if (*columns == '|')
			buffer_text(&page->out, "<th>");
		else if (*columns == '<')
			buffer_text(&page->out, "<th class=left>");
		else
			buffer_byte(&page->out, (unsigned char)*columns);
	}
}

static void end_table(struct page *page)
{
	buffer_text(&page->out, "</table></div>");
}

static void cell_count(struct page *page, int64_t count, enum mood mood)
{
	buffer_print(&page->out, "<td%s>", count == 0 ? "" : class_of(mood));
	html_count(&page->out, count);
}

static void cell_duration(struct page *page, int64_t us, enum mood mood)
{
	buffer_print(&page->out, "<td%s>", class_of(mood));
	html_duration(&page->out, us);
}

static void cell_text(struct page *page, const char *text)
{
	buffer_text(&page->out, "<td class=left>");
	html_text(&page->out, text);
}

/* "5.0 s, then fail". */
static void cell_limit(struct page *page, int64_t us, enum choice choice)
{
	buffer_text(&page->out, "<td>");
	html_duration(&page->out, us);
	buffer_print(&page->out, ", then %s", choice_name(choice));
}

static void view_row(struct page *page, const struct figures_view *one)
{
	const struct view *view = one->view;
	buffer_text(&page->out, "<tr><td>");
	html_text(&page->out, view->name);
	cell_duration(
		page, one->lag_us, is_behind(one) ? MOOD_WARN : MOOD_PLAIN);
	if (view->max_lag_us < 0)
		buffer_text(&page->out, "<td>any");
	else
		cell_limit(page, view->max_lag_us, view->when_behind);
	if (view->ttl_us == TTL_FOR_EVER)
		buffer_text(&page->out, "<td>for ever");
	else
		cell_limit(page, view->ttl_us, view->when_expired);
	cell_count(page, (int64_t)view->feature_count, MOOD_PLAIN);
	cell_count(page, one->status->rows, MOOD_PLAIN);
	cell_count(page, one->status->deleted, MOOD_PLAIN);
}

static void views(struct page *page)
{
	begin_table(page, "Views", "",
		"view|lag|max_lag|ttl|features|entities|deleted");
	for (size_t i = 0; i < page->figures.view_count; i++)
		view_row(page, &page->figures.views[i]);
	end_table(page);
}

static void partition_row(
	struct page *page, const struct figures_partition *one)
{
	const struct log *log = &one->newest->log;
	const int64_t *dispositions = one->sum.dispositions;
	buffer_text(&page->out, "<tr><td>");
	html_text(&page->out, log->topic);
	buffer_print(&page->out, ":%" PRId32, log->partition);
	cell_duration(page, one->lag_us, MOOD_PLAIN);
	buffer_text(&page->out, "<td>");
	html_time(&page->out, one->newest->as_of_us);
	cell_count(page, one->sum.next_offset, MOOD_PLAIN);
	cell_count(page, one->sum.taken, MOOD_PLAIN);
	cell_count(page, dispositions[DISPOSITION_APPLIED], MOOD_PLAIN);
	cell_count(page, dispositions[DISPOSITION_SUPERSEDED], MOOD_PLAIN);
	cell_count(page, dispositions[DISPOSITION_DUPLICATE], MOOD_PLAIN);
	cell_count(page, dispositions[DISPOSITION_PARKED], MOOD_WARN);
	cell_count(page, dispositions[DISPOSITION_DEAD], MOOD_BAD);
}

static int furthest_first(const void *a, const void *b)
{
	const struct figures_partition *one = a, *two = b;
	if (one->lag_us != two->lag_us)
		return one->lag_us > two->lag_us ? -1 : 1;
	int order = strcmp(one->newest->log.topic, two->newest->log.topic);
	if (order != 0)
		return order;
	return one->newest->log.partition < two->newest->log.partition ? -1 : 1;
}

static void partitions(struct page *page, struct arena *arena)
{
	size_t count = page->figures.partition_count, shown = count;
	const char *note = "";
	struct figures_partition *sorted =
		arena_take(arena, count * sizeof *sorted);
	page->out.failed = page->out.failed || sorted == NULL;
	if (count == 0 || sorted == NULL)
		return;
	memcpy(sorted, page->figures.partitions, count * sizeof *sorted);
	if (count > PARTITIONS_MAX) {
		shown = PARTITIONS_MAX;
		qsort(sorted, count, sizeof *sorted, furthest_first);
		note = arena_print(arena,
			"the %d furthest behind; %zu more are in /metrics",
			PARTITIONS_MAX, count - shown);
	}
	begin_table(page, "Partitions", note == NULL ? "" : note,
		"partition|lag|as of|next offset|records|applied|superseded|"
		"duplicate|parked|dead");
	for (size_t i = 0; i < shown; i++)
		partition_row(page, &sorted[i]);
	end_table(page);
}

static void reasons(struct page *page)
{
	const struct reader_status *status = &page->figures.status;
	if (status->reason_count == 0)
		return;
	begin_table(page, "Dead letters and parked updates", "",
		"reason<view|dead|parked<what it means");
	for (size_t i = 0; i < status->reason_count; i++) {
		const struct reader_reason_status *one = &status->reasons[i];
		buffer_text(&page->out, "<tr><td><code>");
		html_text(&page->out, reason_name(one->reason));
		buffer_text(&page->out, "</code>");
		cell_text(page,
			one->view[0] == '\0' ? "the whole record" : one->view);
		cell_count(page, one->dead, MOOD_BAD);
		cell_count(page, one->parked, MOOD_WARN);
		cell_text(page, reason_advice(one->reason));
	}
	end_table(page);
}

/* Partitions that take no records, and what is held back. */
static void operations(struct page *page)
{
	const struct reader_status *status = &page->figures.status;
	if (status->stop_count + status->hold_count == 0)
		return;
	begin_table(page, "Stopped and held", "", "what<why<since<in words");
	for (size_t i = 0; i < status->stop_count; i++) {
		const struct reader_stop *one = &status->stops[i];
		buffer_text(&page->out, "<tr><td>");
		html_text(&page->out, one->log->topic);
		buffer_print(&page->out, ":%d", (int)one->log->partition);
		cell_text(page, one->reason);
		buffer_text(&page->out, "<td class=left>");
		html_time(&page->out, one->since_us);
		cell_text(page, one->detail);
	}
	for (size_t i = 0; i < status->hold_count; i++) {
		const struct reader_hold *one = &status->holds[i];
		buffer_text(&page->out, "<tr><td>");
		html_text(&page->out, one->target);
		buffer_print(&page->out, "<td class=left>held: %s",
			one->choice[0] == 'd' ? "default" : "fail");
		buffer_text(&page->out, "<td class=left>");
		html_time(&page->out, one->since_us);
		cell_text(page, one->because);
	}
	end_table(page);
}

static uint64_t count_replies(
	const struct counters_total *counted, size_t endpoint)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		sum += counted->latency[endpoint][i];
	return sum;
}

/* The upper bound of the bucket in which the share's request is. */
static void cell_quantile(struct page *page, const uint64_t *buckets,
	uint64_t count, double share)
{
	uint64_t rank = (uint64_t)((double)count * share), seen = 0;
	size_t bucket = 0;
	while (bucket < LATENCY_BUCKETS - 1 &&
		(seen += buckets[bucket]) <= rank)
		bucket++;
	double bound_s = latency_bound_s(bucket);
	buffer_text(&page->out, isfinite(bound_s) ? "<td>&lt; " : "<td>&gt; ");
	html_duration(&page->out,
		(int64_t)(1e6 *
			  (isfinite(bound_s) ? bound_s
					     : latency_bound_s(bucket - 1))));
}

static void endpoint_row(struct page *page, enum endpoint endpoint)
{
	const struct counters_total *counted = &page->figures.counted;
	uint64_t count = count_replies(counted, endpoint);
	if (count == 0)
		return;
	buffer_text(&page->out, "<tr><td><code>");
	html_text(&page->out, endpoint == ENDPOINT_NONE
				      ? "other paths"
				      : endpoint_name(endpoint));
	buffer_text(&page->out, "</code>");
	cell_count(page, (int64_t)count, MOOD_PLAIN);
	cell_count(page, (int64_t)counted->replies[endpoint][4], MOOD_WARN);
	cell_count(page, (int64_t)counted->replies[endpoint][5], MOOD_BAD);
	cell_count(page, (int64_t)counted->entities[endpoint], MOOD_PLAIN);
	cell_duration(page,
		(int64_t)(counted->latency_sum_us[endpoint] / count),
		MOOD_PLAIN);
	cell_quantile(page, counted->latency[endpoint], count, 0.5);
	cell_quantile(page, counted->latency[endpoint], count, 0.99);
}

static void requests(struct page *page)
{
	begin_table(page, "Requests", "since this server was started",
		"endpoint|requests|4xx|5xx|entities|mean|p50|p99");
	for (int i = 0; i < ENDPOINT_COUNT; i++)
		endpoint_row(page, (enum endpoint)i);
	end_table(page);
}

static void values(struct page *page)
{
	const struct counters_total *counted = &page->figures.counted;
	begin_table(page, "Values", "of all lookups, by their status",
		"fresh|behind|expired|default|missing|refused");
	buffer_text(&page->out, "<tr>");
	for (int i = 0; i < VALUE_STATUS_COUNT; i++)
		cell_count(page, (int64_t)counted->values[i],
			i == VALUE_REFUSED ? MOOD_WARN : MOOD_PLAIN);
	end_table(page);
}

static void limits(struct page *page)
{
	const struct counters *counters = page->counters;
	begin_table(page, "Limits", "since this server was started",
		"turned away (503)|cut off, too slow|closed when idle|broken "
		"off|wait for at_least now");
	buffer_text(&page->out, "<tr>");
	cell_count(
		page, (int64_t)atomic_load(&counters->turned_away), MOOD_WARN);
	cell_count(page, (int64_t)atomic_load(&counters->cut_off), MOOD_WARN);
	cell_count(
		page, (int64_t)atomic_load(&counters->idle_closed), MOOD_PLAIN);
	cell_count(
		page, (int64_t)atomic_load(&counters->broken_off), MOOD_PLAIN);
	cell_count(page, atomic_load(&counters->waiting), MOOD_PLAIN);
	end_table(page);
}

static void body(struct page *page, struct arena *arena)
{
	head(page);
	state(page);
	tiles(page);
	if (page->figures.reader != NULL) {
		operations(page);
		views(page);
		partitions(page, arena);
	}
	requests(page);
	if (page->figures.reader != NULL)
		reasons(page);
	values(page);
	limits(page);
	buffer_text(&page->out,
		"<footer>holdfast " HOLDFAST_VERSION
		" · refreshes itself every " REFRESH_S
		" s · the same for machines: <a href=metrics>metrics</a>, <a "
		"href=\"readyz?verbose\">readyz</a></footer></body></html>\n");
}

int page_write(struct exchange *exchange, struct fault *fault)
{
	struct fault local = {0};
	struct page page = {.out = BUFFER_INIT(exchange->arena),
		.counters = exchange->counters};
	int rc = figures_gather(exchange, &page.figures, &local);
	page.why_unreadable = rc < 0 ? local.text : exchange->why_unreadable;
	if (page.why_unreadable == NULL)
		page.why_unreadable = "it is not open";
	body(&page, exchange->arena);
	if (page.out.failed) {
		error_reply(exchange, ERROR_OUT_OF_MEMORY, "no memory");
		return fault_set(fault, FAULT_OOM, "no memory for the page");
	}
	exchange->reply = (struct reply){.status = 200,
		.content_type = "text/html; charset=utf-8",
		.body = buffer_content(&page.out)};
	return rc < 0 ? fault_set(fault, rc, "%s", local.text) : rc;
}
