#include "ingest/command/ingestion.h"

#include "ingest/command/control_server.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/command/summary.h"
#include "ingest/file_source.h"
#include "ingest/kafka/kafka_source.h"
#include "ingest/keeper.h"
#include "ingest/pipeline.h"
#include "schema/nearest.h"
#include "schema/policy.h"
#include "store/generations.h"
#include "store/ownership.h"
#include "store/store.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GROUP_ID_BYTES (STORE_NAME_MAX + 16)

struct ingestion {
	struct ingestion_options options;
	const struct config *config;
	struct schema *file_schema; /* NULL: no usable file; see file_fault */
	struct fault file_fault;    /* why not */
	struct store *store;
	struct ownership *ownership; /* of the store; Kafka's only */
	struct source *source;
	struct keeper *keeper;
	struct control_server *control;
};

static bool takes_a_file(const struct config *config)
{
	return config->file.path != NULL;
}

static int check_kafka(const struct config *config, struct fault *fault)
{
	struct kafka_setting items[CONFIG_KAFKA_MAX];
	struct kafka_settings settings = config_kafka_settings(config, items);
	int rc = kafka_settings_check(&settings, fault);
	if (rc < 0)
		return rc;
	if (takes_a_file(config) ||
		config_kafka(config, "bootstrap.servers") != NULL)
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"kafka.bootstrap.servers is not set: name a broker as "
		"HOST:PORT, or take a file (file.path and file.topic)");
}

struct store_options store_options_of(const struct config *all)
{
	const struct config_store *config = &all->store;
	struct store_options options = store_options_default();
	options.path = config->path;
	options.key_window_us = config->key_window_us;
	options.key_window_keys = (uint64_t)config->key_window_keys;
	options.key_window_max_bytes = (uint64_t)config->key_window_max_bytes;
	options.wal_max_bytes = (uint64_t)config->wal_max_bytes;
	options.ballast_bytes = (uint64_t)config->ballast_bytes;
	options.reader_max_us = config->reader_max_us;
	options.busy_timeout_ms = (uint32_t)(config->busy_timeout_us / 1000);
	return options;
}

/* A disk that is full is waited for, at the start as later; only stopping ends
 * it. */
static bool waits(int rc, const struct fault *why, bool *told)
{
	static const struct timespec pause = {.tv_sec = 1};
	if (policy_of_fault(rc) != POLICY_WAIT || atomic_load(signals_stop()))
		return false;
	if (!*told)
		say(SAY_WARNING,
			"waiting, and going on by itself when this ends: %s",
			why->text);
	*told = true;
	(void)nanosleep(&pause, NULL);
	return true;
}

/* An existing store rules, so that an unusable file keeps nobody from going
 * on; a new store can't do without. */
static int open_store(struct ingestion *ingestion, struct fault *fault)
{
	int rc = schema_load(&ingestion->file_schema, ingestion->config->schema,
		&ingestion->file_fault);
	if (rc == FAULT_OOM)
		return fault_set(fault, rc, "%s", ingestion->file_fault.text);
	struct store_options options = store_options_of(ingestion->config);
	options.schema = ingestion->file_schema;
	bool told = false;
	do
		rc = store_open(&ingestion->store, &options, fault);
	while (rc < 0 && waits(rc, fault, &told));
	if (rc != FAULT_USAGE || ingestion->file_schema != NULL)
		return rc;
	return fault_set(fault, FAULT_USAGE,
		"%s holds no store yet, and a new one needs a schema: %s",
		ingestion->config->store.path, ingestion->file_fault.text);
}

/* Both texts are compact JSON without comments; members may be in any order. */
static bool same_schema(const struct schema *a, const struct schema *b)
{
	json_t *one = json_loads(a->text, 0, NULL);
	json_t *other = json_loads(b->text, 0, NULL);
	bool same = one != NULL && other != NULL && json_equal(one, other);
	json_decref(one);
	json_decref(other);
	return same;
}

static void tell_schema(const struct ingestion *ingestion)
{
	const char *path = ingestion->config->schema;
	if (ingestion->file_schema == NULL)
		say(SAY_WARNING,
			"the schema in the store rules; the file can't be "
			"used: %s",
			ingestion->file_fault.text);
	else if (!same_schema(ingestion->file_schema,
			 store_schema(ingestion->store)))
		say(SAY_WARNING,
			"the schema file %s differs from the schema in the "
			"store, which rules; the file is for new stores",
			path);
}

/* Source: design section 4, idempotency key. */
static void tell_keys(const struct schema *schema)
{
	for (size_t i = 0; i < schema->source_count; i++)
		if (schema->sources[i].missing_key == MISSING_KEY_POSITION)
			say(SAY_WARNING,
				"source %s: a record without an idempotency "
				"key "
				"is known by its position in the log, which a "
				"mirror does not keep and a copy does not "
				"share: give its events an id",
				schema->sources[i].topic);
}

static int refuse_topic(
	const char *topic, const struct schema *schema, struct fault *fault)
{
	const char **names = calloc(schema->source_count + 1, sizeof *names);
	if (names == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	for (size_t i = 0; i < schema->source_count; i++)
		names[i] = schema->sources[i].topic;
	const char *nearest = nearest_name(topic, names, schema->source_count);
	if (nearest == NULL && schema->source_count > 0)
		nearest = names[0];
	int rc = fault_set(fault, FAULT_USAGE,
		"file.topic %s is no source of the store's schema%s%s%s", topic,
		nearest == NULL ? "" : ": did you mean ",
		nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
	free(names);
	return rc;
}

static int open_file(struct ingestion *ingestion, struct fault *fault)
{
	const struct config_file *file = &ingestion->config->file;
	const struct schema *schema = store_schema(ingestion->store);
	if (schema_source(schema, file->topic) == NULL)
		return refuse_topic(file->topic, schema, fault);
	struct file_source_options options = {
		.path = file->path,
		.topic = file->topic,
		.clock = clock_system(),
		.until_end = ingestion->options.until_end,
	};
	say(SAY_INFO, "taking %s as topic %s into %s", file->path, file->topic,
		ingestion->config->store.path);
	return file_source_open(&ingestion->source, &options, fault);
}

static bool is_still_ours(void *payload)
{
	struct ingestion *ingestion = payload;
	return ownership_holds(ingestion->ownership);
}

static int open_topics(struct ingestion *ingestion, const char *const *topics,
	struct fault *fault)
{
	const struct config *config = ingestion->config;
	struct kafka_setting items[CONFIG_KAFKA_MAX];
	char made_id[GROUP_ID_BYTES];
	const char *group_id = config_kafka(config, CONFIG_GROUP_ID);
	if (group_id == NULL && snprintf(made_id, sizeof made_id, "holdfast-%s",
					store_id(ingestion->store)) > 0)
		group_id = made_id;
	struct kafka_source_options options = kafka_source_options_default();
	options.settings = config_kafka_settings(config, items);
	options.group_id = group_id;
	options.topics = topics;
	options.topic_count = store_schema(ingestion->store)->source_count;
	options.clock = clock_system();
	options.until_end = ingestion->options.until_end;
	options.may_commit = is_still_ours;
	options.payload = ingestion;
	say(SAY_INFO, "taking %zu topics of %s as group %s into %s",
		options.topic_count, config_kafka(config, "bootstrap.servers"),
		group_id, config->store.path);
	return kafka_source_open(&ingestion->source, &options, fault);
}

static int open_kafka(struct ingestion *ingestion, struct fault *fault)
{
	const struct schema *schema = store_schema(ingestion->store);
	if (schema->source_count == 0)
		return fault_set(fault, FAULT_USAGE,
			"the store's schema has no sources: there is no topic "
			"to take");
	const char **topics = calloc(schema->source_count, sizeof *topics);
	if (topics == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	for (size_t i = 0; i < schema->source_count; i++)
		topics[i] = schema->sources[i].topic;
	int rc = ownership_open(&ingestion->ownership, ingestion->store, fault);
	if (rc == 0)
		rc = open_topics(ingestion, topics, fault);
	free(topics);
	return rc;
}

static void notice(void *payload, const char *text)
{
	(void)payload;
	say(SAY_WARNING, "%s", text);
}

static void landed(void *payload, const struct store_tally *tally)
{
	struct ingestion *ingestion = payload;
	keeper_landed(ingestion->keeper, tally);
}

static bool wants(void *payload)
{
	struct ingestion *ingestion = payload;
	return control_server_wants(ingestion->control) ||
	       keeper_wants(ingestion->keeper);
}

static int attend(void *payload, struct fault *fault)
{
	struct ingestion *ingestion = payload;
	const struct store *before = ingestion->store;
	int rc = 0;
	if (control_server_wants(ingestion->control))
		rc = control_server_attend(ingestion->control, fault);
	if (rc == 0 && ingestion->store != before)
		return PIPELINE_LEAVE;
	if (rc == 0 && keeper_wants(ingestion->keeper))
		rc = keeper_attend(ingestion->keeper, fault);
	return rc;
}

static struct pipeline_options pipeline_options_of(struct ingestion *ingestion)
{
	const struct config_ingest *config = &ingestion->config->ingest;
	struct pipeline_options options = pipeline_options_default();
	options.source = ingestion->source;
	options.store = ingestion->store;
	options.decoder.schema = store_schema(ingestion->store);
	memcpy(options.decoder.secret, store_secret(ingestion->store),
		SECRET_BYTES);
	options.decoder.value_bytes_max = (size_t)config->value_bytes_max;
	options.decoder.depth_max = (uint32_t)config->depth_max;
	options.decoder.max_skew_us = config->max_skew_us;
	options.clock = clock_system();
	options.threads = true;
	options.linger_us = (uint32_t)config->linger_us;
	options.batch_age_us = (uint32_t)config->batch_age_us;
	options.batch_records = (size_t)config->batch_records;
	options.batch_bytes = (size_t)config->batch_bytes;
	options.stop = signals_stop();
	options.notice = notice;
	options.landed = landed;
	options.wants = wants;
	options.attend = attend;
	options.payload = ingestion;
	return options;
}

static int open_keeper(struct ingestion *ingestion,
	const struct pipeline_options *pipeline, struct fault *fault)
{
	const struct config_ingest *config = &ingestion->config->ingest;
	struct keeper_options options = keeper_options_default();
	options.store = ingestion->store;
	options.decoder = pipeline->decoder;
	options.clock = pipeline->clock;
	options.seed = (uint64_t)options.clock->wall_us(options.clock);
	options.retry_attempts = config->retry_attempts;
	options.parked_max = config->parked_max;
	options.dead_keep_us = config->dead_keep_us;
	options.dead_share_max = config->dead_share_max;
	options.notice = notice;
	options.until_end = ingestion->options.until_end;
	return keeper_open(&ingestion->keeper, &options, fault);
}

static int open_source(struct ingestion *ingestion, struct fault *fault)
{
	return takes_a_file(ingestion->config) ? open_file(ingestion, fault)
					       : open_kafka(ingestion, fault);
}

/* Until it ends, or PIPELINE_LEAVE: the store is another generation. */
static int stream(struct ingestion *ingestion, struct fault *fault)
{
	struct pipeline_result result = {0};
	int rc = open_source(ingestion, fault);
	if (rc < 0)
		return rc;
	struct pipeline_options options = pipeline_options_of(ingestion);
	rc = open_keeper(ingestion, &options, fault);
	if (rc < 0)
		return rc;
	int64_t began_us = options.clock->monotonic_us(options.clock);
	rc = pipeline_run(&options, &result, fault);
	int64_t elapsed_us =
		options.clock->monotonic_us(options.clock) - began_us;
	if (rc == 0 && atomic_load(signals_stop()))
		say(SAY_INFO, "told to stop: all that was polled is durable");
	if (rc != PIPELINE_LEAVE)
		summary_tell(ingestion->store, &result, elapsed_us,
			ingestion->options.json);
	keeper_close(ingestion->keeper);
	source_close(ingestion->source);
	ingestion->keeper = NULL;
	ingestion->source = NULL;
	return rc;
}

static int begin(struct ingestion *ingestion, struct fault *fault)
{
	int rc = check_kafka(ingestion->config, fault);
	if (rc == 0)
		rc = open_store(ingestion, fault);
	if (rc < 0)
		return rc;
	tell_schema(ingestion);
	tell_keys(store_schema(ingestion->store));
	return 0;
}

int ingestion_open(struct ingestion **out,
	const struct ingestion_options *options, struct fault *fault)
{
	*out = NULL;
	struct ingestion *ingestion = calloc(1, sizeof *ingestion);
	if (ingestion == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	ingestion->options = *options;
	ingestion->config = options->config;
	int rc = begin(ingestion, fault);
	if (rc < 0)
		ingestion_close(ingestion);
	else
		*out = ingestion;
	return rc;
}

/* A file system without sockets keeps no records away. */
static void listen_to_operators(struct ingestion *ingestion)
{
	struct fault fault = {0};
	if (control_server_open(&ingestion->control, &ingestion->store,
		    ingestion->config, &fault) < 0)
		say(SAY_WARNING,
			"pause, hold and what else changes a store has to wait "
			"until this process has ended: %s",
			fault.text);
}

int ingestion_run(struct ingestion *ingestion, struct fault *fault)
{
	listen_to_operators(ingestion);
	int rc;
	while ((rc = stream(ingestion, fault)) == PIPELINE_LEAVE)
		say(SAY_INFO, "going on with generation %s of the store",
			store_generation(ingestion->store));
	return rc;
}

void ingestion_close(struct ingestion *ingestion)
{
	if (ingestion == NULL)
		return;
	control_server_close(ingestion->control);
	source_close(ingestion->source);
	keeper_close(ingestion->keeper);
	ownership_close(ingestion->ownership);
	store_close(ingestion->store);
	schema_free(ingestion->file_schema);
	free(ingestion);
}
