/*
 * Reading the schema file: the services, named lists of features.
 */
#include "schema/schema_read.h"

#include <string.h>

static const struct names any = {NULL, 0};

/* "view:feature". */
static int read_reference(const struct reader *reader,
	const struct place *place, const json_t *json,
	struct service_feature *out)
{
	const struct schema *schema = reader->schema;
	const char *text = json_string_value(json);
	const char *colon = text == NULL ? NULL : strchr(text, ':');
	if (colon == NULL)
		return reader_refuse(reader, place,
			"must be a string of the form \"view:feature\"");
	struct slice view_name = {text, (size_t)(colon - text)};
	const struct view *view = schema_view(schema, view_name);
	struct names known;
	if (view == NULL) {
		if (reader_names(reader, schema->views, schema->view_count,
			    sizeof *schema->views, &known) < 0)
			return FAULT_OOM;
		const char *name = arena_copy(reader->arena, view_name).data;
		return reader_unknown(reader, place, "unknown view",
			name == NULL ? "" : name, known);
	}
	int feature = view_feature(view, slice_of(colon + 1));
	if (feature < 0) {
		if (reader_names(reader, view->features, view->feature_count,
			    sizeof *view->features, &known) < 0)
			return FAULT_OOM;
		return reader_unknown(
			reader, place, "unknown feature", colon + 1, known);
	}
	*out = (struct service_feature){
		(size_t)(view - schema->views), (size_t)feature};
	return 0;
}

static int check_twice(const struct reader *reader, const struct place *place,
	const struct service *service, size_t i)
{
	const struct service_feature *given = &service->features[i];
	for (size_t j = 0; j < i; j++)
		if (service->features[j].view == given->view &&
			service->features[j].feature == given->feature)
			return reader_refuse(reader, place,
				"names a feature for the second time");
	return 0;
}

static int read_service(const struct reader *reader, const struct place *place,
	const json_t *json, struct service *service)
{
	service->name = place->member;
	int rc = reader_name(reader, place, service->name);
	if (rc < 0)
		return rc;
	size_t count = json_array_size(json);
	if (count == 0)
		return reader_refuse(reader, place,
			"must be a list of features: [\"view:feature\", …]");
	service->features =
		reader_take(reader, count * sizeof *service->features);
	if (service->features == NULL)
		return FAULT_OOM;
	service->feature_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct place at = {place, NULL, i};
		rc = read_reference(reader, &at, json_array_get(json, i),
			&service->features[i]);
		if (rc == 0)
			rc = check_twice(reader, &at, service, i);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int read_services(
	struct reader *reader, const struct place *place, json_t *json)
{
	struct schema *schema = reader->schema;
	if (json == NULL)
		return 0;
	int rc = reader_object(reader, place, json, any);
	if (rc < 0)
		return rc;
	schema->services = reader_take(
		reader, json_object_size(json) * sizeof *schema->services);
	if (schema->services == NULL)
		return FAULT_OOM;
	const char *name;
	json_t *child;
	json_object_foreach(json, name, child)
	{
		const struct place at = {place, name, 0};
		rc = read_service(reader, &at, child,
			&schema->services[schema->service_count]);
		if (rc < 0)
			return rc;
		schema->service_count++;
	}
	return 0;
}
