/* holdfast broker: a development broker in memory. */
#include "ingest/command/command.h"
#include "ingest/command/options.h"
#include "ingest/command/port_file.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/kafka/kafka_broker.h"

#include <stdio.h>
#include <unistd.h>

struct broker_options {
	char *port_file;
	struct texts topics;
};

static const struct field fields[] = {
	{"topic", FIELD_TEXTS, offsetof(struct broker_options, topics), NULL, 0,
		0, "NAME", "create it with 32 partitions; may be given again"},
	{"port-file", FIELD_TEXT, offsetof(struct broker_options, port_file),
		NULL, 0, 0, "FILE", "write HOST:PORT there, too"},
};

static const struct options_spec spec = {
	.usage = "broker [--topic NAME] [--port-file FILE]",
	.summary = "Runs librdkafka's mock cluster until SIGTERM or SIGINT and "
		   "prints its HOST:PORT.\nThe log is in memory: it ends with "
		   "the process, and drops what exceeds 5 MiB or\n100,000 "
		   "batches a partition.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
};

/* Returns only for a fault. */
static int serve(struct kafka_broker *broker,
	const struct broker_options *options, struct fault *fault)
{
	const char *bootstrap = kafka_broker_bootstrap(broker);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < options->topics.count; i++)
		rc = kafka_broker_topic(broker, options->topics.items[i],
			KAFKA_BROKER_PARTITIONS, fault);
	if (rc == 0 && options->port_file != NULL)
		rc = port_file_write(options->port_file, bootstrap, fault);
	if (rc < 0)
		return rc;
	puts(bootstrap);
	(void)fflush(stdout); /* whoever read it may be gone: goes on */
	signals_wait();
	/* There is nothing to save, and librdkafka 2.0.2 can hang for ever in
	 * closing a mock cluster whose clients end at the same moment. */
	_exit(STATUS_GOOD);
}

int command_broker(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct broker_options own = {0};
	struct kafka_broker *broker = NULL;
	int rc = options_parse(&options, &spec, &own, argc, argv, &fault);
	if (rc == OPTIONS_GO)
		rc = signals_install(&fault);
	if (rc == OPTIONS_GO)
		rc = kafka_broker_open(&broker, &fault);
	if (rc == OPTIONS_GO)
		rc = serve(broker, &own, &fault);
	kafka_broker_close(broker);
	options_finish(&options);
	return rc < 0 ? say_fault(&fault) : STATUS_GOOD;
}
