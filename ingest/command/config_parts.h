/*
 * What the parts of the configuration share: config.c knows the settings,
 * config_file.c reads the file, config_environment.c the environment.
 */
#ifndef HOLDFAST_INGEST_COMMAND_CONFIG_PARTS_H
#define HOLDFAST_INGEST_COMMAND_CONFIG_PARTS_H

#include "ingest/command/config.h"

#define SETTING_NAME_MAX 128   /* longer than any of ours or librdkafka's */
#define SETTING_KAFKA "kafka." /* what begins so goes through to librdkafka */

/* Set by full name ("store.path"); `where` says who, for messages.
 * Errors: FAULT_USAGE, FAULT_OOM. */
int config_set(struct config *config, const char *name, const char *text,
	const char *where, struct fault *fault);

/* Is it a setting of ours, or one for librdkafka? */
bool config_knows(const char *name);

/* Refuse a name that no setting has, naming the nearest. */
int config_unknown(const char *name, const char *where, struct fault *fault);

/* Read the file at `given`, or, if NULL, the first there is; none is fine.
 * Errors: FAULT_USAGE, FAULT_OOM. */
int config_file_load(
	struct config *config, const char *given, struct fault *fault);

/* Take what `environment` ("NAME=value", ends with NULL; or NULL) sets.
 * Errors: FAULT_USAGE, FAULT_OOM. */
int config_environment_load(struct config *config,
	const char *const *environment, struct fault *fault);

#endif
