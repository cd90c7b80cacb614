#include "ingest/command/sources.h"

#include "ingest/command/say.h"
#include "ingest/file_source.h"
#include "ingest/kafka/kafka_source.h"
#include "schema/compaction.h"
#include "schema/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_ID_BYTES 256 /* "holdfast-", a store's id, a suffix */

bool sources_is_file(const struct config *config)
{
	return config->file.path != NULL;
}

int sources_check(const struct config *config, struct fault *fault)
{
	struct kafka_setting items[CONFIG_KAFKA_MAX];
	struct kafka_settings settings = config_kafka_settings(config, items);
	int rc = kafka_settings_check(&settings, fault);
	if (rc < 0)
		return rc;
	if (sources_is_file(config) ||
		config_kafka(config, "bootstrap.servers") != NULL)
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"kafka.bootstrap.servers is not set: name a broker as "
		"HOST:PORT, or take a file (file.path and file.topic)");
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

static const struct schema *schema_of(const struct sources_options *options)
{
	return options->store == NULL ? options->schema
				      : store_schema(options->store);
}

static int open_file(struct source **out, const struct sources_options *options,
	struct fault *fault)
{
	const struct config_file *file = &options->config->file;
	const struct schema *schema = schema_of(options);
	if (schema_source(schema, file->topic) == NULL)
		return refuse_topic(file->topic, schema, fault);
	struct file_source_options source = {
		.path = file->path,
		.topic = file->topic,
		.clock = clock_system(),
		.until_end = options->until_end,
	};
	if (options->store != NULL)
		say(SAY_INFO, "taking %s as topic %s into %s", file->path,
			file->topic, options->config->store.path);
	return file_source_open(out, &source, fault);
}

/* The group's id is the operator's, or the store's own. */
static void make_group_id(
	const struct sources_options *options, char out[GROUP_ID_BYTES])
{
	const char *set = config_kafka(options->config, CONFIG_GROUP_ID);
	const char *id = options->store == NULL ? options->store_id
						: store_id(options->store);
	(void)snprintf(out, GROUP_ID_BYTES, "%s%.180s%s",
		set == NULL ? "holdfast-" : "", set == NULL ? id : set,
		options->group_suffix == NULL ? "" : options->group_suffix);
}

static bool may_be_compacted(
	const void *payload, const char *topic, struct fault *why)
{
	const struct schema *schema = payload;
	const struct source_schema *source = schema_source(schema, topic);
	return source == NULL || compaction_safe(schema, source, why);
}

static int open_topics(struct source **out,
	const struct sources_options *options, const char *const *topics,
	struct fault *fault)
{
	const struct config *config = options->config;
	struct kafka_setting items[CONFIG_KAFKA_MAX];
	char group_id[GROUP_ID_BYTES];
	make_group_id(options, group_id);
	struct kafka_source_options source = kafka_source_options_default();
	source.settings = config_kafka_settings(config, items);
	source.group_id = group_id;
	source.topics = topics;
	source.topic_count =
		options->topic == NULL ? schema_of(options)->source_count : 1;
	source.only_partition =
		options->topic == NULL ? -1 : options->only_partition;
	source.clock = clock_system();
	source.until_end = options->until_end;
	source.may_commit = options->may_commit;
	source.payload = options->payload;
	/* Who only reads may read what they like. */
	if (options->store != NULL) {
		say(SAY_INFO, "taking %zu topics of %s as group %s into %s",
			source.topic_count,
			config_kafka(config, "bootstrap.servers"), group_id,
			config->store.path);
		source.compaction_safe = may_be_compacted;
		source.compaction_payload = store_schema(options->store);
	}
	return kafka_source_open(out, &source, fault);
}

static int open_kafka(struct source **out,
	const struct sources_options *options, struct fault *fault)
{
	const struct schema *schema = schema_of(options);
	if (options->topic != NULL)
		return open_topics(out, options, &options->topic, fault);
	if (schema->source_count == 0)
		return fault_set(fault, FAULT_USAGE,
			"the store's schema has no sources: there is no topic "
			"to take");
	const char **topics = calloc(schema->source_count, sizeof *topics);
	if (topics == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	for (size_t i = 0; i < schema->source_count; i++)
		topics[i] = schema->sources[i].topic;
	int rc = open_topics(out, options, topics, fault);
	free(topics);
	return rc;
}

int sources_open(struct source **out, const struct sources_options *options,
	struct fault *fault)
{
	*out = NULL;
	return sources_is_file(options->config)
		       ? open_file(out, options, fault)
		       : open_kafka(out, options, fault);
}

struct decoder sources_decoder(const struct config *config)
{
	const struct config_ingest *ingest = &config->ingest;
	return (struct decoder){
		.value_bytes_max = (size_t)ingest->value_bytes_max,
		.depth_max = (uint32_t)ingest->depth_max,
		.max_skew_us = ingest->max_skew_us,
	};
}

struct pipeline_options sources_pipeline_options(
	const struct config *config, struct store *store)
{
	const struct config_ingest *ingest = &config->ingest;
	struct pipeline_options options = pipeline_options_default();
	options.store = store;
	options.decoder = sources_decoder(config);
	options.decoder.schema = store_schema(store);
	memcpy(options.decoder.secret, store_secret(store), SECRET_BYTES);
	options.clock = clock_system();
	options.threads = true;
	options.linger_us = (uint32_t)ingest->linger_us;
	options.batch_age_us = (uint32_t)ingest->batch_age_us;
	options.batch_records = (size_t)ingest->batch_records;
	options.batch_bytes = (size_t)ingest->batch_bytes;
	return options;
}
