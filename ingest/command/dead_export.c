/* holdfast dead export: dead letters to a Kafka topic, an outbox read from the
 * store. Its own process, so that a broker that is down holds up nothing else.
 */
#include "ingest/command/command.h"
#include "ingest/command/control_client.h"
#include "ingest/command/dead.h"
#include "ingest/command/reading.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/kafka/kafka_sink.h"

#include <inttypes.h>
#include <time.h>

#define PAGE_LETTERS 500
#define OWN_HEADERS 11
#define LOOK_EVERY_MS 1000 /* with --follow */
/* librdkafka gives a record up after 5 minutes (message.timeout.ms). */
#define FLUSH_TIMEOUT_MS 310000

struct export_options {
	char *topic;
	bool follow;
};

struct export
{
	struct options options;
	struct export_options own;
	struct config config;
	struct kafka_sink *sink;
	struct reader *reader; /* of the page under way */
	struct arena arena;
	char name[2 * STORE_NAME_MAX]; /* of the pipeline: "holdfast-<id>" */
	int64_t exported;
};

/* Where Kafka Connect would have met it. Source: Stage.java of Apache Kafka. */
static const char *stage_of(enum reason reason)
{
	if (reason == REASON_KEY_REUSED || reason == REASON_OVERFLOW ||
		reason == REASON_LATE_DELETE || reason == REASON_CRASH_LOOP)
		return "TASK_PUT";
	return reason <= REASON_TOO_LONG ? "VALUE_CONVERTER" : "TRANSFORMATION";
}

static struct header text_header(const char *name, const char *value)
{
	return (struct header){slice_of(name), slice_of(value)};
}

/* The record's own headers, then Kafka Connect's, added as it does, then ours.
 * False: out of memory. */
static bool add_headers(struct export *export, const struct letter *letter,
	struct record *record)
{
	struct arena *arena = &export->arena;
	size_t count = record->header_count;
	struct header *all =
		arena_take(arena, (count + OWN_HEADERS) * sizeof *all);
	const char *partition =
		arena_print(arena, "%" PRId32, record->log->partition);
	const char *offset = arena_print(arena, "%" PRId64, record->offset);
	const char *id = arena_print(arena, "%" PRId64, letter->id);
	const char *reason = reason_name(letter->reason);
	if (all == NULL || partition == NULL || offset == NULL || id == NULL)
		return false;
	if (count > 0)
		memcpy(all, record->headers, count * sizeof *all);
#define CONNECT "__connect.errors."
	all[count++] = text_header(CONNECT "topic", record->log->topic);
	all[count++] = text_header(CONNECT "partition", partition);
	all[count++] = text_header(CONNECT "offset", offset);
	all[count++] = text_header(CONNECT "connector.name", export->name);
	all[count++] = text_header(CONNECT "task.id", "0");
	all[count++] = text_header(CONNECT "stage", stage_of(letter->reason));
	all[count++] = text_header(CONNECT "class.name", "holdfast");
	all[count++] = text_header(CONNECT "exception.class.name", reason);
	all[count++] = (struct header){
		slice_of(CONNECT "exception.message"), letter->detail};
	all[count++] = (struct header){slice_of("holdfast.view"), letter->view};
	all[count++] = text_header("holdfast.letter", id);
#undef CONNECT
	record->headers = all;
	record->header_count = count;
	return true;
}

/* Else what is exported would come back, and be dead again. */
static int check_topic(const struct export *export, const struct schema *schema,
	struct fault *fault)
{
	if (schema_source(schema, export->own.topic) == NULL)
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"--topic %s is a source of the store's schema: dead letters "
		"would come back as events",
		export->own.topic);
}

/* A page behind the cursor; its logs are the reader's. */
static int read_page(struct export *export, struct letter_whole *letters,
	struct fault *fault)
{
	struct letter_filter filter = {.kind = LETTER_DEAD,
		.since_us = TIMESTAMP_NONE,
		.until_us = TIMESTAMP_NONE};
	const struct config_store *store = &export->config.store;
	arena_reset(&export->arena);
	int rc = reader_open(&export->reader, store->path,
		(uint32_t)(store->busy_timeout_us / 1000), fault);
	if (rc < 0)
		return rc;
	rc = check_topic(export, reader_schema(export->reader), fault);
	if (rc == 0)
		rc = reader_exported(export->reader, &filter.after_id, fault);
	if (rc < 0)
		return rc;
	(void)snprintf(export->name, sizeof export->name, "holdfast-%s",
		reader_store_id(export->reader));
	return reader_letters(export->reader, &filter, &export->arena, letters,
		PAGE_LETTERS, fault);
}

/* Where no owner runs, the cursor is written by this process, which then opens
 * the store for writing: the reader must be gone. */
static void close_reader(struct export *export)
{
	reader_close(export->reader);
	export->reader = NULL;
}

/* *sent: how many of them Kafka has now, or will have. */
static int send_page(struct export *export, struct letter_whole *letters,
	int count, int *sent, struct fault *fault)
{
	int rc = 0;
	for (*sent = 0; rc == 0 && *sent < count; *sent += rc == 0) {
		struct record *record = &letters[*sent].record;
		const struct letter *letter = &letters[*sent].letter;
		if (!add_headers(export, letter, record))
			return fault_set(
				fault, FAULT_OOM, "no memory for headers");
		rc = kafka_sink_send(
			export->sink, export->own.topic, -1, record, fault);
		if (rc < 0)
			fault_wrap(
				fault, rc, "dead letter %" PRId64, letter->id);
	}
	return rc;
}

/* Every letter up to `id` is acknowledged by Kafka. */
static int note(struct export *export, int64_t id, struct fault *fault)
{
	json_t *arguments = json_pack("{s:I}", "id", (json_int_t)id);
	json_t *reply = NULL;
	if (arguments == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	int rc = control_ask(
		&export->config, "dead_exported", arguments, &reply, fault);
	json_decref(arguments);
	json_decref(reply);
	return rc;
}

/* Those up to `last` are in Kafka, durably, before the cursor passes them. */
static int settle(struct export *export, int count, const struct letter *last,
	struct fault *fault)
{
	int rc = kafka_sink_flush(export->sink, FLUSH_TIMEOUT_MS, fault);
	if (rc == 0)
		rc = note(export, last->id, fault);
	export->exported += rc == 0 ? count : 0;
	return rc;
}

/* 0: there was nothing more. Those before one that can't be sent are noted all
 * the same: else each try would send them again. */
static int export_page(struct export *export, struct fault *fault)
{
	struct letter_whole letters[PAGE_LETTERS];
	int sent = 0;
	int count = read_page(export, letters, fault);
	int rc = count <= 0 ? count
			    : send_page(export, letters, count, &sent, fault);
	close_reader(export);
	if (sent > 0) {
		int settled = settle(export, sent, &letters[sent - 1].letter,
			rc < 0 ? NULL : fault);
		rc = rc < 0 ? rc : settled;
	}
	return rc < 0 ? rc : count;
}

static int export_all(struct export *export, struct fault *fault)
{
	const struct timespec pause = {LOOK_EVERY_MS / 1000, 0};
	int rc = 1;
	while (rc >= 0 && !atomic_load(signals_stop())) {
		rc = export_page(export, fault);
		if (rc == 0 && !export->own.follow)
			break;
		if (rc == 0)
			(void)nanosleep(&pause, NULL); /* ended by a signal */
	}
	return rc < 0 ? rc : 0;
}

static int open_sink(struct export *export, struct fault *fault)
{
	struct kafka_setting items[CONFIG_KAFKA_MAX];
	struct kafka_settings settings =
		config_kafka_settings(&export->config, items);
	if (export->own.topic == NULL)
		return fault_set(
			fault, FAULT_USAGE, "say where to with --topic TOPIC");
	if (config_kafka(&export->config, "bootstrap.servers") == NULL)
		return fault_set(fault, FAULT_USAGE,
			"kafka.bootstrap.servers is not set: name a broker as "
			"HOST:PORT");
	return kafka_sink_open(&export->sink, &settings, fault);
}

static int run(struct export *export, struct fault *fault)
{
	int rc = options_config(&export->options, &export->config, fault);
	if (rc == 0)
		rc = reading_needs_store(&export->config, fault);
	if (rc == 0)
		rc = signals_install(fault);
	if (rc == 0)
		rc = open_sink(export, fault);
	if (rc == 0)
		rc = export_all(export, fault);
	return rc;
}

int dead_export(int argc, char **argv)
{
	static const struct field fields[] = {
		{"topic", FIELD_TEXT, offsetof(struct export_options, topic),
			NULL, 0, 0, "TOPIC", "where to; none of the sources"},
		{"follow", FIELD_FLAG, offsetof(struct export_options, follow),
			NULL, 0, 0, NULL,
			"go on with those that come, until SIGTERM"},
	};
	static const struct options_spec spec = {
		.usage = "dead export --topic TOPIC [--follow]",
		.summary =
			"Sends dead letters to a Kafka topic, each once it is "
			"one: the record's key, value, headers and\n"
			"timestamp, and Kafka Connect's headers "
			"(__connect.errors.topic, …) with where it is from and "
			"why\nit is dead. How far it came stands in the store: "
			"killed, it goes on there, and may send some "
			"again\n(header holdfast.letter is its id). The "
			"letters stay until they are retried or dropped.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.configured = true,
		.json = true,
	};
	struct fault fault = {0};
	struct export export = {.arena = ARENA_INIT};
	int rc = options_parse(
		&export.options, &spec, &export.own, argc, argv, &fault);
	bool helped = rc == OPTIONS_HELPED;
	if (rc == OPTIONS_GO)
		rc = run(&export, &fault);
	if (!helped && (rc == 0 || export.exported > 0))
		printf(export.options.json ? "{\"exported\": %" PRId64 "}\n"
					   : "%" PRId64
					     " dead letters exported\n",
			export.exported);
	kafka_sink_close(export.sink);
	arena_finish(&export.arena);
	config_finish(&export.config);
	options_finish(&export.options);
	return rc < 0 ? say_fault(&fault) : STATUS_GOOD;
}
