/*
 * The settings of a lookup: terms, position, patience.
 */
#include "schema/duration.h"
#include "store/serve/question.h"

#include <assert.h>

static int set_duration(struct question *question, const char *name,
	struct slice text, int64_t *out)
{
	if (duration_parse(text, out))
		return 0;
	return complain(&question->complaint, question->arena, ERROR_BAD_TERMS,
		"%s: \"%s\" is no duration: write one such as \"5s\" or "
		"\"500ms\" (units d, h, m, s, ms, us)",
		name, question_echo(question, text));
}

static int set_max_lag(struct question *question, struct slice text)
{
	return set_duration(
		question, "max_lag", text, &question->terms.max_lag_us);
}

static int set_ttl(struct question *question, struct slice text)
{
	int rc = set_duration(question, "ttl", text, &question->terms.ttl_us);
	if (rc == 0 && question->terms.ttl_us == TTL_FOR_EVER)
		return complain(&question->complaint, question->arena,
			ERROR_BAD_TERMS,
			"ttl: must be more than 0; leave it out to keep the "
			"view's");
	return rc;
}

/* Waiting is bounded by the server, whoever asks for more. */
static int set_wait(struct question *question, struct slice text)
{
	int64_t wait_us = 0;
	int rc = set_duration(question, "wait", text, &wait_us);
	if (rc == 0 && wait_us < question->limits->wait_time_us)
		question->wait_us = wait_us;
	return rc;
}

static int set_choice(struct question *question, const char *name,
	struct slice text, enum choice *out)
{
	if (choice_parse(text, out))
		return 0;
	return complain(&question->complaint, question->arena, ERROR_BAD_TERMS,
		"%s: \"%s\" is none of \"serve\", \"default\", \"fail\"", name,
		question_echo(question, text));
}

static int set_when_behind(struct question *question, struct slice text)
{
	return set_choice(
		question, "when_behind", text, &question->terms.when_behind);
}

static int set_when_expired(struct question *question, struct slice text)
{
	return set_choice(
		question, "when_expired", text, &question->terms.when_expired);
}

static int set_when_missing(struct question *question, struct slice text)
{
	return set_choice(
		question, "when_missing", text, &question->terms.when_missing);
}

static int set_at_least(struct question *question, struct slice text)
{
	struct fault fault = {0};
	int rc = position_parse(
		text, question->arena, &question->position, &fault);
	if (rc == FAULT_OOM)
		return question_no_memory(question);
	if (rc < 0)
		return complain(&question->complaint, question->arena,
			ERROR_BAD_POSITION, "at_least: %s", fault.text);
	question->has_position = true;
	return 0;
}

static const struct setting {
	const char *name;
	int (*set)(struct question *, struct slice);
} settings[] = {
	{"max_lag", set_max_lag},
	{"ttl", set_ttl},
	{"when_behind", set_when_behind},
	{"when_expired", set_when_expired},
	{"when_missing", set_when_missing},
	{"at_least", set_at_least},
	{"wait", set_wait},
};

static const struct setting *find_setting(const char *name)
{
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
		if (strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

bool question_is_setting(const char *name)
{
	return find_setting(name) != NULL;
}

int question_set(struct question *question, const char *name, struct slice text)
{
	const struct setting *setting = find_setting(name);
	assert(setting != NULL);
	return setting->set(question, text);
}
