#include "schema/pointer.h"

#include <string.h>

static size_t count_tokens(const char *text)
{
	size_t count = 0;
	for (; *text != '\0'; text++)
		count += *text == '/';
	return count;
}

/* Cut one token out of `at`, in place: ~1 is a slash, ~0 a tilde. Returns what
 * follows its end, or NULL for a tilde of another kind. */
static char *unescape(char *at)
{
	char *out = at;
	for (; *at != '\0' && *at != '/'; at++) {
		char c = *at;
		if (c == '~') {
			at++;
			if (*at != '0' && *at != '1')
				return NULL;
			c = *at == '0' ? '~' : '/';
		}
		*out++ = c;
	}
	char *next = *at == '/' ? at + 1 : at;
	*out = '\0';
	return next;
}

/* NULL, or what is wrong with the text. */
static const char *split(char *text, const char **tokens, size_t count)
{
	char *at = text;
	if (text[0] != '\0' && text[0] != '/')
		return "a JSON pointer starts with / (RFC 6901)";
	at++;
	for (size_t i = 0; i < count; i++) {
		tokens[i] = at;
		at = unescape(at);
		if (at == NULL)
			return "in a JSON pointer ~ is written ~0, and / "
			       "within a name ~1 (RFC 6901)";
	}
	return NULL;
}

int pointer_parse(struct pointer *out, const char *text, struct arena *arena,
	const char **wrong)
{
	size_t count = count_tokens(text);
	if (count > POINTER_TOKENS_MAX) {
		*wrong = "a JSON pointer with more than 64 steps";
		return POINTER_WRONG;
	}
	struct slice whole = arena_copy(arena, slice_of(text));
	char *parts = arena_take(arena, strlen(text) + 1);
	const char **tokens = arena_take(arena, count * sizeof *tokens);
	if (whole.data == NULL || parts == NULL || tokens == NULL)
		return FAULT_OOM;
	memcpy(parts, text, strlen(text) + 1);
	*wrong = split(parts, tokens, count);
	*out = (struct pointer){whole.data, tokens, count};
	return *wrong == NULL ? POINTER_GOOD : POINTER_WRONG;
}

/* Digits without a leading zero; `-`, the end, is never there. */
static json_t *element(json_t *array, const char *token)
{
	if (token[0] == '\0' || (token[0] == '0' && token[1] != '\0'))
		return NULL;
	size_t index = 0;
	for (; *token != '\0'; token++) {
		if (*token < '0' || *token > '9')
			return NULL;
		index = index * 10 + (size_t)(*token - '0');
		if (index >= json_array_size(array))
			return NULL;
	}
	return json_array_get(array, index);
}

json_t *pointer_find(const struct pointer *pointer, json_t *root)
{
	json_t *at = root;
	for (size_t i = 0; i < pointer->count && at != NULL; i++) {
		if (json_is_array(at))
			at = element(at, pointer->tokens[i]);
		else
			at = json_object_get(at, pointer->tokens[i]);
	}
	return at;
}
