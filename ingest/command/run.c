/* holdfast run: the service. */
#include "ingest/command/command.h"
#include "ingest/command/ingestion.h"
#include "ingest/command/options.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"

static const struct options_spec spec = {
	.usage = "run [-c FILE]",
	.summary = "Streams every topic of the store's schema into the store, "
		   "until SIGTERM or SIGINT; goes on\nwhere the store says.",
	.configured = true,
	.json = true,
};

int command_run(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct config config = {0};
	int rc = options_parse(&options, &spec, NULL, argc, argv, &fault);
	if (rc == OPTIONS_GO)
		rc = signals_install(&fault);
	if (rc == OPTIONS_GO)
		rc = options_config(&options, &config, &fault);
	if (rc == OPTIONS_GO)
		rc = ingestion_run(
			&(struct ingestion_options){
				.config = &config, .json = options.json},
			&fault);
	config_finish(&config);
	options_finish(&options);
	return rc < 0 ? say_last(&fault) : STATUS_GOOD;
}
