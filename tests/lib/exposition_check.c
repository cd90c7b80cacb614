#include "tests/lib/exposition_check.h"

#include "tests/lib/check.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 128
#define SERIES_MAX 20000
#define FAMILIES_MAX 500

enum kind { KIND_NONE, KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

struct checker {
	const char *prefix;
	char families[FAMILIES_MAX][NAME_MAX_BYTES];
	size_t family_count;
	bool helped; /* HELP of the family was there, TYPE not yet */
	enum kind kind;
	char **series; /* name and labels */
	size_t series_count;
	/* of the histogram under way, by its labels */
	char bucket_labels[512];
	double last_bound, last_count;
};

static bool is_name_byte(char byte, bool first, bool label)
{
	unsigned char at = (unsigned char)byte;
	return isalpha(at) || byte == '_' || (!label && byte == ':') ||
	       (!first && isdigit(at));
}

/* The length of the name at `text`, which there must be. */
static size_t name_length(const char *text, bool label)
{
	size_t length = 0;
	while (is_name_byte(text[length], length == 0, label))
		length++;
	if (length == 0 || length >= NAME_MAX_BYTES)
		fail_msg("no name at: %.60s", text);
	return length;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t end_length = strlen(end);
	return length > end_length &&
	       memcmp(text + length - end_length, end, end_length) == 0;
}

static const char *family(const struct checker *checker)
{
	assert_true(checker->family_count > 0);
	return checker->families[checker->family_count - 1];
}

static void check_help(struct checker *checker, const char *line)
{
	size_t length = name_length(line, false);
	char *name = checker->families[checker->family_count];
	assert_true(checker->family_count < FAMILIES_MAX);
	memcpy(name, line, length);
	name[length] = '\0';
	if (strncmp(name, checker->prefix, strlen(checker->prefix)) != 0)
		fail_msg("family %s has another prefix", name);
	for (size_t i = 0; i < checker->family_count; i++)
		assert_string_not_equal(checker->families[i], name);
	if (line[length] != ' ' || line[length + 1] == '\0')
		fail_msg("family %s is not explained", name);
	checker->family_count++;
	checker->helped = true;
	checker->kind = KIND_NONE;
	checker->bucket_labels[0] = '\0';
}

static void check_type(struct checker *checker, const char *line)
{
	static const char *const kinds[] = {
		"", "counter", "gauge", "histogram"};
	size_t length = name_length(line, false);
	assert_true(checker->helped);
	checker->helped = false;
	if (strncmp(line, family(checker), length) != 0 ||
		family(checker)[length] != '\0' || line[length] != ' ')
		fail_msg("TYPE of another family: %s", line);
	for (int i = KIND_COUNTER; i <= KIND_HISTOGRAM; i++)
		if (strcmp(line + length + 1, kinds[i]) == 0)
			checker->kind = (enum kind)i;
	if (checker->kind == KIND_NONE)
		fail_msg("no type: %s", line);
	if (ends_with(line, length, "_total") !=
		(checker->kind == KIND_COUNTER))
		fail_msg("_total is for counters: %s", line);
}

/* Behind the label's value at `at`, which begins behind its quote. */
static const char *check_label_value(const char *at)
{
	for (; *at != '"'; at++) {
		if (*at == '\0')
			fail_msg("a label's value does not end");
		if (*at == '\\' && *++at != '\\' && *at != '"' && *at != 'n')
			fail_msg("no escape: \\%c", *at);
	}
	return at + 1;
}

/* Behind the labels at `at`, which begin with {. */
static const char *check_labels(const char *at)
{
	do {
		at++;
		at += name_length(at, true);
		if (at[0] != '=' || at[1] != '"')
			fail_msg("no label's value at: %.60s", at);
		at = check_label_value(at + 2);
	} while (*at == ',');
	if (*at != '}')
		fail_msg("labels end with: %.60s", at);
	return at + 1;
}

static double parse_value(const char *text)
{
	char *end = NULL;
	double value = strtod(text, &end);
	if (end == text || *end != '\0')
		fail_msg("no value: %s", text);
	return value;
}

static void check_new(struct checker *checker, const char *line, size_t length)
{
	char *series = strndup(line, length);
	assert_non_null(series);
	for (size_t i = 0; i < checker->series_count; i++)
		assert_string_not_equal(checker->series[i], series);
	assert_true(checker->series_count < SERIES_MAX);
	checker->series[checker->series_count++] = series;
}

/* Split the labels into `le` and the others. */
static double take_bound(const char *labels, char others[512])
{
	const char *le = strstr(labels, "le=\"");
	assert_non_null(le);
	assert_true(strlen(labels) < 512);
	size_t before = (size_t)(le - labels);
	memcpy(others, labels, before);
	others[before] = '\0';
	return strncmp(le + 4, "+Inf\"", 5) == 0 ? INFINITY
						 : strtod(le + 4, NULL);
}

static void check_bucket(
	struct checker *checker, const char *labels, double count)
{
	char others[512];
	double bound = take_bound(labels, others);
	bool begins = strcmp(others, checker->bucket_labels) != 0;
	if (!begins) {
		assert_true(bound > checker->last_bound);
		assert_true(count >= checker->last_count);
	}
	memcpy(checker->bucket_labels, others, sizeof others);
	checker->last_bound = bound;
	checker->last_count = count;
}

static void check_histogram(struct checker *checker, const char *suffix,
	const char *labels, double value)
{
	if (strncmp(suffix, "_bucket{", 8) == 0) {
		check_bucket(checker, labels, value);
	} else if (strncmp(suffix, "_count", 6) == 0) {
		assert_true(isinf(checker->last_bound));
		assert_true(value == checker->last_count);
		checker->bucket_labels[0] = '\0';
	} else if (strncmp(suffix, "_sum", 4) != 0) {
		fail_msg("no sample of a histogram: %s", suffix);
	}
}

static void check_sample(struct checker *checker, const char *line)
{
	size_t length = name_length(line, false);
	size_t family_length = strlen(family(checker));
	const char *labels = line + length, *end = labels;
	if (checker->helped || checker->kind == KIND_NONE ||
		strncmp(line, family(checker), family_length) != 0)
		fail_msg("a sample outside its family: %s", line);
	if (*labels == '{')
		end = check_labels(labels);
	if (*end != ' ')
		fail_msg("no space before the value: %s", line);
	double value = parse_value(end + 1);
	check_new(checker, line, (size_t)(end - line));
	if (checker->kind == KIND_HISTOGRAM)
		check_histogram(checker, line + family_length, labels, value);
	else if (length != family_length)
		fail_msg("a sample of another family: %s", line);
	if (checker->kind == KIND_COUNTER && value < 0)
		fail_msg("a counter below zero: %s", line);
}

static void check_line(struct checker *checker, const char *line)
{
	if (strncmp(line, "# HELP ", 7) == 0)
		check_help(checker, line + 7);
	else if (strncmp(line, "# TYPE ", 7) == 0)
		check_type(checker, line + 7);
	else
		check_sample(checker, line);
}

void exposition_check(const char *text, const char *prefix)
{
	struct checker *checker = calloc(1, sizeof *checker);
	assert_non_null(checker);
	checker->prefix = prefix;
	checker->series = calloc(SERIES_MAX, sizeof *checker->series);
	assert_non_null(checker->series);
	while (*text != '\0') {
		const char *end = strchr(text, '\n');
		if (end == NULL) {
			fail_msg("the last line does not end: %s", text);
			break;
		}
		char *line = strndup(text, (size_t)(end - text));
		assert_non_null(line);
		check_line(checker, line);
		free(line);
		text = end + 1;
	}
	for (size_t i = 0; i < checker->series_count; i++)
		free(checker->series[i]);
	free(checker->series);
	free(checker);
}

double exposition_value(const char *text, const char *series)
{
	size_t length = strlen(series);
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, series, length) == 0 && line[length] == ' ')
			return strtod(line + length, NULL);
	}
	fail_msg("%s is not among:\n%s", series, text);
	return NAN;
}
