/* holdfast serve: the serving half by itself. */
#include "ingest/command/command.h"
#include "ingest/command/notify.h"
#include "ingest/command/options.h"
#include "ingest/command/say.h"
#include "ingest/command/serving.h"
#include "ingest/command/signals.h"

struct serve_command_options {
	char *port_file;
};

static const struct field fields[] = {
	{"port-file", FIELD_TEXT,
		offsetof(struct serve_command_options, port_file), NULL, 0, 0,
		"FILE", "write ADDRESS:PORT there"},
};

static const struct options_spec spec = {
	.usage = "serve [--port-file FILE] [-c FILE]",
	.summary = "Answers lookups over HTTP from the store, until SIGTERM or "
		   "SIGINT: beside `holdfast ingest`,\nwhich may come, go and "
		   "fail. Needs neither Kafka nor a schema file; where there "
		   "is no store yet,\nit answers 503 until there is one.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.configured = true,
};

static int serve_until_told(
	const struct config *config, const char *port_file, struct fault *fault)
{
	struct serve *serve = NULL;
	int rc = serving_start(&serve, config, port_file, fault);
	if (rc == 0) {
		notify_ready();
		signals_wait();
		notify_stopping();
		say(SAY_INFO, "told to stop: requests under way are finished");
	}
	serve_stop(serve);
	return rc;
}

int command_serve(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct serve_command_options own = {0};
	struct config config = {0};
	int rc = options_parse(&options, &spec, &own, argc, argv, &fault);
	if (rc == OPTIONS_GO)
		rc = signals_install(&fault);
	if (rc == OPTIONS_GO)
		rc = options_config(&options, &config, &fault);
	if (rc == OPTIONS_GO)
		rc = serve_until_told(&config, own.port_file, &fault);
	config_finish(&config);
	options_finish(&options);
	return rc < 0 ? say_last(&fault) : STATUS_GOOD;
}
