#include "schema/json_write.h"
#include "schema/rfc3339.h"
#include "store/serve/feast.h"

#define US_PER_SECOND INT64_C(1000000)

/* An answer on its way out. */
struct writing {
	struct buffer *out;
	const struct feast_request *request;
	const struct lookup_answer *answer;
};

/* A text that is written many times over. */
struct word {
	char text[RFC3339_SIZE + 2];
	size_t length;
};

static void comma(struct buffer *out, size_t index)
{
	if (index > 0)
		buffer_byte(out, ',');
}

/* Whole seconds, the earlier ones before 1970 too. */
static int64_t epoch_seconds(int64_t us)
{
	return us / US_PER_SECOND - (us % US_PER_SECOND < 0);
}

/* As Feast's server prints types: times as seconds. An empty list would break
 * its client, but no vector is empty. */
static void write_value(
	struct buffer *out, const struct type *type, const struct value *value)
{
	if (type->kind == TYPE_TIMESTAMP && value->state == VALUE_SET)
		json_write_integer(out, epoch_seconds(value->as.integer));
	else
		json_write_value(out, type, value);
}

/*
 * PRESENT is what the store holds and serves, and nothing else is. A default
 * or null in place of something says what became of it: the stored value was
 * too old, or taken from too far behind (OUTSIDE_MAX_AGE), or there is none.
 */
static void write_status(struct buffer *out, const struct lookup_value *value)
{
	static const char present[] = "\"PRESENT\"", null[] = "\"NULL_VALUE\"",
			  absent[] = "\"NOT_FOUND\"",
			  outside[] = "\"OUTSIDE_MAX_AGE\"";
	bool plain = value->verdict.status == VALUE_FRESH ||
		     value->verdict.status == VALUE_BEHIND;
	if (plain && value->value.state == VALUE_SET)
		buffer_bytes(out, present, sizeof present - 1);
	else if (plain)
		buffer_bytes(out, null, sizeof null - 1);
	else if (value->event_time_us == TIMESTAMP_NONE)
		buffer_bytes(out, absent, sizeof absent - 1);
	else
		buffer_bytes(out, outside, sizeof outside - 1);
}

static void write_time(struct buffer *out, int64_t us)
{
	json_write_time(out, us == TIMESTAMP_NONE ? 0 : us);
}

/* The times of a part's entities, which are those of most of their values too,
 * printed once. NULL: no memory. */
static struct word *print_times(
	struct arena *arena, const struct lookup_part_answer *answer)
{
	size_t count = answer->part->entity_count;
	struct word *words = arena_take(arena, count * sizeof *words);
	for (size_t i = 0; words != NULL && i < count; i++) {
		int64_t us = answer->row_event_time_us[i];
		char *text = words[i].text;
		text[0] = '"';
		rfc3339_print(us == TIMESTAMP_NONE ? 0 : us, text + 1);
		words[i].length = strlen(text) + 1;
		text[words[i].length - 1] = '"';
	}
	return words;
}

static void write_times(struct buffer *out,
	const struct lookup_part_answer *answer, size_t index, size_t rows,
	const struct word *times)
{
	for (size_t row = 0; row < rows; row++) {
		size_t entity = answer->part->entity_count == 1 ? 0 : row;
		int64_t us = lookup_row(answer, row)[index].event_time_us;
		comma(out, row);
		if (us == answer->row_event_time_us[entity])
			buffer_bytes(
				out, times[entity].text, times[entity].length);
		else
			write_time(out, us);
	}
}

static void write_name(struct writing *writing, const struct view *view,
	const struct feature *feature)
{
	struct buffer *out = writing->out;
	buffer_byte(out, '"');
	if (writing->request->full_names) {
		buffer_text(out, view->name);
		buffer_text(out, "__");
	}
	buffer_text(out, feature->name);
	buffer_byte(out, '"');
}

static void write_feature(struct writing *writing,
	const struct lookup_part_answer *answer, size_t index,
	const struct word *times)
{
	struct buffer *out = writing->out;
	const struct lookup_part *part = answer->part;
	const struct type *type =
		&part->view->features[part->features[index]].type;
	size_t rows = writing->request->question.row_count;
	buffer_text(out, "{\"values\":[");
	for (size_t row = 0; row < rows; row++) {
		comma(out, row);
		write_value(out, type, &lookup_row(answer, row)[index].value);
	}
	buffer_text(out, "],\"statuses\":[");
	for (size_t row = 0; row < rows; row++) {
		comma(out, row);
		write_status(out, &lookup_row(answer, row)[index]);
	}
	buffer_text(out, "],\"event_timestamps\":[");
	write_times(out, answer, index, rows, times);
	buffer_text(out, "]}");
}

static void write_same(struct buffer *out, const char *text, size_t rows)
{
	for (size_t row = 0; row < rows; row++) {
		comma(out, row);
		buffer_text(out, text);
	}
}

static void write_key(struct writing *writing, const struct key_column *key)
{
	struct buffer *out = writing->out;
	size_t rows = writing->request->question.row_count;
	buffer_text(out, "{\"values\":[");
	for (size_t row = 0; row < rows; row++) {
		comma(out, row);
		write_value(
			out, &key->key->type, &key->values[row * key->stride]);
	}
	buffer_text(out, "],\"statuses\":[");
	write_same(out, "\"PRESENT\"", rows);
	buffer_text(out, "],\"event_timestamps\":[");
	write_same(out, "\"1970-01-01T00:00:00Z\"", rows);
	buffer_text(out, "]}");
}

static void write_part(struct writing *writing,
	const struct lookup_part_answer *answer, size_t *count)
{
	const struct word *times = print_times(writing->out->arena, answer);
	if (times == NULL) {
		writing->out->failed = true;
		return;
	}
	for (size_t i = 0; i < answer->part->feature_count; i++) {
		comma(writing->out, (*count)++);
		write_feature(writing, answer, i, times);
	}
}

static void write_results(struct writing *writing)
{
	const struct feast_request *request = writing->request;
	size_t count = 0;
	for (size_t i = 0; i < request->key_count; i++) {
		comma(writing->out, count++);
		write_key(writing, &request->keys[i]);
	}
	for (size_t i = 0; i < writing->answer->part_count; i++)
		write_part(writing, &writing->answer->parts[i], &count);
}

static void write_names(struct writing *writing)
{
	const struct feast_request *request = writing->request;
	size_t count = 0;
	for (size_t i = 0; i < request->key_count; i++) {
		comma(writing->out, count++);
		json_write_text(writing->out, request->keys[i].key->name);
	}
	for (size_t i = 0; i < writing->answer->part_count; i++) {
		const struct lookup_part *part = writing->answer->parts[i].part;
		for (size_t j = 0; j < part->feature_count; j++) {
			comma(writing->out, count++);
			write_name(writing, part->view,
				&part->view->features[part->features[j]]);
		}
	}
}

void feast_write(struct buffer *out, const struct feast_request *request,
	const struct lookup_answer *answer)
{
	struct writing writing = {out, request, answer};
	buffer_text(out, "{\"results\":[");
	write_results(&writing);
	buffer_text(out, "],\"metadata\":{\"feature_names\":[");
	write_names(&writing);
	buffer_text(out, "]}}");
}
