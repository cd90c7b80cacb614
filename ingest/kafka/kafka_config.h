/*
 * librdkafka's settings: ours, the operator's, and those nobody may change.
 *
 * All `kafka.*` settings of the configuration go through to librdkafka, but
 * those that would break a promise are refused by name (design section 8).
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_CONFIG_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_CONFIG_H

#include "schema/fault.h"

#include <stddef.h>

struct kafka_setting {
	const char *name; /* without "kafka.": "bootstrap.servers" */
	const char *value;
};

struct kafka_settings {
	const struct kafka_setting *items; /* items[0..count) */
	size_t count;
};

/* Are all settings allowed and known to librdkafka? Errors: FAULT_USAGE, which
 * names the setting and says why. */
int kafka_settings_check(
	const struct kafka_settings *settings, struct fault *fault);

#endif
