#include "ingest/command/field.h"

#include "ingest/command/size.h"
#include "schema/duration.h"
#include "schema/rfc3339.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAME_WIDTH 38 /* of the help's first column */

static void *place_of(const struct field *field, void *base)
{
	return (char *)base + field->offset;
}

static bool plain_number(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool count_parse(const char *text, int64_t *out)
{
	char *end = NULL;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	*out = number;
	return plain_number(text) && errno == 0 && *end == '\0';
}

/* strtod() alone would take " 1", "0x1" and "nan". */
static bool real_parse(const char *text, double *out)
{
	char *end = NULL;
	errno = 0;
	*out = strtod(text, &end);
	return text[0] != '\0' &&
	       text[strspn(text, "0123456789.eE+-")] == '\0' && errno == 0 &&
	       *end == '\0' && isfinite(*out);
}

/* What a value of the kind looks like, for messages. */
static const char *form_of(enum field_kind kind)
{
	switch (kind) {
	case FIELD_DURATION:
		return "a whole number and a unit: us, ms, s, m, h or d";
	case FIELD_SIZE:
		return "a whole number and a unit: B, kB, MB, GB, KiB, MiB or "
		       "GiB";
	case FIELD_COUNT:
		return "a whole number";
	case FIELD_SHARE:
		return "a number from 0 to 1";
	case FIELD_TIME:
		return "a time as 2026-11-23T08:20:48Z";
	default:
		return "a number";
	}
}

static bool integer_parse(enum field_kind kind, const char *text, int64_t *out)
{
	switch (kind) {
	case FIELD_DURATION:
		return duration_parse(slice_of(text), out);
	case FIELD_SIZE:
		return size_parse(slice_of(text), out);
	case FIELD_TIME:
		return rfc3339_parse(slice_of(text), out);
	default:
		return count_parse(text, out);
	}
}

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first; each list ends with the unit that a place counts in. */
static const struct unit duration_units[] = {{"d", 86400 * INT64_C(1000000)},
	{"h", 3600 * INT64_C(1000000)}, {"m", 60 * INT64_C(1000000)},
	{"s", INT64_C(1000000)}, {"ms", 1000}, {"us", 1}};
static const struct unit size_units[] = {{"GiB", INT64_C(1) << 30},
	{"MiB", INT64_C(1) << 20}, {"KiB", INT64_C(1) << 10}, {"B", 1}};
static const struct unit no_units[] = {{"", 1}};

#define BOUND_TEXT 32

/* In the largest unit that shows it without a fraction. */
static char *bound_print(
	enum field_kind kind, int64_t value, char out[BOUND_TEXT])
{
	const struct unit *unit = kind == FIELD_DURATION ? duration_units
				  : kind == FIELD_SIZE	 ? size_units
							 : no_units;
	while (unit->factor > 1 && (value == 0 || value % unit->factor != 0))
		unit++;
	int length = snprintf(out, BOUND_TEXT, "%" PRId64 "%s",
		value / unit->factor, unit->name);
	if (length < 0)
		out[0] = '\0';
	return out;
}

static int integer_set(const struct field *field, void *base, const char *text,
	const char *where, struct fault *fault)
{
	int64_t value = 0;
	if (!integer_parse(field->kind, text, &value))
		return fault_set(fault, FAULT_USAGE,
			"%s: %s is \"%s\": give %s", where, field->name, text,
			form_of(field->kind));
	if (value < field->minimum || value > field->maximum) {
		char low[BOUND_TEXT], high[BOUND_TEXT];
		return fault_set(fault, FAULT_USAGE,
			"%s: %s is \"%s\": give %s to %s", where, field->name,
			text, bound_print(field->kind, field->minimum, low),
			bound_print(field->kind, field->maximum, high));
	}
	memcpy(place_of(field, base), &value, sizeof value);
	return 0;
}

static int real_set(const struct field *field, void *base, const char *text,
	const char *where, struct fault *fault)
{
	double value = 0;
	double maximum =
		field->kind == FIELD_SHARE ? 1 : (double)field->maximum;
	if (!real_parse(text, &value) || value < 0 || value > maximum)
		return fault_set(fault, FAULT_USAGE,
			"%s: %s is \"%s\": give a number from 0 to %g", where,
			field->name, text, maximum);
	memcpy(place_of(field, base), &value, sizeof value);
	return 0;
}

static int text_set(const struct field *field, void *base, const char *text,
	const char *where, struct fault *fault)
{
	struct texts *list =
		field->kind == FIELD_TEXTS ? place_of(field, base) : NULL;
	if (text[0] == '\0')
		return fault_set(fault, FAULT_USAGE, "%s: %s is empty", where,
			field->name);
	if (list != NULL && list->count == TEXTS_MAX)
		return fault_set(fault, FAULT_USAGE,
			"%s: %s is given more than %d times", where,
			field->name, TEXTS_MAX);
	char *copy = strdup(text);
	if (copy == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	if (list != NULL) {
		list->items[list->count++] = copy;
		return 0;
	}
	char **place = place_of(field, base);
	free(*place);
	*place = copy;
	return 0;
}

int field_set(const struct field *field, void *base, const char *text,
	const char *where, struct fault *fault)
{
	switch (field->kind) {
	case FIELD_FLAG:
		*(bool *)place_of(field, base) = true;
		return 0;
	case FIELD_TEXT:
	case FIELD_TEXTS:
		return text_set(field, base, text, where, fault);
	case FIELD_SHARE:
	case FIELD_NUMBER:
		return real_set(field, base, text, where, fault);
	default:
		return integer_set(field, base, text, where, fault);
	}
}

int fields_default(const struct field *fields, size_t count, void *base,
	struct fault *fault)
{
	for (size_t i = 0; i < count; i++) {
		if (fields[i].fallback == NULL)
			continue;
		int rc = field_set(
			&fields[i], base, fields[i].fallback, "default", fault);
		assert(rc == 0 || rc == FAULT_OOM);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void fields_finish(const struct field *fields, size_t count, void *base)
{
	for (size_t i = 0; i < count; i++) {
		if (fields[i].kind == FIELD_TEXT) {
			char **place = place_of(&fields[i], base);
			free(*place);
			*place = NULL;
		} else if (fields[i].kind == FIELD_TEXTS) {
			struct texts *list = place_of(&fields[i], base);
			while (list->count > 0)
				free(list->items[--list->count]);
		}
	}
}

const struct field *field_find(
	const struct field *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

void fields_help(
	const struct field *fields, size_t count, const char *prefix, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		const char *argument =
			fields[i].argument == NULL ? "" : fields[i].argument;
		int width = fprintf(
			out, "  %s%s %s", prefix, fields[i].name, argument);
		if (width >= NAME_WIDTH)
			fprintf(out, "\n%*s", NAME_WIDTH, "");
		else
			fprintf(out, "%*s", NAME_WIDTH - width, "");
		fputs(fields[i].help, out);
		if (fields[i].fallback != NULL)
			fprintf(out, " (default %s)", fields[i].fallback);
		fputc('\n', out);
	}
}
