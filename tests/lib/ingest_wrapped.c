/*
 * ingest_wrapped MODE WINDOW_SECONDS STORE SCHEMA BOOTSTRAP: what `holdfast
 * ingest --until-end` does, with a source between (tests/lib/wrap_source.h) and
 * a key window that the configuration would not allow. Prints how many records
 * came, and how many of them from below the fence.
 */
#include "ingest/kafka/kafka_source.h"
#include "ingest/pipeline.h"
#include "tests/lib/wrap_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
	enum wrap_mode mode;
	int64_t window_us;
	const char *store, *schema, *bootstrap;
};

struct parts {
	struct schema *schema;
	struct store *store;
	struct source *source;
};

static int read_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const char *const modes[] = {
		[WRAP_PLAIN] = "plain",
		[WRAP_TWICE] = "twice",
		[WRAP_RENUMBERED] = "renumbered",
		[WRAP_IN_TURN] = "in_turn",
	};
	if (argc != 6)
		return -1;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (strcmp(argv[1], modes[i]) != 0)
			continue;
		*arguments = (struct arguments){
			.mode = (enum wrap_mode)i,
			.window_us = strtol(argv[2], NULL, 10) * 1000000,
			.store = argv[3],
			.schema = argv[4],
			.bootstrap = argv[5],
		};
		return 0;
	}
	return -1;
}

static int open_store(struct parts *parts, const struct arguments *arguments,
	struct fault *fault)
{
	int rc = schema_load(&parts->schema, arguments->schema, fault);
	if (rc < 0)
		return rc;
	struct store_options options = store_options_default();
	options.path = arguments->store;
	options.schema = parts->schema;
	options.key_window_us = arguments->window_us;
	if (arguments->window_us == 0)
		options.key_window_keys = 0;
	return store_open(&parts->store, &options, fault);
}

static int open_source(struct parts *parts, const struct arguments *arguments,
	struct fault *fault)
{
	const struct kafka_setting setting = {
		"bootstrap.servers", arguments->bootstrap};
	struct kafka_source_options options = kafka_source_options_default();
	options.settings = (struct kafka_settings){&setting, 1};
	options.group_id = "ingest_wrapped";
	options.topics = &parts->schema->sources[0].topic;
	options.topic_count = 1;
	options.until_end = true;
	struct source *inner = NULL;
	int rc = kafka_source_open(&inner, &options, fault);
	return rc < 0 ? rc
		      : wrap_source_open(
				&parts->source, inner, arguments->mode, fault);
}

static void tell(void *payload, const char *text)
{
	(void)payload;
	fprintf(stderr, "%s\n", text);
}

static int stream(struct parts *parts, struct fault *fault)
{
	static const atomic_bool stop;
	struct pipeline_options options = pipeline_options_default();
	options.source = parts->source;
	options.store = parts->store;
	options.clock = clock_system();
	options.stop = &stop;
	options.notice = tell;
	struct pipeline_result result = {0};
	int rc = pipeline_run(&options, &result, fault);
	printf("{\"batches\": %" PRId64 ", \"records\": %" PRId64
	       ", \"redelivered\": %" PRId64 "}\n",
		result.batches, result.tally.records, result.tally.redelivered);
	return rc;
}

int main(int argc, char **argv)
{
	struct arguments arguments;
	struct parts parts = {0};
	struct fault fault = {0};
	if (read_arguments(&arguments, argc, argv) < 0) {
		fputs("usage: ingest_wrapped plain|twice|renumbered|in_turn "
		      "WINDOW_SECONDS STORE SCHEMA BOOTSTRAP\n",
			stderr);
		return 2;
	}
	int rc = open_store(&parts, &arguments, &fault);
	if (rc == 0)
		rc = open_source(&parts, &arguments, &fault);
	if (rc == 0)
		rc = stream(&parts, &fault);
	source_close(parts.source);
	store_close(parts.store);
	schema_free(parts.schema);
	if (rc < 0)
		fprintf(stderr, "ingest_wrapped: %s\n", fault.text);
	return rc < 0;
}
