/*
 * Lookups that the terms refuse: which values, and why.
 */
#include "schema/json_write.h"
#include "store/serve/answer_json.h"
#include "store/serve/errors.h"

#include <inttypes.h>

/* A value of the answer, from the first to the last. */
struct cursor {
	size_t part, row, feature;
	bool started;
};

static const struct lookup_value *value_at(
	const struct lookup_answer *answer, const struct cursor *at)
{
	return &lookup_row(&answer->parts[at->part], at->row)[at->feature];
}

static bool step(
	const struct lookup_answer *answer, size_t rows, struct cursor *at)
{
	if (!at->started) {
		at->started = true;
		return rows > 0 && answer->part_count > 0;
	}
	const struct lookup_part *part = answer->parts[at->part].part;
	if (++at->feature < part->feature_count)
		return true;
	at->feature = 0;
	if (++at->row < rows)
		return true;
	at->row = 0;
	return ++at->part < answer->part_count;
}

/* Move on to the next value that is refused; false: there is none. */
static bool next_refused(
	const struct lookup_answer *answer, size_t rows, struct cursor *at)
{
	while (step(answer, rows, at))
		if (value_at(answer, at)->verdict.status == VALUE_REFUSED)
			return true;
	return false;
}

static size_t count_refused(const struct lookup_answer *answer, size_t rows)
{
	struct cursor at = {0};
	size_t count = 0;
	while (next_refused(answer, rows, &at))
		count++;
	return count;
}

static const char *feature_name(
	const struct lookup_answer *answer, const struct cursor *at)
{
	const struct lookup_part *part = answer->parts[at->part].part;
	return part->view->features[part->features[at->feature]].name;
}

static void write_one(struct buffer *out, const struct lookup_answer *answer,
	const struct cursor *at)
{
	const struct lookup_value *value = value_at(answer, at);
	buffer_print(out,
		"{\"view\":\"%s\",\"feature\":\"%s\",\"row\":%zu,"
		"\"reason\":\"%s\"}",
		answer->parts[at->part].part->view->name,
		feature_name(answer, at), at->row,
		value_reason_name(value->verdict.reason));
}

static const char *why(enum value_reason reason)
{
	switch (reason) {
	case VALUE_REASON_MISSING:
		return "is not there, and when_missing says fail";
	case VALUE_REASON_DELETED:
		return "was deleted, and when_missing says fail";
	case VALUE_REASON_TTL:
		return "is older than its ttl, and when_expired says fail";
	case VALUE_REASON_HOLD:
		return "is held back by an operator: `holdfast status` says "
		       "why";
	default:
		return "comes from further behind than max_lag, and "
		       "when_behind says fail";
	}
}

void answer_write_refusal_text(
	struct buffer *out, const struct lookup_answer *answer, size_t rows)
{
	struct cursor at = {0};
	size_t count = count_refused(answer, rows);
	if (!next_refused(answer, rows, &at))
		return;
	buffer_print(out, "%s:%s of row %zu %s",
		answer->parts[at.part].part->view->name,
		feature_name(answer, &at), at.row,
		why(value_at(answer, &at)->verdict.reason));
	if (count > 1)
		buffer_print(out, "; %zu values are refused in all", count);
}

void answer_write_refusal(
	struct buffer *out, const struct lookup_answer *answer, size_t rows)
{
	struct buffer text = BUFFER_INIT(out->arena);
	answer_write_refusal_text(&text, answer, rows);
	out->failed = out->failed || text.failed;
	buffer_print(out, "{\"error\":{\"code\":\"%s\",\"message\":",
		error_name(ERROR_REFUSED));
	json_write_string(out, buffer_content(&text));
	buffer_text(out, "},");
	answer_write_truth(out, answer);
	buffer_text(out, ",\"refused\":[");
	struct cursor at = {0};
	for (size_t i = 0;
		i < REFUSED_LISTED_MAX && next_refused(answer, rows, &at);
		i++) {
		if (i > 0)
			buffer_byte(out, ',');
		write_one(out, answer, &at);
	}
	buffer_print(
		out, "],\"refused_count\":%zu}", count_refused(answer, rows));
}
