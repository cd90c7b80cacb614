#include "schema/schema_read.h"

#include "schema/duration.h"
#include "schema/nearest.h"
#include "schema/pointer.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* A pointer longer than this is cut off in messages. */
#define PLACE_BYTES_MAX 512

/* Append to text[0..PLACE_BYTES_MAX), escaped as RFC 6901 wants it. */
static size_t append(char *text, size_t length, const char *token)
{
	for (; *token != '\0' && length + 3 < PLACE_BYTES_MAX; token++) {
		if (*token == '~' || *token == '/') {
			text[length++] = '~';
			text[length++] = *token == '~' ? '0' : '1';
		} else {
			text[length++] = *token;
		}
	}
	return length;
}

static size_t print_place(const struct place *place, char *text)
{
	if (place == NULL)
		return 0;
	size_t length = print_place(place->above, text);
	if (length + 2 < PLACE_BYTES_MAX)
		text[length++] = '/';
	if (place->member != NULL)
		return append(text, length, place->member);
	char number[24];
	if (snprintf(number, sizeof number, "%zu", place->index) < 0)
		return length;
	return append(text, length, number);
}

int reader_refuse(const struct reader *reader, const struct place *place,
	const char *format, ...)
{
	char at[PLACE_BYTES_MAX];
	at[print_place(place, at)] = '\0';
	char text[sizeof reader->fault->text];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (length < 0)
		text[0] = '\0';
	return fault_set(reader->fault, FAULT_USAGE, "%s: %s%s%s", reader->name,
		at, at[0] == '\0' ? "" : ": ", text);
}

void *reader_take(const struct reader *reader, size_t size)
{
	void *memory = arena_take(reader->arena, size);
	if (memory == NULL) {
		fault_set(reader->fault, FAULT_OOM, "%s: out of memory",
			reader->name);
		return NULL;
	}
	memset(memory, 0, size);
	return memory;
}

static bool is_among(const char *name, struct names names)
{
	for (size_t i = 0; i < names.count; i++)
		if (strcmp(name, names.list[i]) == 0)
			return true;
	return false;
}

int reader_unknown(const struct reader *reader, const struct place *place,
	const char *what, const char *name, struct names known)
{
	const char *nearest = nearest_name(name, known.list, known.count);
	if (nearest == NULL)
		return reader_refuse(reader, place, "%s \"%s\"", what, name);
	return reader_refuse(reader, place, "%s \"%s\": did you mean \"%s\"?",
		what, name, nearest);
}

int reader_object(const struct reader *reader, const struct place *place,
	json_t *json, struct names members)
{
	if (!json_is_object(json))
		return reader_refuse(reader, place, "must be an object");
	const char *name;
	json_t *value;
	json_object_foreach(json, name,
		value) if (members.count > 0 &&
			   !is_among(
				   name, members)) return reader_unknown(reader,
		place, "unknown member", name, members);
	return 0;
}

int reader_name(const struct reader *reader, const struct place *place,
	const char *name)
{
	size_t length = strlen(name);
	bool good = length > 0 && length <= SCHEMA_NAME_MAX && name[0] >= 'a' &&
		    name[0] <= 'z' &&
		    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
			    length &&
		    strncmp(name, "sqlite_", 7) != 0;
	if (good)
		return 0;
	return reader_refuse(reader, place,
		"the name \"%s\" can't be used: a lower-case letter, then at "
		"most 62 lower-case letters, digits and _, and not sqlite_…",
		name);
}

int reader_text(const struct reader *reader, const struct place *object_place,
	const json_t *object, const char *member, const char **out)
{
	const json_t *json = json_object_get(object, member);
	if (json == NULL)
		return 0;
	const struct place place = {object_place, member, 0};
	const char *text = json_string_value(json);
	if (text == NULL)
		return reader_refuse(reader, &place, "must be a string");
	if (strlen(text) != json_string_length(json))
		return reader_refuse(reader, &place, "has a NUL in it");
	*out = text;
	return 0;
}

int reader_choice(const struct reader *reader, const struct place *object_place,
	const json_t *object, const char *member, struct names choices,
	int otherwise)
{
	const char *text = NULL;
	int rc = reader_text(reader, object_place, object, member, &text);
	if (rc < 0 || text == NULL)
		return rc < 0 ? rc : otherwise;
	for (size_t i = 0; i < choices.count; i++)
		if (strcmp(text, choices.list[i]) == 0)
			return (int)i;
	const struct place place = {object_place, member, 0};
	char list[256];
	size_t length = 0;
	for (size_t i = 0; i < choices.count && length < sizeof list; i++) {
		int more = snprintf(list + length, sizeof list - length,
			"%s\"%s\"", i == 0 ? "" : ", ", choices.list[i]);
		length += more < 0 ? sizeof list : (size_t)more;
	}
	return reader_refuse(
		reader, &place, "\"%s\" is not one of %s", text, list);
}

int reader_duration(const struct reader *reader,
	const struct place *object_place, const json_t *object,
	const char *member, int64_t *out_us)
{
	const char *text = NULL;
	int rc = reader_text(reader, object_place, object, member, &text);
	if (rc < 0 || text == NULL)
		return rc;
	const struct place place = {object_place, member, 0};
	if (!duration_parse(slice_of(text), out_us) || *out_us == 0)
		return reader_refuse(reader, &place,
			"\"%s\" is not a duration above zero such as \"30d\", "
			"\"2h\", \"1m\", \"5s\" or \"500ms\"",
			text);
	return 0;
}

int reader_pointer(const struct reader *reader, const struct place *place,
	const char *text, struct pointer *out)
{
	const char *wrong = NULL;
	int rc = pointer_parse(out, text, reader->arena, &wrong);
	if (rc < 0)
		return fault_set(
			reader->fault, rc, "%s: out of memory", reader->name);
	if (rc == POINTER_WRONG)
		return reader_refuse(reader, place, "\"%s\": %s", text, wrong);
	return 0;
}

int reader_json_pointer(const struct reader *reader, const struct place *place,
	const json_t *json, struct pointer *out)
{
	const char *text = json_string_value(json);
	if (text == NULL || strlen(text) != json_string_length(json))
		return reader_refuse(reader, place,
			"must be a JSON pointer, a string such as "
			"\"/user/id\"");
	return reader_pointer(reader, place, text, out);
}

/* reader_names() reads the first member. */
static_assert(offsetof(struct view, name) == 0, "a view begins with its name");
static_assert(offsetof(struct feature, name) == 0, "so does a feature");
static_assert(offsetof(struct entity_key, name) == 0, "and a join key");

int reader_names(const struct reader *reader, const void *things, size_t count,
	size_t size, struct names *out)
{
	const char **list = reader_take(reader, count * sizeof *list);
	if (list == NULL)
		return FAULT_OOM;
	for (size_t i = 0; i < count; i++)
		memcpy(&list[i], (const char *)things + i * size, sizeof *list);
	*out = (struct names){list, count};
	return 0;
}
