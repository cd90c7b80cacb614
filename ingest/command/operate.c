#include "ingest/command/operate.h"

#include "ingest/command/command.h"
#include "ingest/command/control_client.h"
#include "ingest/command/say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ask(const struct operating *operating, const struct options *options,
	const struct config *config, json_t **reply, struct fault *fault)
{
	json_t *arguments = json_object();
	int rc = arguments == NULL
			 ? fault_set(fault, FAULT_OOM, "out of memory")
			 : operating->prepare(options, arguments, fault);
	if (rc == 0)
		rc = control_ask(
			config, operating->action, arguments, reply, fault);
	json_decref(arguments);
	return rc;
}

static void tell(const struct operating *operating,
	const struct options *options, const json_t *reply)
{
	if (!options->json) {
		operating->tell(reply);
		return;
	}
	(void)json_dumpf(reply, stdout, 0);
	fputc('\n', stdout);
}

int operating_run(const struct operating *operating, int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct config config = {0};
	json_t *reply = NULL;
	int rc = options_parse(
		&options, operating->spec, operating->own, argc, argv, &fault);
	bool helped = rc == OPTIONS_HELPED;
	if (rc == OPTIONS_GO)
		rc = options_config(&options, &config, &fault);
	if (rc == 0 && !helped)
		rc = ask(operating, &options, &config, &reply, &fault);
	if (rc == 0 && !helped)
		tell(operating, &options, reply);
	json_decref(reply);
	config_finish(&config);
	options_finish(&options);
	return rc < 0 ? say_fault(&fault) : STATUS_GOOD;
}

int partition_parse(char *text, int32_t *partition, struct fault *fault)
{
	char *colon = strrchr(text, ':');
	char *end = NULL;
	errno = 0;
	long number = colon == NULL ? -1 : strtol(colon + 1, &end, 10);
	if (colon == NULL || colon == text || end == colon + 1 ||
		*end != '\0' || errno != 0 || number < 0 || number > INT32_MAX)
		return fault_set(fault, FAULT_USAGE,
			"%s is no TOPIC:PARTITION, as payments.v1:3", text);
	*colon = '\0';
	*partition = (int32_t)number;
	return 0;
}
