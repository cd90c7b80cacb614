#include "store/serve/answer_json.h"

#include "schema/json_write.h"

#define US_PER_MS 1000

/* Names of views and features need no escapes (schema.h). */
static void write_name(struct buffer *out, const char *name)
{
	buffer_byte(out, '"');
	buffer_text(out, name);
	buffer_byte(out, '"');
}

static void write_lag(struct buffer *out, int64_t lag_us)
{
	buffer_text(out, "\"lag_ms\":");
	if (lag_us == LAG_UNKNOWN)
		buffer_text(out, "null");
	else
		json_write_integer(out, lag_us / US_PER_MS);
}

void answer_write_truth(struct buffer *out, const struct lookup_answer *answer)
{
	buffer_text(out, "\"generation\":");
	json_write_text(out, answer->generation);
	buffer_text(out, ",\"as_of\":");
	json_write_time(out, answer->as_of_us);
	buffer_byte(out, ',');
	write_lag(out, answer->lag_us);
	buffer_text(out, ",\"position\":");
	json_write_string(out, answer->position);
}

static void write_features(struct buffer *out, const struct lookup_part *part)
{
	buffer_text(out, ",\"features\":[");
	for (size_t i = 0; i < part->feature_count; i++) {
		if (i > 0)
			buffer_byte(out, ',');
		write_name(out, part->view->features[part->features[i]].name);
	}
	buffer_byte(out, ']');
}

static void write_row(struct buffer *out, const struct lookup_part *part,
	const struct lookup_value *values)
{
	buffer_byte(out, '[');
	for (size_t i = 0; i < part->feature_count; i++) {
		if (i > 0)
			buffer_byte(out, ',');
		json_write_value(out,
			&part->view->features[part->features[i]].type,
			&values[i].value);
	}
	buffer_byte(out, ']');
}

/* An entity that answers every row is printed once and copied. */
static void repeat(struct buffer *out, size_t start, size_t times)
{
	size_t length = out->length - start;
	for (size_t i = 0; i < times && !out->failed; i++) {
		char *at = buffer_room(out, length + 1);
		if (at == NULL)
			return;
		at[0] = ',';
		memcpy(at + 1, out->data + start, length);
		out->length += length + 1;
	}
}

/* How many rows of the answer are printed one by one, and how often the last
 * of them is repeated. */
static size_t printed_rows(
	const struct lookup_part *part, size_t rows, size_t *repeated)
{
	size_t printed = rows < part->entity_count ? rows : part->entity_count;
	*repeated = rows - printed;
	return printed;
}

static void write_values(struct buffer *out,
	const struct lookup_part_answer *answer, size_t rows)
{
	size_t repeated, start = 0;
	size_t printed = printed_rows(answer->part, rows, &repeated);
	buffer_text(out, ",\"values\":[");
	for (size_t row = 0; row < printed; row++) {
		if (row > 0)
			buffer_byte(out, ',');
		start = out->length;
		write_row(out, answer->part, lookup_row(answer, row));
	}
	repeat(out, start, repeated);
	buffer_byte(out, ']');
}

static void write_times(struct buffer *out,
	const struct lookup_part_answer *answer, size_t rows)
{
	size_t repeated, start = 0;
	size_t printed = printed_rows(answer->part, rows, &repeated);
	buffer_text(out, ",\"event_time\":[");
	for (size_t row = 0; row < printed; row++) {
		if (row > 0)
			buffer_byte(out, ',');
		start = out->length;
		json_write_time(out, lookup_row_event_time_us(answer, row));
	}
	repeat(out, start, repeated);
	buffer_byte(out, ']');
}

/* What a value without an exception is. */
static enum value_status usual_status(const struct lookup_part_answer *answer)
{
	return answer->behind ? VALUE_BEHIND : VALUE_FRESH;
}

/* Is what is to be said of two values the same? */
static bool said_alike(
	const struct lookup_value *a, const struct lookup_value *b)
{
	return a->verdict.status == b->verdict.status &&
	       a->verdict.reason == b->verdict.reason &&
	       (a->verdict.status != VALUE_EXPIRED ||
		       a->event_time_us == b->event_time_us);
}

/* An exception: of a feature, or of all of the row's that are asked for. */
static void write_exception(struct buffer *out, size_t row, const char *feature,
	const struct lookup_value *value)
{
	if (out->data[out->length - 1] != '[')
		buffer_byte(out, ',');
	buffer_text(out, "{\"row\":");
	json_write_integer(out, (int64_t)row);
	if (feature != NULL) {
		buffer_text(out, ",\"feature\":");
		write_name(out, feature);
	}
	buffer_text(out, ",\"status\":");
	write_name(out, value_status_name(value->verdict.status));
	buffer_text(out, ",\"reason\":");
	write_name(out, value_reason_name(value->verdict.reason));
	if (value->verdict.status == VALUE_EXPIRED) {
		buffer_text(out, ",\"event_time\":");
		json_write_time(out, value->event_time_us);
	}
	buffer_byte(out, '}');
}

/* How many of the row's values need an exception, and whether one says it for
 * all of them. */
static size_t count_exceptions(const struct lookup_part_answer *answer,
	const struct lookup_value *values, bool *alike)
{
	enum value_status usual = usual_status(answer);
	size_t count = 0;
	*alike = true;
	for (size_t i = 0; i < answer->part->feature_count; i++) {
		count += values[i].verdict.status != usual;
		*alike = *alike && said_alike(&values[i], &values[0]);
	}
	return count;
}

static void write_row_exceptions(
	struct buffer *out, const struct lookup_part_answer *answer, size_t row)
{
	const struct lookup_part *part = answer->part;
	const struct lookup_value *values = lookup_row(answer, row);
	bool alike;
	if (count_exceptions(answer, values, &alike) == 0)
		return;
	if (alike) {
		write_exception(out, row, NULL, &values[0]);
		return;
	}
	for (size_t i = 0; i < part->feature_count; i++)
		if (values[i].verdict.status != usual_status(answer))
			write_exception(out, row,
				part->view->features[part->features[i]].name,
				&values[i]);
}

static void write_part(struct buffer *out,
	const struct lookup_part_answer *answer, size_t rows)
{
	write_name(out, answer->part->view->name);
	buffer_text(out, ":{\"status\":");
	write_name(out, value_status_name(usual_status(answer)));
	if (answer->behind) {
		buffer_text(out, ",\"reason\":");
		write_name(out, value_reason_name(answer->why_behind));
	}
	buffer_byte(out, ',');
	write_lag(out, answer->lag_us);
	write_features(out, answer->part);
	write_values(out, answer, rows);
	write_times(out, answer, rows);
	buffer_text(out, ",\"exceptions\":[");
	for (size_t row = 0; row < rows && !out->failed; row++)
		write_row_exceptions(out, answer, row);
	buffer_text(out, "]}");
}

void answer_write(
	struct buffer *out, const struct lookup_answer *answer, size_t rows)
{
	buffer_byte(out, '{');
	answer_write_truth(out, answer);
	buffer_text(out, ",\"views\":{");
	for (size_t i = 0; i < answer->part_count; i++) {
		if (i > 0)
			buffer_byte(out, ',');
		write_part(out, &answer->parts[i], rows);
	}
	buffer_text(out, "}}");
}
