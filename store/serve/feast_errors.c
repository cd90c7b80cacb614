#include "schema/json_write.h"
#include "store/serve/feast.h"

/* Feast's clients build the error again from module and class, so these must
 * exist in every version of feast.errors; FeastError is what all derive from.
 */
static const char *class_of(enum error error)
{
	switch (error) {
	case ERROR_UNKNOWN_VIEW:
		return "FeatureViewNotFoundException";
	case ERROR_UNKNOWN_FEATURE:
		return "FeastObjectNotFoundException";
	case ERROR_UNKNOWN_SERVICE:
		return "FeatureServiceNotFoundException";
	case ERROR_SAME_FEATURE:
		return "FeatureNameCollisionError";
	default:
		return "FeastError";
	}
}

/* A JSON string that holds JSON: what json.loads() of the body gives is parsed
 * once more (feast/errors.py, FeastError.from_error_detail). */
void feast_error(
	struct exchange *exchange, enum error error, const char *message)
{
	struct buffer inner = BUFFER_INIT(exchange->arena);
	struct buffer out = BUFFER_INIT(exchange->arena);
	buffer_print(&inner,
		"{\"module\": \"feast.errors\", \"class\": \"%s\", "
		"\"message\": ",
		class_of(error));
	json_write_text(&inner, message == NULL ? "" : message);
	buffer_byte(&inner, '}');
	json_write_string(&out, buffer_content(&inner));
	out.failed = out.failed || inner.failed;
	reply_json(exchange, error_status(error), &out);
}

/* FastAPI's word for a request that is not of the form. */
#define STATUS_UNPROCESSABLE 422

static const char *type_of(enum error error)
{
	return error == ERROR_BAD_JSON ? "json_invalid" : "value_error";
}

static bool is_of_the_form(enum error error)
{
	return error != ERROR_BAD_JSON && error != ERROR_BAD_MEMBER &&
	       error != ERROR_BAD_FEATURES && error != ERROR_BAD_ENTITY;
}

void feast_complain(
	struct exchange *exchange, const struct complaint *complaint)
{
	if (is_of_the_form(complaint->error)) {
		feast_error(exchange, complaint->error, complaint->message);
		return;
	}
	struct buffer out = BUFFER_INIT(exchange->arena);
	buffer_print(&out, "{\"detail\":[{\"type\":\"%s\",\"loc\":[\"body\"",
		type_of(complaint->error));
	if (complaint->place != NULL) {
		buffer_byte(&out, ',');
		json_write_text(&out, complaint->place);
	}
	if (complaint->name != NULL) {
		buffer_byte(&out, ',');
		json_write_text(&out, complaint->name);
	}
	buffer_text(&out, "],\"msg\":");
	json_write_text(
		&out, complaint->message == NULL ? "" : complaint->message);
	buffer_text(&out, ",\"input\":null}]}");
	reply_json(exchange, STATUS_UNPROCESSABLE, &out);
}

const char *feast_absent(struct slice path)
{
	static const struct {
		const char *path, *text;
	} absent[] = {
		{"push", "this store is fed by its log alone: send the event "
			 "to the topic"},
		{"write-to-online-store",
			"this store is fed by its log alone: send the event "
			"to the topic"},
		{"materialize", "this store is fed by its log alone: there is "
				"nothing to materialize"},
		{"materialize-incremental",
			"this store is fed by its log alone: there is nothing "
			"to materialize"},
		{"search", "this store looks entities up by key: it has no "
			   "search for the nearest vectors"},
		{"retrieve-online-documents",
			"this store looks entities up by key: it has no "
			"search for the nearest vectors"},
	};
	for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
		if (slice_equal(path, slice_of(absent[i].path)))
			return absent[i].text;
	return NULL;
}
