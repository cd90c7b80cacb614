/* holdfast get: one entity, looked up. */
#include "ingest/clock.h"
#include "ingest/command/answer_table.h"
#include "ingest/command/command.h"
#include "ingest/command/elapsed.h"
#include "ingest/command/entity.h"
#include "ingest/command/reading.h"
#include "ingest/command/value_text.h"
#include "schema/rfc3339.h"
#include "store/lookup.h"
#include "store/serve/answer_json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK_AGAIN_US 5000 /* while at_least is not taken: as batches come */
#define DAY_US INT64_C(86400000000)

struct get_options {
	char *features, *at_least;
	int64_t max_lag_us, ttl_us;
	char *when_behind, *when_expired, *when_missing;
};

static const struct field fields[] = {
	{"features", FIELD_TEXT, offsetof(struct get_options, features), NULL,
		0, 0, "NAME,…", "only these, in this order"},
	{"max-lag", FIELD_DURATION, offsetof(struct get_options, max_lag_us),
		NULL, 0, 3650 * DAY_US, "DURATION",
		"a pipeline further behind is behind"},
	{"ttl", FIELD_DURATION, offsetof(struct get_options, ttl_us), NULL, 1,
		36500 * DAY_US, "DURATION", "an older value is expired"},
	{"when-behind", FIELD_TEXT, offsetof(struct get_options, when_behind),
		NULL, 0, 0, "CHOICE", "serve, default or fail"},
	{"when-expired", FIELD_TEXT, offsetof(struct get_options, when_expired),
		NULL, 0, 0, "CHOICE", "likewise"},
	{"when-missing", FIELD_TEXT, offsetof(struct get_options, when_missing),
		NULL, 0, 0, "CHOICE", "likewise"},
	{"at-least", FIELD_TEXT, offsetof(struct get_options, at_least), NULL,
		0, 0, "POSITION",
		"of an earlier answer: wait, for serve.wait_time at most, "
		"until that is taken"},
};

static const struct options_spec spec = {
	.usage = "get VIEW KEY…",
	.summary = "Looks one entity up: its keys come in the order of the "
		   "schema. Each value has its status, as over\nHTTP: the "
		   "options tighten the view's terms, and loosen nothing. "
		   "--json prints what GET /v1/views/…\nanswers. Exit status "
		   "1 where there is no such entity, 4 where the terms refuse "
		   "a value.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.arguments_min = 2,
	.arguments_max = 1 + SCHEMA_KEYS_MAX,
	.configured = true,
	.json = true,
};

/* What was asked for. */
struct question {
	const struct view *view;
	struct value entity[SCHEMA_KEYS_MAX];
	char *const *words; /* the entity as it was given */
	size_t *features;   /* in the reading's arena */
	size_t feature_count;
	struct terms terms;
	struct position at_least;
};

/* What is given, or all of the view's. */
static size_t count_features(const struct view *view, const char *given)
{
	size_t count = 1;
	if (given == NULL)
		return view->feature_count;
	for (; *given != '\0'; given++)
		count += *given == ',';
	return count;
}

static int find_feature(const struct view *view, struct slice name, size_t *out,
	struct fault *fault)
{
	for (*out = 0; *out < view->feature_count; (*out)++)
		if (slice_equal(slice_of(view->features[*out].name), name))
			return 0;
	return fault_set(fault, FAULT_USAGE,
		"view %s has no feature \"%.*s\": `holdfast get %s KEY…` "
		"without --features shows all",
		view->name, (int)name.length, name.data, view->name);
}

static int check_new(
	const struct question *question, size_t index, struct fault *fault)
{
	size_t feature = question->features[index];
	for (size_t i = 0; i < index; i++)
		if (question->features[i] == feature)
			return fault_set(fault, FAULT_USAGE,
				"--features names %s twice",
				question->view->features[feature].name);
	return 0;
}

static int parse_features(struct question *question, const char *given,
	struct arena *arena, struct fault *fault)
{
	const struct view *view = question->view;
	size_t count = count_features(view, given);
	question->features =
		arena_take(arena, count * sizeof *question->features);
	if (question->features == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	question->feature_count = count;
	for (size_t i = 0; i < count; i++) {
		if (given == NULL) {
			question->features[i] = i;
			continue;
		}
		struct slice name = {given, strcspn(given, ",")};
		int rc =
			find_feature(view, name, &question->features[i], fault);
		if (rc == 0)
			rc = check_new(question, i, fault);
		if (rc < 0)
			return rc;
		given += name.length + 1;
	}
	return 0;
}

static int parse_choice(const char *option, const char *given, enum choice *out,
	struct fault *fault)
{
	if (given == NULL || choice_parse(slice_of(given), out))
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"%s is \"%s\": give serve, default or fail", option, given);
}

static int parse_terms(struct question *question, const struct get_options *own,
	struct fault *fault)
{
	struct terms *terms = &question->terms;
	*terms = terms_loosest();
	terms->max_lag_us = own->max_lag_us;
	terms->ttl_us = own->ttl_us;
	int rc = parse_choice(
		"--when-behind", own->when_behind, &terms->when_behind, fault);
	if (rc == 0)
		rc = parse_choice("--when-expired", own->when_expired,
			&terms->when_expired, fault);
	if (rc == 0)
		rc = parse_choice("--when-missing", own->when_missing,
			&terms->when_missing, fault);
	return rc;
}

static int parse(
	struct reading *reading, struct question *question, struct fault *fault)
{
	const struct options *options = &reading->options;
	const struct get_options *own = options->own;
	int rc = entity_find_view(reader_schema(reading->reader),
		options->arguments[0], &question->view, fault);
	if (rc == 0)
		rc = entity_parse(question->view, options->arguments + 1,
			options->argument_count - 1, question->entity, fault);
	if (rc == 0)
		rc = parse_features(
			question, own->features, &reading->arena, fault);
	if (rc == 0)
		rc = parse_terms(question, own, fault);
	if (rc == 0 && own->at_least != NULL)
		rc = position_parse(slice_of(own->at_least), &reading->arena,
			&question->at_least, fault);
	return rc;
}

/* Ask again until the position is taken, or no time is left. */
static int look_up(struct reading *reading, struct lookup_question *question,
	struct lookup_answer *out, struct fault *fault)
{
	struct clock *clock = clock_system();
	int64_t wait_us = reading->config.serve.wait_time_us;
	int64_t began_us = clock->monotonic_us(clock);
	for (;;) {
		question->now_us = clock->wall_us(clock);
		int rc = reader_look_up(
			reading->reader, question, &reading->arena, out, fault);
		if (rc != LOOKUP_NOT_YET)
			return rc;
		if (clock->monotonic_us(clock) - began_us >= wait_us)
			return fault_set(fault, FAULT_REFUSED,
				"--at-least: that position is not taken yet, "
				"after serve.wait_time: ask again later, or "
				"see `holdfast status`");
		(void)usleep(ASK_AGAIN_US);
	}
}

static int print_json(struct arena *arena, const struct lookup_answer *answer,
	struct fault *fault)
{
	struct buffer out = BUFFER_INIT(arena);
	if (answer->refused > 0)
		answer_write_refusal(&out, answer, 1);
	else
		answer_write(&out, answer, 1);
	if (out.failed)
		return fault_set(fault, FAULT_OOM, "out of memory");
	printf("%.*s\n", (int)out.length, (const char *)out.data);
	return 0;
}

static int tell_refused(
	const struct question *question, const struct lookup_answer *answer)
{
	char lag[ELAPSED_SIZE];
	fprintf(stderr,
		"holdfast: refused by the terms of %s: ", question->view->name);
	refused_print(answer, stderr);
	if (answer->lag_us != LAG_UNKNOWN)
		fprintf(stderr, "; lag %s", elapsed_print(answer->lag_us, lag));
	fputs("\n", stderr);
	return STATUS_REFUSED;
}

/* Looks again, for when it was deleted, which no answer says. */
static int tell_missing(struct reading *reading,
	const struct question *question, struct fault *fault)
{
	struct row row = {0};
	int rc = reader_get(reading->reader, question->view, question->entity,
		&reading->arena, &row, fault);
	if (rc < 0)
		return rc;
	char time[RFC3339_SIZE];
	fprintf(stderr, "holdfast: %s has no entity", question->view->name);
	for (size_t i = 0; i < question->view->key_count; i++)
		fprintf(stderr, " %s", question->words[i]);
	if (rc == 0 && row.has_floor)
		fprintf(stderr, ": it was deleted at %s",
			rfc3339_print(row.floor.event_us, time));
	fputs("\n", stderr);
	return STATUS_FAILED;
}

static int print_answer(struct reading *reading,
	const struct lookup_answer *answer, int64_t now_us, struct fault *fault)
{
	if (reading->options.json)
		return print_json(&reading->arena, answer, fault);
	if (answer->refused > 0)
		return 0;
	return answer_print(answer, now_us, stdout, fault);
}

static int answer(struct reading *reading, struct fault *fault)
{
	struct question asked = {.words = reading->options.arguments + 1};
	int rc = parse(reading, &asked, fault);
	if (rc < 0)
		return rc;
	const struct lookup_part part = {
		.view = asked.view,
		.features = asked.features,
		.feature_count = asked.feature_count,
		.entities = asked.entity,
		.entity_count = 1,
	};
	struct lookup_question question = {
		.parts = &part,
		.part_count = 1,
		.row_count = 1,
		.terms = asked.terms,
		.at_least = &asked.at_least,
	};
	struct lookup_answer found;
	rc = look_up(reading, &question, &found, fault);
	if (rc == 0)
		rc = print_answer(reading, &found, question.now_us, fault);
	if (rc < 0)
		return rc;
	if (found.refused > 0)
		return tell_refused(&asked, &found);
	if (found.parts[0].row_event_time_us[0] == TIMESTAMP_NONE)
		return tell_missing(reading, &asked, fault);
	return STATUS_GOOD;
}

int command_get(int argc, char **argv)
{
	struct get_options own = {.max_lag_us = LAG_ANY};
	return reading_run(&spec, &own, argc, argv, answer);
}
