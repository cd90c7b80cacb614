/*
 * POST /v1/lookup {"features": ["view:feature", …], "entities": {…}}
 */
#include "schema/json.h"
#include "store/serve/question_read.h"

static int complain_json(
	struct question *question, const struct json_text *json)
{
	return complain(&question->complaint, question->arena, ERROR_BAD_JSON,
		"the body is not JSON (%s): %s", reason_name(json->reason),
		json->detail == NULL ? "" : json->detail);
}

int question_read_body(
	struct question *question, struct slice text, struct body *out)
{
	struct json_text json;
	*out = (struct body){0};
	if (text.length == 0)
		return complain(&question->complaint, question->arena,
			ERROR_BAD_JSON,
			"the body is empty: send a JSON object");
	if (json_read(text, REQUEST_DEPTH_MAX, question->arena, &json) < 0)
		return question_no_memory(question);
	if (json.root == NULL)
		return complain_json(question, &json);
	if (!json_is_object(json.root)) {
		json_decref(json.root);
		return complain(&question->complaint, question->arena,
			ERROR_BAD_JSON, "the body must be a JSON object");
	}
	*out = (struct body){json.root, json.lossy};
	return 0;
}

static struct slice text_of(const json_t *string)
{
	return (struct slice){
		json_string_value(string), json_string_length(string)};
}

static int ask_features(struct question *question, const json_t *features)
{
	return question_ask_each(question, features, question_ask_reference,
		"features must be a list with something in it: "
		"[\"view:feature\", …]");
}

static int ask(struct question *question, const json_t *root)
{
	const json_t *service = json_object_get(root, "service");
	const json_t *features = json_object_get(root, "features");
	if ((service == NULL) == (features == NULL))
		return complain(&question->complaint, question->arena,
			ERROR_BAD_FEATURES,
			"name what is asked for: either a \"service\" or "
			"\"features\": [\"view:feature\", …]");
	if (features != NULL)
		return ask_features(question, features);
	if (!json_is_string(service))
		return complain(&question->complaint, question->arena,
			ERROR_BAD_FEATURES, "service must be a string");
	return question_ask_service(question, text_of(service));
}

static int take_setting(
	struct question *question, const char *name, const json_t *json)
{
	if (!json_is_string(json))
		return complain(&question->complaint, question->arena,
			ERROR_BAD_TERMS,
			"%s must be a string, such as \"5s\" for a duration",
			name);
	return question_set(question, name, text_of(json));
}

static int read_members(struct question *question, json_t *root)
{
	static const char *const members[] = {"service", "features", "entities",
		"max_lag", "ttl", "when_behind", "when_expired", "when_missing",
		"at_least", "wait"};
	const size_t plain = 3;
	const char *name;
	json_t *child;
	json_object_foreach(root, name, child)
	{
		size_t i = 0;
		while (i < sizeof members / sizeof members[0] &&
			strcmp(members[i], name) != 0)
			i++;
		int rc = 0;
		if (i == sizeof members / sizeof members[0])
			rc = question_unknown_member(
				question, name, members, i);
		else if (i >= plain)
			rc = take_setting(question, name, child);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int question_read_lookup(struct question *question, struct slice text)
{
	struct body body;
	int rc = question_read_body(question, text, &body);
	if (rc == 0)
		rc = read_members(question, body.root);
	if (rc == 0)
		rc = ask(question, body.root);
	struct columns columns = {
		.entities = json_object_get(body.root, "entities"),
		.lossy = body.lossy,
	};
	if (rc == 0)
		rc = question_read_columns(question, &columns);
	json_decref(body.root);
	return rc;
}
