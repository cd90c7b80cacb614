#include "ingest/command/config_parts.h"

#include <ctype.h>
#include <string.h>

#define ENVIRONMENT_PREFIX "HOLDFAST_"
#define KAFKA_PREFIX "KAFKA_"
#define WHERE_BYTES (SETTING_NAME_MAX + 32)

/* A variable, without HOLDFAST_. */
struct variable {
	const char
		*name; /* name[0..length), upper case; "=" and value follow */
	size_t length;
	char where[WHERE_BYTES]; /* "environment HOLDFAST_…", for messages */
};

static bool begins(const struct variable *variable, const char *prefix)
{
	return strncmp(variable->name, prefix, strlen(prefix)) == 0;
}

/* In a section of ours, so it must be a setting. HOLDFAST_CACHE and the like
 * are not ours. */
static bool in_a_section(const struct variable *variable)
{
	static const char *const prefixes[] = {"STORE_", "INGEST_", "SERVE_",
		"BACKUP_", "FILE_", KAFKA_PREFIX};
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
		if (begins(variable, prefixes[i]))
			return true;
	return false;
}

/* Kubernetes sets such for each service of a pod's namespace:
 * NAME_SERVICE_HOST, NAME_PORT=tcp://…, NAME_PORT_80_TCP_ADDR and more. A
 * service named holdfast-serve so puts a HOLDFAST_SERVE_PORT there, which is
 * none of ours. Source:
 * kubernetes.io/docs/concepts/services-networking/service, "Environment
 * variables". */
static bool is_service_link(const struct variable *variable)
{
	static const char *const marks[] = {"_SERVICE_HOST=", "_SERVICE_PORT",
		"_PORT=tcp://", "_PORT=udp://", "_TCP=tcp://", "_TCP_",
		"_UDP=udp://", "_UDP_"};
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		const char *mark = strstr(variable->name, marks[i]);
		if (mark != NULL && mark < variable->name + variable->length)
			return true;
	}
	return false;
}

/* BATCH_RECORDS: batch_records, or for librdkafka, whose settings have dots and
 * no underscores, batch.records. */
static void fold(
	const char *variable, size_t length, char underscore, char *out)
{
	for (size_t i = 0; i < length; i++)
		out[i] = (char)(variable[i] == '_'
					? underscore
					: tolower((unsigned char)variable[i]));
	out[length] = '\0';
}

/* INGEST_BATCH_RECORDS is ingest.batch_records: section, dot, name. */
static void setting_name(const struct variable *variable, char *out)
{
	char underscore = begins(variable, KAFKA_PREFIX) ? '.' : '_';
	const char *end = memchr(variable->name, '_', variable->length);
	fold(variable->name, variable->length, underscore, out);
	if (end != NULL)
		out[end - variable->name] = '.';
}

static int variable_set(struct config *config, const struct variable *variable,
	struct fault *fault)
{
	char name[SETTING_NAME_MAX];
	bool ours = in_a_section(variable);
	if (ours && is_service_link(variable))
		return fault_set(fault, FAULT_USAGE,
			"%s is what Kubernetes sets for a service of that "
			"name, "
			"and no setting: set enableServiceLinks: false in the "
			"pod, or name the service otherwise",
			variable->where);
	if (variable->length >= sizeof name)
		return !ours ? 0
			     : fault_set(fault, FAULT_USAGE,
				       "%s: longer than any setting",
				       variable->where);
	setting_name(variable, name);
	if (config_knows(name))
		return config_set(config, name,
			variable->name + variable->length + 1, variable->where,
			fault);
	return ours ? config_unknown(name, "environment", fault) : 0;
}

int config_environment_load(struct config *config,
	const char *const *environment, struct fault *fault)
{
	size_t prefix = strlen(ENVIRONMENT_PREFIX);
	for (; environment != NULL && *environment != NULL; environment++) {
		struct variable variable = {.name = *environment + prefix};
		if (strncmp(*environment, ENVIRONMENT_PREFIX, prefix) != 0)
			continue;
		variable.length = strcspn(variable.name, "=");
		if (variable.name[variable.length] == '\0')
			continue;
		if (snprintf(variable.where, sizeof variable.where,
			    "environment " ENVIRONMENT_PREFIX "%.*s",
			    (int)variable.length, variable.name) < 0)
			variable.where[0] = '\0';
		int rc = variable_set(config, &variable, fault);
		if (rc < 0)
			return rc;
	}
	return 0;
}
