#include "store/serve/feast.h"

#include <strings.h>

static struct slice text_of(const json_t *string)
{
	return (struct slice){
		json_string_value(string), json_string_length(string)};
}

/* A complaint about the member of that name. */
static int about(
	struct feast_request *request, const char *place, int complained)
{
	if (complained == COMPLAINED)
		request->question.complaint.place = place;
	return complained;
}

/* Views have no versions here: "view", "view@" and "view@latest" are the view,
 * "view@v2" is a view that does not exist. */
static struct slice without_version(struct slice view)
{
	static const char latest[] = "latest";
	const char *at =
		view.length == 0 ? NULL : memchr(view.data, '@', view.length);
	if (at == NULL)
		return view;
	size_t length = (size_t)(at - view.data);
	size_t version = view.length - length - 1;
	if (version == 0 || (version == sizeof latest - 1 &&
				    strncasecmp(at + 1, latest, version) == 0))
		view.length = length;
	return view;
}

/* "view:feature" or "view@version:feature". */
static int ask_reference(struct question *question, struct slice reference)
{
	const struct view *view;
	size_t feature = 0;
	const char *colon = reference.length == 0 ? NULL
						  : memchr(reference.data, ':',
							    reference.length);
	if (colon == NULL)
		return question_ask_reference(question, reference);
	struct slice view_name = {
		reference.data, (size_t)(colon - reference.data)};
	struct slice feature_name = {
		colon + 1, reference.length - view_name.length - 1};
	int rc = question_view(question, without_version(view_name), &view);
	if (rc == 0)
		rc = question_feature(question, view, feature_name, &feature);
	return rc == 0 ? question_ask(question, view, feature) : rc;
}

static int ask_references(struct question *question, const json_t *features)
{
	return question_ask_each(question, features, ask_reference,
		"a feature_service, or features: [\"view:feature\", …], must "
		"say what is asked for");
}

/* A service, where one is named, wins over features. */
static int ask(struct feast_request *request, const json_t *root)
{
	struct question *question = &request->question;
	const json_t *service = json_object_get(root, "feature_service");
	if (service == NULL || json_is_null(service))
		return about(request, "features",
			ask_references(
				question, json_object_get(root, "features")));
	if (!json_is_string(service))
		return about(request, "feature_service",
			complain(&question->complaint, question->arena,
				ERROR_BAD_FEATURES,
				"feature_service must be a string"));
	return question_ask_service(question, text_of(service));
}

static int read_flag(struct feast_request *request, const json_t *root)
{
	struct question *question = &request->question;
	const json_t *flag = json_object_get(root, "full_feature_names");
	if (flag != NULL && !json_is_boolean(flag))
		return about(request, "full_feature_names",
			complain(&question->complaint, question->arena,
				ERROR_BAD_MEMBER,
				"full_feature_names must be true or false"));
	request->full_names = json_is_true(flag);
	return 0;
}

/* Does a view before views[index] have a feature of that name in the
 * question, too? */
static const struct view *namesake(
	const struct question *question, size_t index, const char *name)
{
	for (size_t i = 0; i < index; i++) {
		const struct asked_view *other = &question->views[i];
		int feature = view_feature(other->view, slice_of(name));
		if (feature >= 0 && other->taken[feature])
			return other->view;
	}
	return NULL;
}

/* Bare names must tell the features apart. */
static int check_names(struct question *question, size_t index)
{
	const struct asked_view *asked = &question->views[index];
	for (size_t i = 0; i < asked->feature_count; i++) {
		const char *name =
			asked->view->features[asked->features[i]].name;
		const struct view *other = namesake(question, index, name);
		if (other != NULL)
			return complain(&question->complaint, question->arena,
				ERROR_SAME_FEATURE,
				"Duplicate features named %s found: %s:%s and "
				"%s:%s. Set full_feature_names to true, or ask "
				"for them in two requests",
				name, other->name, name, asked->view->name,
				name);
	}
	return 0;
}

static int check_collisions(struct feast_request *request)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < request->question.view_count; i++)
		if (!request->full_names)
			rc = check_names(&request->question, i);
	return rc;
}

static int note_keys(
	struct feast_request *request, const struct columns *columns)
{
	struct question *question = &request->question;
	const char *name;
	json_t *column;
	int rc = 0;
	request->keys = arena_take(question->arena,
		json_object_size(columns->entities) * sizeof *request->keys);
	if (request->keys == NULL)
		return question_no_memory(question);
	json_object_foreach(columns->entities, name, column)
	{
		struct key_column *key = &request->keys[request->key_count];
		rc = question_key_column(question, columns, name, key);
		if (rc != 0)
			break;
		request->key_count += key->key != NULL;
	}
	return rc;
}

int feast_read(struct feast_request *request, struct slice text)
{
	struct question *question = &request->question;
	struct body body;
	int rc = question_read_body(question, text, &body);
	struct columns columns = {
		.entities = json_object_get(body.root, "entities"),
		.lossy = body.lossy,
		.feast = true,
	};
	if (rc == 0)
		rc = read_flag(request, body.root);
	if (rc == 0)
		rc = ask(request, body.root);
	if (rc == 0)
		rc = check_collisions(request);
	if (rc == 0)
		rc = question_read_columns(question, &columns);
	if (rc == 0)
		rc = note_keys(request, &columns);
	json_decref(body.root);
	return rc;
}
