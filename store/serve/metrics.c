/* /metrics: what the server counted, and what the store says of itself. */
#include "store/serve/endpoints.h"
#include "store/serve/errors.h"
#include "store/serve/exposition.h"
#include "store/serve/figures.h"

#include <inttypes.h>
#include <stdio.h>

struct metrics {
	struct exposition exposition;
	const struct counters *counters;
	const struct figures *figures;
};

static struct labels one_label(const char *name, const char *value)
{
	return (struct labels){{{name, value}}};
}

static void single(struct metrics *metrics, const char *name,
	enum family_type type, const char *help, int64_t value)
{
	exposition_family(&metrics->exposition, name, type, help);
	exposition_count(&metrics->exposition, NULL, value);
}

static void write_requests(struct metrics *metrics)
{
	/* Others are not sent. */
	static const struct {
		const char *name;
		size_t class;
	} sent[] = {{"2xx", 2}, {"4xx", 4}, {"5xx", 5}};
	const struct counters_total *counted = &metrics->figures->counted;
	exposition_family(&metrics->exposition, "http_requests_total",
		FAMILY_COUNTER, "Replies by endpoint and hundreds of status.");
	for (size_t i = 0; i < ENDPOINT_COUNT; i++)
		for (size_t j = 0; j < sizeof sent / sizeof sent[0]; j++) {
			const struct labels labels = {
				{{"endpoint", endpoint_name((enum endpoint)i)},
					{"code", sent[j].name}}};
			exposition_count(&metrics->exposition, &labels,
				(int64_t)counted->replies[i][sent[j].class]);
		}
}

static void write_durations(struct metrics *metrics)
{
	const struct counters_total *counted = &metrics->figures->counted;
	exposition_family(&metrics->exposition, "http_request_duration_seconds",
		FAMILY_HISTOGRAM,
		"From the request line to the reply's last byte.");
	for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
		const struct labels labels =
			one_label("endpoint", endpoint_name((enum endpoint)i));
		exposition_histogram(&metrics->exposition, &labels,
			counted->latency[i], LATENCY_BUCKETS, latency_bound_s,
			counted->latency_sum_us[i]);
	}
}

static void write_lookups(struct metrics *metrics)
{
	static const enum endpoint lookups[] = {
		ENDPOINT_VIEW, ENDPOINT_LOOKUP, ENDPOINT_FEAST};
	const struct counters_total *counted = &metrics->figures->counted;
	exposition_family(&metrics->exposition, "lookup_entities_total",
		FAMILY_COUNTER, "Entities looked up, by endpoint.");
	for (size_t i = 0; i < sizeof lookups / sizeof lookups[0]; i++) {
		const struct labels labels =
			one_label("endpoint", endpoint_name(lookups[i]));
		exposition_count(&metrics->exposition, &labels,
			(int64_t)counted->entities[lookups[i]]);
	}
	exposition_family(&metrics->exposition, "lookup_values_total",
		FAMILY_COUNTER, "Values of lookups, by their status.");
	for (int i = 0; i < VALUE_STATUS_COUNT; i++) {
		const struct labels labels = one_label(
			"status", value_status_name((enum value_status)i));
		exposition_count(&metrics->exposition, &labels,
			(int64_t)counted->values[i]);
	}
}

static void write_connections(struct metrics *metrics)
{
	const struct counters *counters = metrics->counters;
	single(metrics, "connections", FAMILY_GAUGE, "Connections open now.",
		atomic_load(&counters->connections));
	single(metrics, "connections_accepted_total", FAMILY_COUNTER,
		"Connections accepted.",
		(int64_t)atomic_load(&counters->accepted));
	single(metrics, "connections_idle_closed_total", FAMILY_COUNTER,
		"Connections closed that were idle for too long, or for "
		"longest when others wanted in.",
		(int64_t)atomic_load(&counters->idle_closed));
	single(metrics, "connections_cut_off_total", FAMILY_COUNTER,
		"Connections cut off since a request took too long to come, or "
		"its reply to be read.",
		(int64_t)atomic_load(&counters->cut_off));
	single(metrics, "turned_away_total", FAMILY_COUNTER,
		"Connections and requests turned away with 503 at a limit.",
		(int64_t)atomic_load(&counters->turned_away));
	single(metrics, "requests_broken_off_total", FAMILY_COUNTER,
		"Requests that broke off or were no HTTP.",
		(int64_t)atomic_load(&counters->broken_off));
	single(metrics, "requests_waiting", FAMILY_GAUGE,
		"Requests that wait now for at_least to be taken.",
		atomic_load(&counters->waiting));
}

static void write_server(struct metrics *metrics)
{
	struct exposition *exposition = &metrics->exposition;
	const struct labels version = one_label("version", HOLDFAST_VERSION);
	exposition_family(exposition, "build_info", FAMILY_GAUGE,
		"The program, by its version.");
	exposition_count(exposition, &version, 1);
	exposition_family(exposition, "start_timestamp_seconds", FAMILY_GAUGE,
		"When this server was started.");
	exposition_seconds(
		exposition, NULL, atomic_load(&metrics->counters->started_us));
	write_requests(metrics);
	write_durations(metrics);
	write_lookups(metrics);
	write_connections(metrics);
}

static void write_state(struct metrics *metrics)
{
	int64_t seen_us = atomic_load(&metrics->counters->ingest_seen_us);
	single(metrics, "store_readable", FAMILY_GAUGE,
		"1 while lookups can be answered.",
		metrics->figures->reader != NULL);
	single(metrics, "store_from_backup", FAMILY_GAUGE,
		"1 while the live store can't be read and a backup answers.",
		metrics->figures->reader != NULL &&
			reader_backup_made_us(metrics->figures->reader) !=
				TIMESTAMP_NONE);
	single(metrics, "store_damaged", FAMILY_GAUGE,
		"1 while damage of the live store is remembered (holdfast "
		"verify): ingest takes nothing, and lookups that it concerns "
		"are answered from a backup or not at all.",
		metrics->figures->reader != NULL &&
			reader_damage(metrics->figures->reader)->found);
	single(metrics, "requests_met_damage_total", FAMILY_COUNTER,
		"Requests that met damage in the live store.",
		(int64_t)atomic_load(&metrics->counters->damaged));
	single(metrics, "ingest_up", FAMILY_GAUGE,
		"0 while nothing was stored for 3 s: ingest stores something "
		"at least once a second while it lives, unless every partition "
		"is stopped (partition_stopped).",
		metrics->figures->ingest != INGEST_DOWN);
	if (seen_us == 0)
		return;
	exposition_family(&metrics->exposition, "ingest_seen_timestamp_seconds",
		FAMILY_GAUGE, "When the store was last seen to have changed.");
	exposition_seconds(&metrics->exposition, NULL, seen_us);
}

static void write_store(struct metrics *metrics)
{
	const struct figures *figures = metrics->figures;
	const struct labels identity = {
		{{"store_id", reader_store_id(figures->reader)},
			{"generation", reader_generation(figures->reader)}}};
	exposition_family(&metrics->exposition, "store_info", FAMILY_GAUGE,
		"The store, and the generation that is served.");
	exposition_count(&metrics->exposition, &identity, 1);
	single(metrics, "store_file_bytes", FAMILY_GAUGE,
		"Size of the store's file.", figures->status.file_bytes);
	single(metrics, "store_wal_bytes", FAMILY_GAUGE,
		"Size of its write-ahead log.", figures->status.wal_bytes);
	single(metrics, "store_ballast_bytes", FAMILY_GAUGE,
		"Room that is given up first when the disk is full; 0: there "
		"is none, or it was given up.",
		figures->status.ballast_bytes);
	single(metrics, "store_owner_epoch", FAMILY_GAUGE,
		"How often a writer has opened the store.",
		figures->status.owner_epoch);
	single(metrics, "crash_search_records", FAMILY_GAUGE,
		"Records that are taken at a time while one that ends the "
		"process is searched for; 0: none is.",
		figures->status.search.batch_records);
}

/* Labels of a partition; `number` is room for its number. */
static struct labels partition_labels(const struct log *log, char number[16])
{
	if (snprintf(number, 16, "%" PRId32, log->partition) < 0)
		number[0] = '\0';
	return (struct labels){{{"topic", log->topic}, {"partition", number}}};
}

/* What is shown of each partition, a family each: a member of its accounts. */
static const struct {
	const char *name;
	enum family_type type;
	const char *help;
	size_t offset;
} accounts[] = {
	{"partition_next_offset", FAMILY_GAUGE,
		"The offset that is taken next.",
		offsetof(struct store_accounts, next_offset)},
	{"records_taken_total", FAMILY_COUNTER, "Records taken.",
		offsetof(struct store_accounts, taken)},
	{"records_skipped_total", FAMILY_COUNTER,
		"Records taken that hold no update.",
		offsetof(struct store_accounts, skipped)},
	{"records_redelivered_total", FAMILY_COUNTER,
		"Records delivered again, which changed nothing.",
		offsetof(struct store_accounts, redelivered)},
	{"offset_gaps_total", FAMILY_COUNTER,
		"Offsets that the log does not hold.",
		offsetof(struct store_accounts, gaps)},
	{"offsets_lost_total", FAMILY_COUNTER, "Offsets that were given up.",
		offsetof(struct store_accounts, lost)},
	{"updates_total", FAMILY_COUNTER, "Updates of the records taken.",
		offsetof(struct store_accounts, updates)},
	{"late_deletes_total", FAMILY_COUNTER,
		"Deletes that came after newer contributions.",
		offsetof(struct store_accounts, late_deletes)},
	{"ignored_features_total", FAMILY_COUNTER,
		"Values of features that no view has.",
		offsetof(struct store_accounts, ignored_features)},
};

static void write_accounts(struct metrics *metrics, size_t account)
{
	const struct figures *figures = metrics->figures;
	exposition_family(&metrics->exposition, accounts[account].name,
		accounts[account].type, accounts[account].help);
	for (size_t i = 0; i < figures->partition_count; i++) {
		const struct figures_partition *one = &figures->partitions[i];
		char number[16];
		const struct labels labels =
			partition_labels(&one->newest->log, number);
		int64_t value;
		memcpy(&value,
			(const char *)&one->sum + accounts[account].offset,
			sizeof value);
		exposition_count(&metrics->exposition, &labels, value);
	}
}

/* A gauge and not a counter: a retry turns what was parked or dead into what
 * is applied. */
static void write_dispositions(struct metrics *metrics)
{
	const struct figures *figures = metrics->figures;
	exposition_family(&metrics->exposition, "update_dispositions",
		FAMILY_GAUGE, "Updates by what has become of them up to now.");
	for (size_t i = 0; i < figures->partition_count; i++)
		for (int j = 0; j < DISPOSITION_COUNT; j++) {
			char number[16];
			struct labels labels = partition_labels(
				&figures->partitions[i].newest->log, number);
			labels.items[2] = (struct label){"disposition",
				disposition_name((enum disposition)j)};
			exposition_count(&metrics->exposition, &labels,
				figures->partitions[i].sum.dispositions[j]);
		}
}

static void write_as_of(struct metrics *metrics)
{
	struct exposition *exposition = &metrics->exposition;
	const struct figures *figures = metrics->figures;
	char number[16];
	exposition_family(exposition, "partition_as_of_timestamp_seconds",
		FAMILY_GAUGE, "The moment up to which everything is taken.");
	for (size_t i = 0; i < figures->partition_count; i++) {
		const struct figures_partition *one = &figures->partitions[i];
		const struct labels labels =
			partition_labels(&one->newest->log, number);
		if (one->newest->as_of_us != TIMESTAMP_NONE)
			exposition_seconds(
				exposition, &labels, one->newest->as_of_us);
	}
	exposition_family(exposition, "partition_lag_seconds", FAMILY_GAUGE,
		"How far the partition is behind: now minus as_of.");
	for (size_t i = 0; i < figures->partition_count; i++) {
		const struct figures_partition *one = &figures->partitions[i];
		const struct labels labels =
			partition_labels(&one->newest->log, number);
		if (one->lag_us != LAG_UNKNOWN)
			exposition_seconds(exposition, &labels, one->lag_us);
	}
}

static void write_views(struct metrics *metrics)
{
	struct exposition *exposition = &metrics->exposition;
	const struct figures *figures = metrics->figures;
	exposition_family(exposition, "view_rows", FAMILY_GAUGE,
		"Entities that the view holds.");
	for (size_t i = 0; i < figures->view_count; i++) {
		const struct figures_view *one = &figures->views[i];
		const struct labels labels = one_label("view", one->view->name);
		exposition_count(exposition, &labels, one->status->rows);
	}
	exposition_family(exposition, "view_deleted_entities", FAMILY_GAUGE,
		"Deleted entities of which the view remembers that.");
	for (size_t i = 0; i < figures->view_count; i++) {
		const struct figures_view *one = &figures->views[i];
		const struct labels labels = one_label("view", one->view->name);
		exposition_count(exposition, &labels, one->status->deleted);
	}
	exposition_family(exposition, "view_lag_seconds", FAMILY_GAUGE,
		"How far the view is behind, as its max_lag counts it; absent "
		"while a source of it was never read.");
	for (size_t i = 0; i < figures->view_count; i++) {
		const struct figures_view *one = &figures->views[i];
		const struct labels labels = one_label("view", one->view->name);
		if (one->lag_us != LAG_UNKNOWN)
			exposition_seconds(exposition, &labels, one->lag_us);
	}
}

static void write_reasons(struct metrics *metrics, const char *name,
	const char *help, size_t offset)
{
	const struct reader_status *status = &metrics->figures->status;
	exposition_family(&metrics->exposition, name, FAMILY_GAUGE, help);
	for (size_t i = 0; i < status->reason_count; i++) {
		const struct reader_reason_status *one = &status->reasons[i];
		const struct labels labels = {
			{{"reason", reason_name(one->reason)},
				{"view", one->view}}};
		int64_t value;
		memcpy(&value, (const char *)one + offset, sizeof value);
		if (value > 0)
			exposition_count(&metrics->exposition, &labels, value);
	}
}

/* What operators want to be woken for. */
static void write_operations(struct metrics *metrics)
{
	struct exposition *exposition = &metrics->exposition;
	const struct reader_status *status = &metrics->figures->status;
	exposition_family(exposition, "partition_stopped", FAMILY_GAUGE,
		"1 for each partition that takes no records, by reason.");
	for (size_t i = 0; i < status->stop_count; i++) {
		char number[16];
		const struct reader_stop *one = &status->stops[i];
		struct labels labels = partition_labels(one->log, number);
		labels.items[2] = (struct label){"reason", one->reason};
		exposition_count(exposition, &labels, 1);
	}
	exposition_family(exposition, "held", FAMILY_GAUGE,
		"1 for each view or view:feature that an operator holds back, "
		"by what lookups answer.");
	for (size_t i = 0; i < status->hold_count; i++) {
		const struct reader_hold *one = &status->holds[i];
		const struct labels labels = {
			{{"target", one->target}, {"choice", one->choice}}};
		exposition_count(exposition, &labels, 1);
	}
}

static void write_backups(struct metrics *metrics)
{
	struct exposition *exposition = &metrics->exposition;
	const struct reader_backups *backups =
		&metrics->figures->status.backups;
	single(metrics, "backup_failures_total", FAMILY_COUNTER,
		"Backups that failed.", backups->failures);
	if (backups->name[0] == '\0')
		return;
	exposition_family(exposition, "backup_made_timestamp_seconds",
		FAMILY_GAUGE, "The moment that the newest good backup holds.");
	exposition_seconds(exposition, NULL, backups->made_us);
	exposition_family(exposition, "backup_duration_seconds", FAMILY_GAUGE,
		"What it took to make and check it.");
	exposition_seconds(exposition, NULL, backups->took_us);
	single(metrics, "backup_bytes", FAMILY_GAUGE, "Size of its file.",
		backups->bytes);
}

static void write_all(struct metrics *metrics)
{
	write_server(metrics);
	write_state(metrics);
	if (metrics->figures->reader == NULL)
		return;
	write_store(metrics);
	for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++)
		write_accounts(metrics, i);
	write_dispositions(metrics);
	write_as_of(metrics);
	write_views(metrics);
	write_reasons(metrics, "dead_letters",
		"Dead letters, by reason and view.",
		offsetof(struct reader_reason_status, dead));
	write_reasons(metrics, "parked_updates",
		"Updates that can't be applied yet, by reason and view.",
		offsetof(struct reader_reason_status, parked));
	write_operations(metrics);
	write_backups(metrics);
}

int metrics_write(struct exchange *exchange, struct fault *fault)
{
	struct figures figures;
	struct buffer out = BUFFER_INIT(exchange->arena);
	struct metrics metrics = {
		.exposition = {.out = &out},
		.counters = exchange->counters,
		.figures = &figures,
	};
	/* Where the store can't be read the server's own figures tell so. */
	int rc = figures_gather(exchange, &figures, fault);
	write_all(&metrics);
	if (out.failed) {
		error_reply(exchange, ERROR_OUT_OF_MEMORY, "no memory");
		return fault_set(fault, FAULT_OOM, "no memory for metrics");
	}
	exchange->reply = (struct reply){.status = 200,
		.content_type = EXPOSITION_TYPE,
		.body = buffer_content(&out)};
	return rc;
}
