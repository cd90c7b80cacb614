#include "ingest/command/config.h"

#include "ingest/command/config_parts.h"
#include "ingest/command/field.h"
#include "schema/nearest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define DAY_US (24 * HOUR_US)
#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define ENVIRONMENT_PREFIX "HOLDFAST_"

/* The one list of settings. Defaults are those of design section 11, the same
 * as store_options_default() and pipeline_options_default(): a test holds them
 * together. */
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
		64 * GIB, "SIZE", "the WAL is truncated beyond"},
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

/* "INGEST_BATCH_RECORDS" is "ingest.batch_records": dots and underscores
 * fold, and letters' case. */
static bool folds_to(const char *variable, size_t length, const char *name)
{
	if (strlen(name) != length)
		return false;
	for (size_t i = 0; i < length; i++) {
		int folded =
			name[i] == '.' ? '_' : toupper((unsigned char)name[i]);
		if (variable[i] != folded)
			return false;
	}
	return true;
}

/* librdkafka's settings have dots and no underscores. */
static int variable_kafka(struct config *config, const char *variable,
	size_t length, const char *where, struct fault *fault)
{
	char name[SETTING_NAME_MAX];
	if (length >= sizeof name)
		return fault_set(fault, FAULT_USAGE,
			"%s: longer than any kafka setting", where);
	for (size_t i = 0; i < length; i++)
		name[i] = (char)(variable[i] == '_'
					 ? '.'
					 : tolower((unsigned char)variable[i]));
	name[length] = '\0';
	return kafka_set(config, name, variable + length + 1, where, fault);
}

/* In a section of ours, so it must be one of ours. */
static bool in_a_section(const char *variable)
{
	static const char *const prefixes[] = {"STORE_", "INGEST_", "FILE_"};
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
		if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static int variable_unknown(
	const char *variable, size_t length, struct fault *fault)
{
	char name[SETTING_NAME_MAX];
	size_t kept = length < sizeof name ? length : sizeof name - 1;
	const char *dot = memchr(variable, '_', kept);
	for (size_t i = 0; i < kept; i++)
		name[i] = (char)(variable + i == dot
					 ? '.'
					 : tolower((unsigned char)variable[i]));
	name[kept] = '\0';
	return config_unknown(name, "environment", fault);
}

/* `variable` is behind its prefix; HOLDFAST_CACHE and the like are not ours. */
static int variable_set(
	struct config *config, const char *variable, struct fault *fault)
{
	size_t length = strcspn(variable, "=");
	if (variable[length] == '\0')
		return 0;
	char where[SETTING_NAME_MAX];
	if (snprintf(where, sizeof where, "environment %s%.*s",
		    ENVIRONMENT_PREFIX, (int)length, variable) < 0)
		where[0] = '\0';
	if (strncmp(variable, "KAFKA_", 6) == 0)
		return variable_kafka(
			config, variable + 6, length - 6, where, fault);
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (folds_to(variable, length, settings[i].name))
			return field_set(&settings[i], config,
				variable + length + 1, where, fault);
	return in_a_section(variable)
		       ? variable_unknown(variable, length, fault)
		       : 0;
}

static int environment_load(struct config *config,
	const char *const *environment, struct fault *fault)
{
	size_t prefix = strlen(ENVIRONMENT_PREFIX);
	for (; environment != NULL && *environment != NULL; environment++) {
		if (strncmp(*environment, ENVIRONMENT_PREFIX, prefix) != 0)
			continue;
		int rc = variable_set(config, *environment + prefix, fault);
		if (rc < 0)
			return rc;
	}
	return 0;
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
		rc = environment_load(config, request->environment, fault);
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
