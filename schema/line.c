#include "schema/line.h"

#include "schema/decode.h"
#include "schema/json.h"
#include "schema/rfc3339.h"

#include <string.h>

bool line_is_whole_record(const json_t *line)
{
	static const char *const members[] = {
		"value", "key", "headers", "timestamp"};
	size_t known = 0;
	if (json_object_get(line, members[0]) == NULL)
		return false;
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		known += json_object_get(line, members[i]) != NULL;
	return known == json_object_size(line);
}

static struct slice text_of(const json_t *string)
{
	return (struct slice){
		json_string_value(string), json_string_length(string)};
}

static int open_key(
	const json_t *key, struct arena *arena, struct record *record)
{
	if (key == NULL || json_is_null(key))
		return 0;
	record->key = json_is_string(key) ? arena_copy(arena, text_of(key))
					  : json_print(key, arena);
	return record->key.data == NULL ? FAULT_OOM : 0;
}

static int open_headers(json_t *headers, struct arena *arena,
	struct record *record, const char **wrong)
{
	if (headers == NULL || json_is_null(headers))
		return 0;
	if (!json_is_object(headers)) {
		*wrong = "headers must be an object of strings";
		return 0;
	}
	struct header *list =
		arena_take(arena, json_object_size(headers) * sizeof *list);
	if (list == NULL)
		return FAULT_OOM;
	const char *name;
	size_t length;
	json_t *value;
	json_object_keylen_foreach(headers, name, length, value)
	{
		if (!json_is_string(value) && !json_is_null(value)) {
			*wrong = "a header must be a string or null";
			return 0;
		}
		struct header *header = &list[record->header_count];
		header->name = arena_copy(arena, (struct slice){name, length});
		header->value = arena_copy(arena, text_of(value));
		if (header->name.data == NULL ||
			(json_is_string(value) && header->value.data == NULL))
			return FAULT_OOM;
		record->header_count++;
	}
	record->headers = list;
	return 0;
}

/* Milliseconds, as Kafka's own; read as a real where an integer elsewhere in
 * the line did not fit (json.h). */
static bool milliseconds(const json_t *json, int64_t *out_us)
{
	double real = json_number_value(json);
	if (!json_is_number(json) || !(real >= 0 && real < JSON_LOSSY_FROM))
		return false;
	int64_t ms = (int64_t)real;
	if ((double)ms != real)
		return false;
	return !__builtin_mul_overflow(ms, 1000, out_us);
}

static void open_timestamp(
	const json_t *json, struct record *record, const char **wrong)
{
	if (json == NULL || json_is_null(json))
		return;
	int64_t us = 0;
	bool good = json_is_string(json) ? rfc3339_parse(text_of(json), &us)
					 : milliseconds(json, &us);
	if (!good || us < 0)
		*wrong = "timestamp must be milliseconds since 1970 or an RFC "
			 "3339 time";
	else
		record->timestamp_us = us;
}

int line_open(json_t *line, struct arena *arena, struct record *record,
	json_t **value, const char **wrong)
{
	*wrong = NULL;
	record->key = (struct slice){NULL, 0};
	record->header_count = 0;
	*value = json_object_get(line, "value");
	if (json_is_null(*value))
		*value = NULL;
	int rc = open_key(json_object_get(line, "key"), arena, record);
	if (rc == 0)
		rc = open_headers(
			json_object_get(line, "headers"), arena, record, wrong);
	if (rc == 0 && *wrong == NULL)
		open_timestamp(
			json_object_get(line, "timestamp"), record, wrong);
	return rc;
}

/* Behind the string that starts at text[i]. The text is known to be JSON. */
static size_t skip_string(struct slice text, size_t i)
{
	for (i++; text.data[i] != '"'; i++)
		i += text.data[i] == '\\';
	return i + 1;
}

/* The comma or bracket that ends the value that starts at text[i]. */
static size_t skip_value(struct slice text, size_t i)
{
	size_t depth = 0;
	for (;;) {
		char c = text.data[i];
		if (depth == 0 && (c == ',' || c == '}'))
			return i;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		i = c == '"' ? skip_string(text, i) : i + 1;
	}
}

/* The text of the value of an object's member number `n`: as it was written,
 * so that sending it changes no digit. The text is known to be JSON. */
static struct slice nth_value(struct slice object, size_t n)
{
	size_t i = strcspn(object.data, "{") + 1;
	for (;; n--) {
		while (object.data[i] != '"')
			i++;
		i = skip_string(object, i);
		while (object.data[i] != ':')
			i++;
		size_t end = skip_value(object, i + 1);
		if (n == 0)
			return (struct slice){object.data + i + 1, end - i - 1};
		i = end + 1;
	}
}

static struct slice trimmed(struct slice text)
{
	static const char blanks[] = " \t\r\n";
	while (text.length > 0 && strchr(blanks, text.data[0]) != NULL) {
		text.data++;
		text.length--;
	}
	while (text.length > 0 &&
		strchr(blanks, text.data[text.length - 1]) != NULL)
		text.length--;
	return text;
}

/* jansson keeps members in the order in which they were written. */
static struct slice value_text(struct slice line, json_t *json)
{
	size_t n = 0;
	const char *name;
	json_t *member;
	json_object_foreach(json, name, member)
	{
		if (strcmp(name, "value") == 0)
			break;
		n++;
	}
	return trimmed(nth_value(line, n));
}

static int open_record(struct slice line, json_t *json, struct arena *arena,
	struct record *out, struct fault *fault)
{
	json_t *value;
	const char *wrong;
	if (!line_is_whole_record(json)) {
		out->value = trimmed(line);
		return 0;
	}
	if (line_open(json, arena, out, &value, &wrong) < 0)
		return fault_set(fault, FAULT_OOM, "out of memory");
	if (wrong != NULL)
		return fault_set(fault, FAULT_USAGE, "%s", wrong);
	if (value != NULL)
		out->value = value_text(line, json);
	return 0;
}

int line_parse(struct slice line, struct arena *arena, struct record *out,
	struct fault *fault)
{
	struct json_text json;
	*out = (struct record){
		.form = RECORD_MESSAGE, .timestamp_us = TIMESTAMP_NONE};
	if (json_read(line, DEPTH_MAX + 1, arena, &json) < 0)
		return fault_set(fault, FAULT_OOM, "out of memory");
	if (json.root == NULL)
		return fault_set(fault, FAULT_USAGE, "not JSON (%s): %s",
			reason_name(json.reason),
			json.detail == NULL ? "" : json.detail);
	int rc = open_record(line, json.root, arena, out, fault);
	json_decref(json.root);
	return rc;
}
