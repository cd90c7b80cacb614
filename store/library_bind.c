/* libholdfast: keys, bound to the rows of the next lookups. */
#include "store/library_inside.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for keys");
}

static int check_binding(struct holdfast_query *query, size_t key,
	enum holdfast_type type, size_t count, struct fault *fault)
{
	if (key >= query->key_count)
		return fault_set(fault, FAULT_USAGE,
			"there is no key number %zu to bind: the query has %zu",
			key, query->key_count);
	if (query->keys[key].type != type)
		return fault_set(fault, FAULT_USAGE,
			"key %s is of type %s, and was bound to %s",
			query->keys[key].name,
			holdfast_type_name(query->keys[key].type),
			holdfast_type_name(type));
	if (count > HOLDFAST_ROWS_MAX)
		return fault_set(fault, FAULT_USAGE,
			"key %s: %zu rows, the limit is %d",
			query->keys[key].name, count, HOLDFAST_ROWS_MAX);
	return 0;
}

/* Room for `count` values; what was bound is forgotten. */
static int clear(struct binding *binding, size_t count, struct fault *fault)
{
	binding->bound = false;
	binding->count = count;
	if (count <= binding->capacity)
		return 0;
	free(binding->values);
	binding->capacity = 0;
	binding->values = malloc(count * sizeof *binding->values);
	if (binding->values == NULL)
		return no_memory(fault);
	binding->capacity = count;
	return 0;
}

static int clear_text(
	struct binding *binding, size_t bytes, struct fault *fault)
{
	if (bytes <= binding->text_capacity)
		return 0;
	free(binding->text);
	binding->text_capacity = 0;
	binding->text = malloc(bytes + 1);
	if (binding->text == NULL)
		return no_memory(fault);
	binding->text_capacity = bytes;
	return 0;
}

/* No answer for keys that are half new and half old: a wrong binding takes the
 * others with it. The first is told. */
static void misbind(struct holdfast_query *query, const struct fault *fault)
{
	if (query->misbound.code == 0)
		query->misbound = *fault;
	for (size_t i = 0; i < query->key_count; i++)
		query->bindings[i].bound = false;
}

static int bind_int64(struct holdfast_query *query, size_t key,
	const int64_t *values, size_t count, struct fault *fault)
{
	int rc = check_binding(query, key, HOLDFAST_TYPE_INT64, count, fault);
	if (rc < 0)
		return rc;
	struct binding *binding = &query->bindings[key];
	rc = clear(binding, count, fault);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		binding->values[i] = (struct value){
			.state = VALUE_SET, .as.integer = values[i]};
	binding->bound = true;
	return 0;
}

void holdfast_bind_int64(struct holdfast_query *query, size_t key,
	const int64_t *values, size_t count)
{
	struct fault fault;
	if (bind_int64(query, key, values, count, &fault) < 0)
		misbind(query, &fault);
}

static const char *what_is_wrong(struct slice text)
{
	if (text.data == NULL)
		return "no text (NULL)";
	if (text.length > HOLDFAST_KEY_BYTES_MAX)
		return "longer than a key can be";
	if (memchr(text.data, '\0', text.length) != NULL)
		return "a NUL within the text";
	return NULL;
}

/* Slices of the caller's texts into values[0..count), and how many bytes they
 * have in all. */
static int measure(const char *const *texts, const size_t *lengths,
	struct binding *binding, size_t *bytes, struct fault *fault)
{
	*bytes = 0;
	for (size_t i = 0; i < binding->count; i++) {
		struct slice text =
			lengths == NULL ? slice_of(texts[i])
					: (struct slice){texts[i], lengths[i]};
		const char *wrong = what_is_wrong(text);
		if (wrong != NULL) {
			fault_set(fault, FAULT_USAGE, "row %zu: %s", i, wrong);
			return FAULT_USAGE;
		}
		binding->values[i] =
			(struct value){.state = VALUE_SET, .as.bytes = text};
		*bytes += text.length;
	}
	return 0;
}

static int bind_text(struct holdfast_query *query, size_t key,
	const char *const *texts, const size_t *lengths, size_t count,
	struct fault *fault)
{
	int rc = check_binding(query, key, HOLDFAST_TYPE_STRING, count, fault);
	if (rc < 0)
		return rc;
	struct binding *binding = &query->bindings[key];
	size_t bytes = 0;
	rc = clear(binding, count, fault);
	if (rc == 0)
		rc = measure(texts, lengths, binding, &bytes, fault);
	if (rc == 0)
		rc = clear_text(binding, bytes, fault);
	if (rc != 0)
		return fault_wrap(fault, rc, "key %s", query->keys[key].name);
	char *at = binding->text;
	for (size_t i = 0; i < count; i++) {
		struct slice *text = &binding->values[i].as.bytes;
		memcpy(at, text->data, text->length);
		text->data = at;
		at += text->length;
	}
	binding->bound = true;
	return 0;
}

void holdfast_bind_text(struct holdfast_query *query, size_t key,
	const char *const *values, const size_t *lengths, size_t count)
{
	struct fault fault;
	if (bind_text(query, key, values, lengths, count, &fault) < 0)
		misbind(query, &fault);
}
