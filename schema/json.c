#include "schema/json.h"

#include "schema/fault.h"

#include <stdlib.h>
#include <string.h>

#define PROBE_BYTES 4096 /* more than any one node of jansson's tree */

/* Brackets within brackets, counted outside of strings; stops counting beyond
 * `limit`. Before parsing, because a parser recurses. */
static size_t depth_of(struct slice text, size_t limit)
{
	size_t depth = 0, deepest = 0;
	bool in_string = false;
	for (size_t i = 0; i < text.length && deepest <= limit; i++) {
		char c = text.data[i];
		if (in_string) {
			i += c == '\\';
			in_string = c != '"';
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			depth++;
			if (depth > deepest)
				deepest = depth;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return deepest;
}

static enum reason reason_of(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_invalid_utf8:
		return REASON_BAD_UTF8;
	case json_error_duplicate_key:
		return REASON_DUPLICATE_MEMBER;
	case json_error_stack_overflow:
		return REASON_TOO_DEEP;
	default:
		return REASON_BAD_JSON;
	}
}

/* jansson quotes the text after " near '", cut off anywhere, perhaps within a
 * character: the position says where without it. */
static const char *detail_of(const json_error_t *error, struct arena *arena)
{
	const char *quote = strstr(error->text, " near '");
	int length = quote == NULL ? (int)strlen(error->text)
				   : (int)(quote - error->text);
	return arena_print(
		arena, "%.*s at byte %d", length, error->text, error->position);
}

/* Did jansson ask for memory in vain, in this thread, since it was cleared? */
static _Thread_local bool in_vain;

static void *take(size_t size)
{
	void *memory = malloc(size);
	in_vain |= memory == NULL;
	return memory;
}

void json_process_init(void)
{
	json_set_alloc_funcs(take, free);
}

/* jansson gives a failed allocation no code of its own, and within a string
 * calls it an invalid token (2.14, load.c). Lack of memory must not condemn an
 * event: where jansson's requests are not seen, what a parser would have needed
 * is asked for here. */
static bool memory_is_out(const json_error_t *error, size_t text_length)
{
	if (in_vain)
		return true;
	/* volatile: or the compiler drops a pair of malloc and free */
	void *volatile probe = malloc(2 * text_length + PROBE_BYTES);
	bool out = probe == NULL || error->text[0] == '\0' ||
		   json_error_code(error) == json_error_out_of_memory;
	free(probe);
	return out;
}

static json_t *parse(struct slice text, bool *lossy, json_error_t *error)
{
	static const size_t flags =
		JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_t *root = json_loadb(text.data, text.length, flags, error);
	*lossy = root == NULL &&
		 json_error_code(error) == json_error_numeric_overflow;
	return *lossy ? json_loadb(text.data, text.length,
				flags | JSON_DECODE_INT_AS_REAL, error)
		      : root;
}

int json_read(struct slice text, size_t depth_max, struct arena *arena,
	struct json_text *out)
{
	*out = (struct json_text){.depth = depth_of(text, depth_max)};
	if (out->depth > depth_max) {
		out->reason = REASON_TOO_DEEP;
		out->detail = arena_print(
			arena, "nested deeper than %zu brackets", depth_max);
		return 0;
	}
	json_error_t error = {.line = 0}; /* jansson leaves parts unset */
	in_vain = false;
	out->root = parse(text, &out->lossy, &error);
	if (out->root != NULL && !in_vain)
		return 0;
	json_decref(out->root);
	out->root = NULL;
	if (memory_is_out(&error, text.length))
		return FAULT_OOM;
	out->reason = reason_of(&error);
	out->detail = detail_of(&error, arena);
	return 0;
}

void json_strip_comments(json_t *json)
{
	const char *name;
	void *next;
	json_t *child;
	size_t i;
	json_array_foreach(json, i, child) json_strip_comments(child);
	json_object_foreach_safe(json, next, name, child)
	{
		if (strncmp(name, "//", 2) == 0)
			json_object_del(json, name);
		else
			json_strip_comments(child);
	}
}

struct slice json_print(const json_t *json, struct arena *arena)
{
	static const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	size_t length = json_dumpb(json, NULL, 0, flags);
	char *text = length == 0 ? NULL : arena_take(arena, length + 1);
	if (text == NULL)
		return (struct slice){NULL, 0};
	/* It asks for memory each time, to sort members. */
	if (json_dumpb(json, text, length, flags) != length)
		return (struct slice){NULL, 0};
	text[length] = '\0';
	return (struct slice){text, length};
}
