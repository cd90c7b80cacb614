#include "ingest/command/config.h"

#include "ingest/command/config_parts.h"
#include "ingest/command/field.h"
#include "schema/nearest.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define DAY_US (24 * HOUR_US)
#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

/* The one list of settings. Defaults are those of design section 11, the same
 * as store_options_default(), pipeline_options_default() and
 * serve_options_default(): a test holds them together. */
static const struct field settings[] = {
	{"schema", FIELD_TEXT, offsetof(struct config, schema), "schema.json",
		0, 0, "FILE",
		"the schema of a new store; relative to this file"},
	{"store.path", FIELD_TEXT, offsetof(struct config, store.path),
		"/var/lib/holdfast", 0, 0, "DIRECTORY", "where the store is"},
	{"store.key_window", FIELD_DURATION,
		offsetof(struct config, store.key_window_us), "1h", SECOND_US,
		365 * DAY_US, "DURATION",
		"copies of an event this far apart are found"},
	{"store.key_window_keys", FIELD_COUNT,
		offsetof(struct config, store.key_window_keys), "1000000", 1,
		INT64_C(1000000000), "COUNT", "the newest keys stay anyway"},
	{"store.key_window_max_bytes", FIELD_SIZE,
		offsetof(struct config, store.key_window_max_bytes), "8GiB",
		MIB, 1024 * GIB, "SIZE", "ingest slows down before more"},
	{"store.wal_max_bytes", FIELD_SIZE,
		offsetof(struct config, store.wal_max_bytes), "200MiB", MIB,
		64 * GIB, "SIZE", "the WAL is begun anew beyond"},
	{"store.cache_bytes", FIELD_SIZE,
		offsetof(struct config, store.cache_bytes), "128MiB", MIB,
		1024 * GIB, "SIZE",
		"pages of the file that ingest keeps in memory"},
	{"store.ballast_bytes", FIELD_SIZE,
		offsetof(struct config, store.ballast_bytes), "200MiB", 0,
		64 * GIB, "SIZE",
		"room given up first when the disk is full; the WAL's limit or "
		"more; 0B: none"},
	{"store.reader_max", FIELD_DURATION,
		offsetof(struct config, store.reader_max_us), "30s", 0, DAY_US,
		"DURATION",
		"ingest waits for readers that hold the WAL beyond its limit "
		"for longer"},
	{"store.lock_wait", FIELD_DURATION,
		offsetof(struct config, store.lock_wait_us), "10s", 0, HOUR_US,
		"DURATION",
		"ingest waits so long for a command that has the store"},
	{"store.busy_timeout", FIELD_DURATION,
		offsetof(struct config, store.busy_timeout_us), "5s", 0,
		HOUR_US, "DURATION", "wait for another process's lock"},
	{"ingest.linger", FIELD_DURATION,
		offsetof(struct config, ingest.linger_us), "3ms", 0,
		10 * SECOND_US, "DURATION",
		"a batch waits for company when caught up"},
	{"ingest.batch_age", FIELD_DURATION,
		offsetof(struct config, ingest.batch_age_us), "1s", 1000,
		60 * SECOND_US, "DURATION", "a batch closes at this age"},
	{"ingest.batch_records", FIELD_COUNT,
		offsetof(struct config, ingest.batch_records), "20000", 1,
		20000, "COUNT", "or at so many records"},
	{"ingest.batch_bytes", FIELD_SIZE,
		offsetof(struct config, ingest.batch_bytes), "64MiB", KIB, GIB,
		"SIZE", "or at so many bytes"},
	{"ingest.max_skew", FIELD_DURATION,
		offsetof(struct config, ingest.max_skew_us), "1h", 0,
		365 * DAY_US, "DURATION",
		"an event time further after its record is dead"},
	{"ingest.value_bytes_max", FIELD_SIZE,
		offsetof(struct config, ingest.value_bytes_max), "1MiB", KIB,
		GIB, "SIZE", "a longer value is dead"},
	{"ingest.depth_max", FIELD_COUNT,
		offsetof(struct config, ingest.depth_max), "64", 1, 1000,
		"COUNT", "a value nested deeper is dead"},
	{"ingest.retry_attempts", FIELD_COUNT,
		offsetof(struct config, ingest.retry_attempts), "30", 1,
		1000000, "COUNT",
		"a parked update is dead after so many; the default is a day"},
	{"ingest.parked_max", FIELD_COUNT,
		offsetof(struct config, ingest.parked_max), "100000", 1,
		INT64_C(1000000000), "COUNT",
		"a topic with so many parked updates waits"},
	{"ingest.parked_max_bytes", FIELD_SIZE,
		offsetof(struct config, ingest.parked_max_bytes), "1GiB", KIB,
		1024 * GIB, "SIZE", "or with so many bytes of them"},
	{"ingest.dead_max_bytes", FIELD_SIZE,
		offsetof(struct config, ingest.dead_max_bytes), "8GiB", KIB,
		1024 * GIB, "SIZE",
		"a topic with so many bytes of dead letters stops"},
	{"ingest.dead_share_max", FIELD_SHARE,
		offsetof(struct config, ingest.dead_share_max), "0.5", 0, 1,
		"SHARE",
		"a partition with a larger share of dead letters stops; 1: "
		"never"},
	{"ingest.dead_keep", FIELD_DURATION,
		offsetof(struct config, ingest.dead_keep_us), "30d", 0,
		3650 * DAY_US, "DURATION",
		"dead letters leave so long after `dead drop`"},
	{"serve.address", FIELD_TEXT, offsetof(struct config, serve.address),
		"127.0.0.1", 0, 0, "ADDRESS",
		"an IP address to listen on; 0.0.0.0 or :: for all"},
	{"serve.port", FIELD_COUNT, offsetof(struct config, serve.port), "6566",
		0, UINT16_MAX, "PORT", "0 takes any free one"},
	{"serve.threads", FIELD_COUNT, offsetof(struct config, serve.threads),
		"4", 1, 256, "COUNT",
		"each with a connection to the store of its own"},
	{"serve.body_bytes_max", FIELD_SIZE,
		offsetof(struct config, serve.body_bytes_max), "1MiB", KIB, GIB,
		"SIZE", "a longer request is refused"},
	{"serve.replies_bytes_max", FIELD_SIZE,
		offsetof(struct config, serve.replies_bytes_max), "256MiB", MIB,
		1024 * GIB, "SIZE",
		"large replies under way, all together; beyond: 503"},
	{"serve.entities_max", FIELD_COUNT,
		offsetof(struct config, serve.entities_max), "10000", 1,
		1000000, "COUNT", "entities of a request"},
	{"serve.features_max", FIELD_COUNT,
		offsetof(struct config, serve.features_max), "1900", 1, 100000,
		"COUNT", "features of a request, over all views"},
	{"serve.connections_max", FIELD_COUNT,
		offsetof(struct config, serve.connections_max), "1000", 1,
		1000000, "COUNT", "at once"},
	{"serve.request_time", FIELD_DURATION,
		offsetof(struct config, serve.request_time_us), "10s",
		SECOND_US, HOUR_US, "DURATION",
		"a request and its reply take longer: cut off"},
	{"serve.idle_time", FIELD_DURATION,
		offsetof(struct config, serve.idle_time_us), "5m", SECOND_US,
		DAY_US, "DURATION", "a connection without a request is closed"},
	{"serve.wait_time", FIELD_DURATION,
		offsetof(struct config, serve.wait_time_us), "1s", 0,
		60 * SECOND_US, "DURATION", "longest wait for at_least"},
	{"serve.waiting_max", FIELD_COUNT,
		offsetof(struct config, serve.waiting_max), "100", 0, 1000000,
		"COUNT", "requests that wait for it at once"},
	{"serve.stop_time", FIELD_DURATION,
		offsetof(struct config, serve.stop_time_us), "5s", 0, HOUR_US,
		"DURATION", "a stop waits for requests under way"},
	{"backup.every", FIELD_DURATION,
		offsetof(struct config, backup.every_us), "0s", 0, 365 * DAY_US,
		"DURATION", "a backup is made so often by itself; 0s: never"},
	{"backup.keep", FIELD_COUNT, offsetof(struct config, backup.keep), "3",
		1, 10000, "COUNT",
		"so many of the backups that nobody named stay"},
	{"file.path", FIELD_TEXT, offsetof(struct config, file.path), NULL, 0,
		0, "FILE",
		"take records from this NDJSON file, not from Kafka"},
	{"file.topic", FIELD_TEXT, offsetof(struct config, file.topic), NULL, 0,
		0, "TOPIC", "the source whose records they are"},
};
#define SETTING_COUNT (sizeof settings / sizeof settings[0])

int config_unknown(const char *name, const char *where, struct fault *fault)
{
	const char *names[SETTING_COUNT + 1];
	for (size_t i = 0; i < SETTING_COUNT; i++)
		names[i] = settings[i].name;
	names[SETTING_COUNT] = SETTING_KAFKA "bootstrap.servers";
	const char *nearest = nearest_name(name, names, SETTING_COUNT + 1);
	if (nearest == NULL)
		return fault_set(fault, FAULT_USAGE,
			"%s: unknown setting %s: `holdfast run --help` lists "
			"them all",
			where, name);
	return fault_set(fault, FAULT_USAGE,
		"%s: unknown setting %s: did you mean %s?", where, name,
		nearest);
}

static const struct kafka_setting *kafka_find(
	const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->kafka_count; i++)
		if (strcmp(config->kafka[i].name, name) == 0)
			return &config->kafka[i];
	return NULL;
}

const char *config_kafka(const struct config *config, const char *name)
{
	const struct kafka_setting *found = kafka_find(config, name);
	return found == NULL ? NULL : found->value;
}

struct kafka_settings config_kafka_settings(const struct config *config,
	struct kafka_setting items[CONFIG_KAFKA_MAX])
{
	size_t count = 0;
	for (size_t i = 0; i < config->kafka_count; i++)
		if (strcmp(config->kafka[i].name, CONFIG_GROUP_ID) != 0)
			items[count++] = config->kafka[i];
	return (struct kafka_settings){items, count};
}

/* The texts are owned by the config; kafka_setting shows them as const. */
static void kafka_release(struct kafka_setting *setting)
{
	free((void *)(uintptr_t)setting->name);
	free((void *)(uintptr_t)setting->value);
	*setting = (struct kafka_setting){NULL, NULL};
}

static int kafka_set(struct config *config, const char *name, const char *text,
	const char *where, struct fault *fault)
{
	const struct kafka_setting *held = kafka_find(config, name);
	size_t place = held == NULL ? config->kafka_count
				    : (size_t)(held - config->kafka);
	if (place == CONFIG_KAFKA_MAX)
		return fault_set(fault, FAULT_USAGE,
			"%s: more than %d kafka settings", where,
			CONFIG_KAFKA_MAX);
	struct kafka_setting made = {strdup(name), strdup(text)};
	if (made.name == NULL || made.value == NULL) {
		kafka_release(&made);
		return fault_set(fault, FAULT_OOM, "out of memory");
	}
	if (held == NULL)
		config->kafka_count++;
	else
		kafka_release(&config->kafka[place]);
	config->kafka[place] = made;
	return 0;
}

int config_set(struct config *config, const char *name, const char *text,
	const char *where, struct fault *fault)
{
	size_t prefix = strlen(SETTING_KAFKA);
	if (strncmp(name, SETTING_KAFKA, prefix) == 0)
		return kafka_set(config, name + prefix, text, where, fault);
	const struct field *setting = field_find(settings, SETTING_COUNT, name);
	if (setting == NULL)
		return config_unknown(name, where, fault);
	return field_set(setting, config, text, where, fault);
}

bool config_knows(const char *name)
{
	return strncmp(name, SETTING_KAFKA, strlen(SETTING_KAFKA)) == 0 ||
	       field_find(settings, SETTING_COUNT, name) != NULL;
}

static int assignment_load(
	struct config *config, const char *set, struct fault *fault)
{
	size_t length = strcspn(set, "=");
	char name[SETTING_NAME_MAX];
	if (set[length] == '\0' || length == 0 || length >= sizeof name)
		return fault_set(fault, FAULT_USAGE,
			"--set %s: write it as --set store.path=DIRECTORY",
			set);
	memcpy(name, set, length);
	name[length] = '\0';
	return config_set(config, name, set + length + 1, "--set", fault);
}

static int check_together(const struct config *config, struct fault *fault)
{
	if ((config->file.path == NULL) == (config->file.topic == NULL))
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"%s is set and %s is not: a file source needs both",
		config->file.path == NULL ? "file.topic" : "file.path",
		config->file.path == NULL ? "file.path" : "file.topic");
}

static int load(struct config *config, const struct config_request *request,
	struct fault *fault)
{
	int rc = fields_default(settings, SETTING_COUNT, config, fault);
	if (rc == 0)
		rc = config_file_load(config, request->file, fault);
	if (rc == 0)
		rc = config_environment_load(
			config, request->environment, fault);
	for (size_t i = 0; rc == 0 && i < request->set_count; i++)
		rc = assignment_load(config, request->sets[i], fault);
	return rc < 0 ? rc : check_together(config, fault);
}

int config_load(struct config *out, const struct config_request *request,
	struct fault *fault)
{
	*out = (struct config){0};
	int rc = load(out, request, fault);
	if (rc < 0)
		config_finish(out);
	return rc;
}

void config_finish(struct config *config)
{
	fields_finish(settings, SETTING_COUNT, config);
	free(config->origin);
	config->origin = NULL;
	while (config->kafka_count > 0)
		kafka_release(&config->kafka[--config->kafka_count]);
}

void config_help(FILE *out)
{
	fputs("\nSettings: in the file of -c, ./holdfast.json or "
	      "/etc/holdfast/holdfast.json; or the\nenvironment, as "
	      "HOLDFAST_STORE_PATH; or --set store.path=DIRECTORY:\n",
		out);
	fields_help(settings, SETTING_COUNT, "", out);
	fputs("  kafka.bootstrap.servers HOST:PORT,…   and any other setting "
	      "of librdkafka, but those that would break\n                  "
	      "                    a promise; kafka.group.id (default "
	      "holdfast-STORE_ID) is for commits and dashboards\n",
		out);
}
