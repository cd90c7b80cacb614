/*
 * GET /v1/views/{view}/{key}[/{key}…]?features=a,b&max_lag=5s
 *
 * Every slash begins a key: a string key may be empty, and a slash too many is
 * a key too many, never another entity.
 */
#include "schema/bytes.h"
#include "schema/digits.h"
#include "store/serve/path.h"
#include "store/serve/question_read.h"

static int decode(struct question *question, const char *what,
	struct slice text, struct slice *out)
{
	int rc = percent_decode(text, question->arena, out);
	if (rc < 0)
		return question_no_memory(question);
	if (rc == DECODED)
		return 0;
	return complain(&question->complaint, question->arena, ERROR_BAD_PATH,
		"%s holds %s", what, decoding_text(rc));
}

/* The one spelling of a number: "-42", "0". Neither 042 nor +42 nor -0 finds
 * the row of another number, or stands for one of its own. */
static bool parse_int64(struct slice text, int64_t *out)
{
	struct byte_reader reader = byte_reader_of(text);
	char spelling[DIGITS_MAX + 1];
	*out = get_decimal(&reader);
	if (reader.failed || reader.at != reader.end)
		return false;
	const char *end = digits_put_signed(spelling, *out);
	return slice_equal(
		text, (struct slice){spelling, (size_t)(end - spelling)});
}

static int read_key(struct question *question, const struct view *view,
	const struct entity_key *key, struct slice text, struct value *out)
{
	struct slice decoded;
	int rc = decode(question, key->name, text, &decoded);
	if (rc != 0)
		return rc;
	out->state = VALUE_SET;
	out->as.bytes = decoded;
	if (key->type.kind == TYPE_STRING ||
		parse_int64(decoded, &out->as.integer))
		return 0;
	return complain(&question->complaint, question->arena, ERROR_BAD_ENTITY,
		"join key \"%s\" of %s is an int64, and \"%s\" is none",
		key->name, view->name, question_echo(question, decoded));
}

static size_t count_pieces(struct slice path)
{
	struct slice piece;
	size_t count = 0;
	while (next_piece(&path, '/', &piece))
		count++;
	return count;
}

/* "card_id (string)/day (int64)" */
static const char *describe_keys(
	struct question *question, const struct view *view)
{
	struct buffer text = BUFFER_INIT(question->arena);
	for (size_t i = 0; i < view->key_count; i++)
		buffer_print(&text, "%s%s (%s)", i == 0 ? "" : "/",
			view->keys[i].name,
			view->keys[i].type.kind == TYPE_INT64 ? "int64"
							      : "string");
	buffer_byte(&text, '\0');
	return text.failed ? "" : buffer_content(&text).data;
}

static int read_keys(struct question *question, struct slice path)
{
	const struct view *view = question->views[0].view;
	struct value *entity;
	size_t given = count_pieces(path);
	if (given != view->key_count)
		return complain(&question->complaint, question->arena,
			ERROR_BAD_PATH,
			"an entity of %s has %zu join keys, the path has %zu "
			"behind the view: write /v1/views/%s/%s, a slash "
			"within a key as %%2F",
			view->name, view->key_count, given, view->name,
			describe_keys(question, view));
	question->row_count = 1;
	int rc = question_entities(question, 0, 1, &entity);
	for (size_t i = 0; rc == 0 && i < view->key_count; i++) {
		struct slice piece;
		next_piece(&path, '/', &piece);
		rc = read_key(
			question, view, &view->keys[i], piece, &entity[i]);
	}
	return rc;
}

static int ask_list(
	struct question *question, const struct view *view, struct slice list)
{
	struct slice piece, name;
	int rc = 0;
	while (rc == 0 && next_piece(&list, ',', &piece)) {
		size_t feature = 0;
		rc = decode(question, "features", piece, &name);
		if (rc == 0)
			rc = question_feature(question, view, name, &feature);
		if (rc == 0)
			rc = question_ask(question, view, feature);
	}
	return rc;
}

static int ask_all(struct question *question, const struct view *view)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < view->feature_count; i++)
		rc = question_ask(question, view, i);
	return rc;
}

static const char *const parameters[] = {"features", "max_lag", "ttl",
	"when_behind", "when_expired", "when_missing", "at_least", "wait"};
#define PARAMETERS (sizeof parameters / sizeof parameters[0])

/* The query as it comes in: the value of each parameter, still encoded. */
struct query {
	struct slice values[PARAMETERS]; /* absent: not there */
};

static int keep_parameter(
	struct question *question, struct slice text, struct query *query)
{
	struct slice name, value = text;
	next_piece(&value, '=', &name);
	if (value.data == NULL)
		value = (struct slice){"", 0};
	int rc = decode(question, "the query", name, &name);
	for (size_t i = 0; rc == 0 && i < PARAMETERS; i++) {
		if (!slice_equal(slice_of(parameters[i]), name))
			continue;
		if (query->values[i].data != NULL)
			return complain(&question->complaint, question->arena,
				ERROR_BAD_MEMBER, "%s is there twice",
				parameters[i]);
		query->values[i] = value;
		return 0;
	}
	if (rc != 0)
		return rc;
	return question_unknown_member(question, question_echo(question, name),
		parameters, PARAMETERS);
}

static int split_query(
	struct question *question, struct slice text, struct query *query)
{
	struct slice piece;
	int rc = 0;
	while (rc == 0 && next_piece(&text, '&', &piece))
		if (piece.length > 0)
			rc = keep_parameter(question, piece, query);
	return rc;
}

/* All but the features. */
static int take_settings(struct question *question, const struct query *query)
{
	int rc = 0;
	for (size_t i = 1; rc == 0 && i < PARAMETERS; i++) {
		struct slice value = query->values[i];
		if (value.data == NULL)
			continue;
		rc = decode(question, parameters[i], value, &value);
		if (rc == 0)
			rc = question_set(question, parameters[i], value);
	}
	return rc;
}

static int read_view(
	struct question *question, struct slice *path, const struct view **view)
{
	struct slice name;
	if (!next_piece(path, '/', &name))
		return complain(&question->complaint, question->arena,
			ERROR_BAD_PATH,
			"the path names no view: write "
			"/v1/views/{view}/{key}");
	int rc = decode(question, "the view's name", name, &name);
	return rc == 0 ? question_view(question, name, view) : rc;
}

int question_read_path(
	struct question *question, struct slice path, struct slice query_text)
{
	struct query query = {0};
	const struct view *view = NULL;
	int rc = read_view(question, &path, &view);
	if (view == NULL)
		return rc;
	rc = split_query(question, query_text, &query);
	if (rc == 0)
		rc = query.values[0].data == NULL
			     ? ask_all(question, view)
			     : ask_list(question, view, query.values[0]);
	if (rc == 0)
		rc = take_settings(question, &query);
	return rc == 0 ? read_keys(question, path) : rc;
}
