#include "ingest/command/config_parts.h"
#include "schema/nearest.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUMBER_TEXT 32 /* enough for any int64 */

/* Where the file is looked for without -c. */
static const char *const places[] = {
	"holdfast.json", "/etc/holdfast/holdfast.json"};

/* The content of a secret's file, without its last newline. */
static int secret_read(const char *path, char *out, size_t size,
	const char *where, struct fault *fault)
{
	FILE *file = fopen(path, "rbe");
	if (file == NULL)
		return fault_set(fault, FAULT_USAGE,
			"%s: the secret's file %s: %s", where, path,
			strerror(errno));
	size_t length = fread(out, 1, size, file);
	bool failed = ferror(file) != 0;
	int error = errno;
	(void)fclose(file); /* only read */
	if (failed)
		return fault_set(fault, FAULT_USAGE,
			"%s: the secret's file %s: %s", where, path,
			strerror(error));
	if (length == size)
		return fault_set(fault, FAULT_USAGE,
			"%s: the secret's file %s is longer than %d bytes",
			where, path, CONFIG_SECRET_BYTES_MAX);
	if (memchr(out, '\0', length) != NULL)
		return fault_set(fault, FAULT_USAGE,
			"%s: the secret's file %s holds a NUL byte", where,
			path);
	if (length > 0 && out[length - 1] == '\n')
		length--;
	out[length] = '\0';
	return 0;
}

/* {"file": "/run/secrets/x"}, allowed for texts under kafka. */
static int secret_set(struct config *config, const char *name,
	const json_t *value, const char *where, struct fault *fault)
{
	const json_t *path = json_object_get(value, "file");
	if (!json_is_string(path) || json_object_size(value) != 1)
		return fault_set(fault, FAULT_USAGE,
			"%s: %s is an object: give a text, a number, true or "
			"false, or {\"file\": \"PATH\"} for a secret",
			where, name);
	char *secret = malloc(CONFIG_SECRET_BYTES_MAX + 1);
	if (secret == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	int rc = secret_read(json_string_value(path), secret,
		CONFIG_SECRET_BYTES_MAX + 1, where, fault);
	if (rc == 0)
		rc = config_set(config, name, secret, where, fault);
	free(secret);
	return rc;
}

/* The text of a plain value; NULL: not one that a setting takes. A number's is
 * printed to `number`. */
static const char *plain_text(
	const json_t *value, bool booleans, char number[NUMBER_TEXT])
{
	if (json_is_string(value))
		return json_string_value(value);
	if (booleans && json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	if (!json_is_integer(value))
		return NULL;
	int length = snprintf(number, NUMBER_TEXT, "%" JSON_INTEGER_FORMAT,
		json_integer_value(value));
	return length < 0 ? NULL : number;
}

static int member_set(struct config *config, const char *name,
	const json_t *value, const char *where, struct fault *fault)
{
	bool kafka = strncmp(name, SETTING_KAFKA, strlen(SETTING_KAFKA)) == 0;
	if (!config_knows(name))
		return config_unknown(name, where, fault);
	if (kafka && json_is_object(value))
		return secret_set(config, name, value, where, fault);
	char number[NUMBER_TEXT];
	const char *text = plain_text(value, kafka, number);
	if (text == NULL)
		return fault_set(fault, FAULT_USAGE,
			"%s: %s is neither a text nor a whole number", where,
			name);
	return config_set(config, name, text, where, fault);
}

static bool is_comment(const char *name)
{
	return name[0] == '/' && name[1] == '/';
}

static int join_name(char *out, const char *section, const char *name,
	const char *where, struct fault *fault)
{
	int length = snprintf(out, SETTING_NAME_MAX, "%s.%s", section, name);
	if (length < 0 || length >= SETTING_NAME_MAX)
		return fault_set(fault, FAULT_USAGE,
			"%s: %s has a member whose name is longer than any "
			"setting's",
			where, section);
	return 0;
}

static int section_set(struct config *config, const char *section,
	json_t *members, const char *where, struct fault *fault)
{
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach(members, name, value)
	{
		char full[SETTING_NAME_MAX];
		if (is_comment(name))
			continue;
		int rc = join_name(full, section, name, where, fault);
		if (rc == 0)
			rc = member_set(config, full, value, where, fault);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_section(const char *name)
{
	static const char *const sections[] = {
		"store", "ingest", "serve", "backup", "file", "kafka"};
	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
		if (strcmp(name, sections[i]) == 0)
			return true;
	return false;
}

static int top_member_set(struct config *config, const char *name,
	json_t *value, const char *where, struct fault *fault)
{
	if (is_comment(name))
		return 0;
	if (is_section(name) && json_is_object(value))
		return section_set(config, name, value, where, fault);
	if (is_section(name))
		return fault_set(fault, FAULT_USAGE,
			"%s: %s is no object: write {\"%s\": {…}}", where, name,
			name);
	if (strchr(name, '.') != NULL)
		return fault_set(fault, FAULT_USAGE,
			"%s: %s stands at the top: settings are nested, as in "
			"{\"store\": {\"path\": …}}",
			where, name);
	if (strcmp(name, "schema") == 0)
		return member_set(config, name, value, where, fault);
	static const char *const names[] = {"schema", "store", "ingest",
		"serve", "backup", "file", "kafka"};
	const char *nearest =
		nearest_name(name, names, sizeof names / sizeof names[0]);
	return fault_set(fault, FAULT_USAGE, "%s: unknown setting %s: %s%s%s",
		where, name,
		nearest == NULL ? "there are schema, store, ingest, serve, "
				  "backup, kafka and file"
				: "did you mean ",
		nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
}

static int file_parse(
	struct config *config, const char *path, struct fault *fault)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL && error.line < 0)
		return fault_set(
			fault, FAULT_USAGE, "%s: %s", path, error.text);
	if (root == NULL)
		return fault_set(fault, FAULT_USAGE, "%s:%d: %s", path,
			error.line, error.text);
	int rc = 0;
	if (!json_is_object(root))
		rc = fault_set(fault, FAULT_USAGE,
			"%s: the configuration is one JSON object", path);
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach(root, name, value)
	{
		if (rc == 0)
			rc = top_member_set(config, name, value, path, fault);
	}
	json_decref(root);
	return rc;
}

/* A relative schema stands beside the file that names it. */
static int resolve_schema(struct config *config, struct fault *fault)
{
	const char *slash = strrchr(config->origin, '/');
	if (config->schema[0] == '/' || slash == NULL)
		return 0;
	char *resolved = NULL;
	if (asprintf(&resolved, "%.*s/%s", (int)(slash - config->origin),
		    config->origin, config->schema) < 0)
		return fault_set(fault, FAULT_OOM, "out of memory");
	free(config->schema);
	config->schema = resolved;
	return 0;
}

int config_file_load(
	struct config *config, const char *given, struct fault *fault)
{
	const char *path = given;
	for (size_t i = 0; path == NULL && i < sizeof places / sizeof places[0];
		i++)
		if (access(places[i], F_OK) == 0)
			path = places[i];
	if (path == NULL)
		return 0;
	config->origin = strdup(path);
	if (config->origin == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	int rc = file_parse(config, path, fault);
	return rc < 0 ? rc : resolve_schema(config, fault);
}
