/* holdfast run: the service, both halves in one process. */
#include "ingest/command/command.h"
#include "ingest/command/ingestion.h"
#include "ingest/command/notify.h"
#include "ingest/command/options.h"
#include "ingest/command/say.h"
#include "ingest/command/serving.h"
#include "ingest/command/signals.h"

struct run_options {
	char *port_file;
};

static const struct field fields[] = {
	{"port-file", FIELD_TEXT, offsetof(struct run_options, port_file), NULL,
		0, 0, "FILE", "write ADDRESS:PORT of the serving half there"},
};

static const struct options_spec spec = {
	.usage = "run [--port-file FILE] [-c FILE]",
	.summary = "Streams every topic of the store's schema into the store "
		   "and answers lookups over HTTP, until\nSIGTERM or SIGINT; "
		   "goes on where the store says. A fault that ends the one "
		   "half ends both:\n`ingest` and `serve` are the halves as "
		   "processes of their own. Partitions that their log stopped "
		   "end neither.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.configured = true,
	.json = true,
};

/*
 * The store comes first: a second writer is told so, whatever its port, and
 * opening a store as its writer opens and closes its file by hand, which would
 * drop the locks of readers that this process has already. Serving comes
 * before the first word to Kafka, which may be down.
 */
static int run(const struct config *config, const struct run_options *own,
	bool json, struct fault *fault)
{
	struct ingestion *ingestion = NULL;
	struct serve *serve = NULL;
	int rc = ingestion_open(&ingestion,
		&(struct ingestion_options){
			.config = config, .stays = true, .json = json},
		fault);
	if (rc == 0)
		rc = serving_start(&serve, config, own->port_file, fault);
	if (rc == 0) {
		notify_ready();
		rc = ingestion_run(ingestion, fault);
	}
	notify_stopping();
	serve_stop(serve);
	if (rc == 0)
		rc = ingestion_leave(ingestion, fault);
	ingestion_close(ingestion);
	return rc;
}

int command_run(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct run_options own = {0};
	struct config config = {0};
	int rc = options_parse(&options, &spec, &own, argc, argv, &fault);
	if (rc == OPTIONS_GO)
		rc = signals_install(&fault);
	if (rc == OPTIONS_GO)
		rc = options_config(&options, &config, &fault);
	if (rc == OPTIONS_GO)
		rc = run(&config, &own, options.json, &fault);
	config_finish(&config);
	options_finish(&options);
	return rc < 0 ? say_last(&fault) : STATUS_GOOD;
}
