/* holdfast ingest: the ingest half by itself; also of a file, also to an end.
 */
#include "ingest/command/command.h"
#include "ingest/command/ingestion.h"
#include "ingest/command/notify.h"
#include "ingest/command/options.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"

struct ingest_options {
	char *file, *topic;
	bool until_end;
};

static const struct field fields[] = {
	{"file", FIELD_TEXT, offsetof(struct ingest_options, file), NULL, 0, 0,
		"FILE", "take this NDJSON file, not Kafka; with --topic"},
	{"topic", FIELD_TEXT, offsetof(struct ingest_options, topic), NULL, 0,
		0, "NAME", "the source whose records they are"},
	{"until-end", FIELD_FLAG, offsetof(struct ingest_options, until_end),
		NULL, 0, 0, NULL,
		"end when all that was there at the start is taken"},
};

static const struct options_spec spec = {
	.usage = "ingest [--file FILE --topic NAME] [--until-end] [-c FILE]",
	.summary = "Streams every topic of the store's schema, or an NDJSON "
		   "file, into the store: until SIGTERM\nor SIGINT, or until "
		   "the end; goes on where the store says.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.configured = true,
	.json = true,
};

static int load_config(struct options *options,
	const struct ingest_options *own, struct config *config,
	struct fault *fault)
{
	int rc = 0;
	if (own->file != NULL)
		rc = options_set(options, "file.path", own->file, fault);
	if (rc == 0 && own->topic != NULL)
		rc = options_set(options, "file.topic", own->topic, fault);
	return rc < 0 ? rc : options_config(options, config, fault);
}

static int take(const struct ingestion_options *options, struct fault *fault)
{
	struct ingestion *ingestion = NULL;
	int rc = ingestion_open(&ingestion, options, fault);
	if (rc == 0) {
		notify_ready();
		rc = ingestion_run(ingestion, fault);
	}
	notify_stopping();
	if (rc == 0)
		rc = ingestion_leave(ingestion, fault);
	ingestion_close(ingestion);
	return rc;
}

int command_ingest(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct ingest_options own = {0};
	struct config config = {0};
	int rc = options_parse(&options, &spec, &own, argc, argv, &fault);
	if (rc == OPTIONS_GO)
		rc = signals_install(&fault);
	if (rc == OPTIONS_GO)
		rc = load_config(&options, &own, &config, &fault);
	if (rc == OPTIONS_GO)
		rc = take(
			&(struct ingestion_options){
				.config = &config,
				.until_end = own.until_end,
				.json = options.json,
			},
			&fault);
	config_finish(&config);
	options_finish(&options);
	return rc < 0 ? say_last(&fault) : STATUS_GOOD;
}
