#include "store/serve/question.h"

#include "schema/nearest.h"

#include <assert.h>

int question_start(struct question *question, const struct exchange *exchange,
	struct fault *fault)
{
	const struct schema *schema = reader_schema(exchange->reader);
	*question = (struct question){
		.schema = schema,
		.arena = exchange->arena,
		.limits = &exchange->limits,
		.fault = fault,
		.terms = terms_loosest(),
		.wait_us = exchange->limits.wait_time_us,
	};
	question->views = arena_take(
		question->arena, schema->view_count * sizeof *question->views);
	question->parts = arena_take(
		question->arena, schema->view_count * sizeof *question->parts);
	if (question->views == NULL || question->parts == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a question");
	return 0;
}

int question_no_memory(const struct question *question)
{
	return fault_set(
		question->fault, FAULT_OOM, "no memory for a question");
}

const char *question_echo(const struct question *question, struct slice text)
{
	if (text.length > ECHO_BYTES_MAX)
		text.length = ECHO_BYTES_MAX;
	struct slice copy = arena_copy(question->arena, text);
	return copy.data == NULL ? "" : copy.data;
}

/* ", did you mean …?" or `otherwise`. */
static const char *hint(const struct question *question, const char *given,
	const char *const *names, size_t count, const char *otherwise)
{
	const char *nearest =
		names == NULL ? NULL : nearest_name(given, names, count);
	const char *text = nearest == NULL
				   ? otherwise
				   : arena_print(question->arena,
					     "did you mean \"%s\"?", nearest);
	return text == NULL ? "" : text;
}

/* Room for `count` names. NULL is allowed for: then there is no hint. */
static const char **take_names(const struct question *question, size_t count)
{
	return arena_take(question->arena, count * sizeof(const char *));
}

static int complain_view(struct question *question, struct slice name)
{
	const struct schema *schema = question->schema;
	const char *given = question_echo(question, name);
	const char **names = take_names(question, schema->view_count);
	for (size_t i = 0; names != NULL && i < schema->view_count; i++)
		names[i] = schema->views[i].name;
	return complain(&question->complaint, question->arena,
		ERROR_UNKNOWN_VIEW, "there is no view \"%s\": %s", given,
		hint(question, given, names, schema->view_count,
			"the schema of this store names its views"));
}

int question_view(
	struct question *question, struct slice name, const struct view **out)
{
	*out = schema_view(question->schema, name);
	return *out == NULL ? complain_view(question, name) : 0;
}

static int complain_feature(
	struct question *question, const struct view *view, struct slice name)
{
	const char *given = question_echo(question, name);
	const char **names = take_names(question, view->feature_count);
	for (size_t i = 0; names != NULL && i < view->feature_count; i++)
		names[i] = view->features[i].name;
	return complain(&question->complaint, question->arena,
		ERROR_UNKNOWN_FEATURE, "view %s has no feature \"%s\": %s",
		view->name, given,
		hint(question, given, names, view->feature_count,
			"the schema of this store names its features"));
}

int question_feature(struct question *question, const struct view *view,
	struct slice name, size_t *out)
{
	int feature = view_feature(view, name);
	if (feature < 0)
		return complain_feature(question, view, name);
	*out = (size_t)feature;
	return 0;
}

/* The view among those asked for, put there if it is new; NULL: no memory. */
static struct asked_view *asked(
	struct question *question, const struct view *view)
{
	for (size_t i = 0; i < question->view_count; i++)
		if (question->views[i].view == view)
			return &question->views[i];
	assert(question->view_count < question->schema->view_count);
	struct asked_view *asked = &question->views[question->view_count];
	*asked = (struct asked_view){
		.view = view,
		.features = arena_take(question->arena,
			view->feature_count * sizeof *asked->features),
		.taken = arena_take(question->arena,
			view->feature_count * sizeof *asked->taken),
	};
	if (asked->features == NULL || asked->taken == NULL)
		return NULL;
	memset(asked->taken, 0, view->feature_count * sizeof *asked->taken);
	question->view_count++;
	return asked;
}

int question_ask(
	struct question *question, const struct view *view, size_t feature)
{
	struct asked_view *to = asked(question, view);
	if (to == NULL)
		return question_no_memory(question);
	if (to->taken[feature])
		return complain(&question->complaint, question->arena,
			ERROR_SAME_FEATURE,
			"%s:%s is asked for twice: name each feature once",
			view->name, view->features[feature].name);
	if (question->feature_count >= question->limits->features_max)
		return complain(&question->complaint, question->arena,
			ERROR_TOO_MANY,
			"more than %zu features in one request: ask in "
			"several",
			question->limits->features_max);
	to->taken[feature] = true;
	to->features[to->feature_count++] = feature;
	question->feature_count++;
	return 0;
}

int question_ask_reference(struct question *question, struct slice reference)
{
	const char *colon = reference.length == 0 ? NULL
						  : memchr(reference.data, ':',
							    reference.length);
	if (colon == NULL)
		return complain(&question->complaint, question->arena,
			ERROR_BAD_FEATURES,
			"\"%s\" is no feature: write \"view:feature\"",
			question_echo(question, reference));
	size_t length = (size_t)(colon - reference.data);
	struct slice name = {colon + 1, reference.length - length - 1};
	const struct view *view;
	size_t feature = 0;
	int rc = question_view(
		question, (struct slice){reference.data, length}, &view);
	if (rc == 0)
		rc = question_feature(question, view, name, &feature);
	return rc == 0 ? question_ask(question, view, feature) : rc;
}

static int complain_service(struct question *question, struct slice name)
{
	const struct schema *schema = question->schema;
	const char *given = question_echo(question, name);
	const char **names = take_names(question, schema->service_count);
	for (size_t i = 0; names != NULL && i < schema->service_count; i++)
		names[i] = schema->services[i].name;
	return complain(&question->complaint, question->arena,
		ERROR_UNKNOWN_SERVICE, "there is no service \"%s\": %s", given,
		hint(question, given, names, schema->service_count,
			"the schema of this store names its services"));
}

int question_ask_each(struct question *question, const json_t *references,
	int (*ask_one)(struct question *question, struct slice reference),
	const char *none)
{
	size_t count = json_array_size(references);
	int rc = 0;
	if (count == 0)
		return complain(&question->complaint, question->arena,
			ERROR_BAD_FEATURES, "%s", none);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		const json_t *name = json_array_get(references, i);
		if (!json_is_string(name))
			return complain(&question->complaint, question->arena,
				ERROR_BAD_FEATURES,
				"features[%zu] must be a string: "
				"\"view:feature\"",
				i);
		rc = ask_one(question, (struct slice){json_string_value(name),
					       json_string_length(name)});
	}
	return rc;
}

int question_ask_service(struct question *question, struct slice name)
{
	const struct schema *schema = question->schema;
	const struct service *service = NULL;
	for (size_t i = 0; i < schema->service_count; i++)
		if (slice_equal(slice_of(schema->services[i].name), name))
			service = &schema->services[i];
	if (service == NULL)
		return complain_service(question, name);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < service->feature_count; i++)
		rc = question_ask(question,
			&schema->views[service->features[i].view],
			service->features[i].feature);
	return rc;
}

int question_unknown_member(struct question *question, const char *given,
	const char *const *names, size_t count)
{
	const char *shown = question_echo(question, slice_of(given));
	return complain(&question->complaint, question->arena, ERROR_BAD_MEMBER,
		"there is no member \"%s\" here: %s", shown,
		hint(question, shown, names, count, "leave it out"));
}

int question_entities(struct question *question, size_t index,
	size_t entity_count, struct value **out)
{
	const struct asked_view *asked = &question->views[index];
	*out = arena_take(question->arena,
		entity_count * asked->view->key_count * sizeof **out);
	if (*out == NULL)
		return question_no_memory(question);
	question->parts[index] = (struct lookup_part){
		.view = asked->view,
		.features = asked->features,
		.feature_count = asked->feature_count,
		.entities = *out,
		.entity_count = entity_count,
	};
	return 0;
}

int question_check_size(struct question *question)
{
	if (question->row_count > question->limits->entities_max)
		return complain(&question->complaint, question->arena,
			ERROR_TOO_MANY,
			"%zu rows in one request, the limit is %zu: ask in "
			"several",
			question->row_count, question->limits->entities_max);
	if (question->row_count * question->feature_count > REPLY_VALUES_MAX)
		return complain(&question->complaint, question->arena,
			ERROR_TOO_MANY,
			"%zu rows of %zu features in one request, the limit "
			"is %d values: ask in several",
			question->row_count, question->feature_count,
			REPLY_VALUES_MAX);
	return 0;
}

struct lookup_question question_finish(
	const struct question *question, int64_t now_us)
{
	return (struct lookup_question){
		.parts = question->parts,
		.part_count = question->view_count,
		.row_count = question->row_count,
		.terms = question->terms,
		.at_least = question->has_position ? &question->position : NULL,
		.now_us = now_us,
	};
}
