#include "schema/schema.h"

#include "schema/decode.h"
#include "schema/json.h"
#include "schema/schema_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A schema of SCHEMA_FEATURES_MAX features takes about 200 KiB. */
#define SCHEMA_FILE_BYTES_MAX ((size_t)16 * 1024 * 1024)

/* What schema->memory is: all that the schema points into. */
struct memory {
	struct arena arena;
	json_t *root; /* names, constants and defaults are borrowed from it */
	struct schema schema;
};

static int parse_json(
	struct memory *memory, struct slice text, const struct reader *reader)
{
	struct json_text json;
	int rc = json_read(text, DEPTH_MAX, &memory->arena, &json);
	memory->root = json.root;
	if (rc < 0)
		return fault_set(
			reader->fault, rc, "%s: out of memory", reader->name);
	if (json.root == NULL)
		return reader_refuse(reader, NULL, "not JSON (%s): %s%s",
			reason_name(json.reason),
			json.detail == NULL ? "" : json.detail,
			json.reason == REASON_DUPLICATE_MEMBER
				? "; comments need different names, too"
				: "");
	if (json.lossy)
		return reader_refuse(reader, NULL,
			"holds an integer beyond 64 bits: write it smaller");
	json_strip_comments(memory->root);
	memory->schema.text = json_print(memory->root, &memory->arena).data;
	if (memory->schema.text == NULL)
		return fault_set(reader->fault, FAULT_OOM, "%s: out of memory",
			reader->name);
	return 0;
}

static int read_all(struct reader *reader, json_t *root)
{
	static const char *const members[] = {"views", "sources", "services"};
	static const struct place views = {NULL, "views", 0};
	static const struct place sources = {NULL, "sources", 0};
	static const struct place services = {NULL, "services", 0};
	int rc = reader_object(reader, NULL, root, NAMES_OF(members));
	if (rc == 0)
		rc = read_views(reader, &views, json_object_get(root, "views"));
	if (rc == 0)
		rc = read_sources(
			reader, &sources, json_object_get(root, "sources"));
	if (rc == 0)
		rc = read_services(
			reader, &services, json_object_get(root, "services"));
	return rc;
}

int schema_parse(struct schema **out, struct slice text, const char *name,
	struct fault *fault)
{
	*out = NULL;
	struct memory *memory = calloc(1, sizeof *memory);
	if (memory == NULL)
		return fault_set(fault, FAULT_OOM, "%s: out of memory", name);
	memory->schema.memory = memory;
	struct reader reader = {&memory->schema, &memory->arena, name, fault};
	int rc = parse_json(memory, text, &reader);
	if (rc == 0)
		rc = read_all(&reader, memory->root);
	if (rc < 0) {
		schema_free(&memory->schema);
		return rc;
	}
	*out = &memory->schema;
	return 0;
}

/* The whole file, owned by the caller; NULL with errno set. */
static char *read_file(FILE *file, size_t *length)
{
	char *text = malloc(SCHEMA_FILE_BYTES_MAX + 1);
	if (text == NULL)
		return NULL;
	*length = fread(text, 1, SCHEMA_FILE_BYTES_MAX + 1, file);
	if (!ferror(file) && *length <= SCHEMA_FILE_BYTES_MAX)
		return text;
	if (!ferror(file))
		errno = EFBIG;
	free(text);
	return NULL;
}

int schema_load(struct schema **out, const char *path, struct fault *fault)
{
	*out = NULL;
	size_t length = 0;
	FILE *file = fopen(path, "re");
	char *text = file == NULL ? NULL : read_file(file, &length);
	int error = errno;
	if (file != NULL)
		(void)fclose(file);
	if (text == NULL)
		return fault_set(fault, FAULT_USAGE,
			"%s: can't read the schema: %s", path, strerror(error));
	int rc = schema_parse(out, (struct slice){text, length}, path, fault);
	free(text);
	return rc;
}

void schema_free(struct schema *schema)
{
	if (schema == NULL)
		return;
	struct memory *memory = schema->memory;
	json_decref(memory->root);
	arena_finish(&memory->arena);
	free(memory);
}

const struct view *schema_view(const struct schema *schema, struct slice name)
{
	for (size_t i = 0; i < schema->view_count; i++)
		if (slice_equal(slice_of(schema->views[i].name), name))
			return &schema->views[i];
	return NULL;
}

const struct source_schema *schema_source(
	const struct schema *schema, const char *topic)
{
	for (size_t i = 0; i < schema->source_count; i++)
		if (strcmp(schema->sources[i].topic, topic) == 0)
			return &schema->sources[i];
	return NULL;
}

int view_feature(const struct view *view, struct slice name)
{
	size_t low = 0, high = view->feature_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		size_t index = view->by_name[middle];
		int order = slice_compare(
			slice_of(view->features[index].name), name);
		if (order == 0)
			return (int)index;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}
