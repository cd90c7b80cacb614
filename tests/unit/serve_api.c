/* The examples of store/serve/API.md: schema, events, and each request with
 * its reply. Lines behind "    > " are sent, lines behind "    < " must come
 * back. */
#include "store/serve/errors.h"
#include "tests/lib/check.h"
#include "tests/lib/exchange_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_BYTES_MAX 65536
#define EXAMPLES_MIN 7 /* so that none is overlooked */

struct example {
	char target[256], body[4096], reply[8192];
	enum http_method method;
	unsigned status;
	size_t sent, received; /* lines */
};

static char *read_api(void)
{
	char *text = malloc(API_BYTES_MAX);
	FILE *file = fopen(SOURCE_DIRECTORY "/store/serve/API.md", "re");
	assert_non_null(text);
	assert_non_null(file);
	size_t length = fread(text, 1, API_BYTES_MAX - 1, file);
	assert_true(length < API_BYTES_MAX - 1);
	text[length] = '\0';
	(void)fclose(file);
	return text;
}

static void append(char *text, size_t size, const char *line)
{
	size_t length = strlen(text);
	int more = snprintf(text + length, size - length, "%s\n", line);
	assert_true(more >= 0 && (size_t)more < size - length);
}

static void first_line(struct example *example, const char *line)
{
	bool post = strncmp(line, "POST ", 5) == 0;
	*example = (struct example){.method = post ? HTTP_POST : HTTP_GET};
	snprintf(example->target, sizeof example->target, "%s",
		strchr(line, ' ') + 1);
}

static void sent_line(struct example *example, const char *line)
{
	if (example->sent == 0)
		first_line(example, line);
	else
		append(example->body, sizeof example->body, line);
	example->sent++;
}

static void received_line(struct example *example, const char *line)
{
	if (example->received++ == 0)
		example->status = (unsigned)strtoul(line, NULL, 10);
	else
		append(example->reply, sizeof example->reply, line);
}

static void run(struct exchange_rig *rig, const struct example *example)
{
	json_error_t error;
	arena_reset(&rig->arena);
	unsigned status = exchange_rig_send(
		rig, example->method, example->target, slice_of(example->body));
	json_t *wanted = json_loads(example->reply, JSON_DECODE_ANY, &error);
	if (wanted == NULL)
		fail_msg("%s: %s", example->target, error.text);
	if (status != example->status || !json_equal(wanted, rig->reply))
		fail_msg("%s %s: %u %.*s", example->target, example->body,
			status, (int)rig->exchange.reply.body.length,
			rig->exchange.reply.body.data);
	json_decref(wanted);
}

/* The lines behind four spaces from *at on, up to one without. */
static char *take_block(char **at)
{
	char *block = calloc(1, API_BYTES_MAX);
	assert_non_null(block);
	*at = strstr(*at, "\n    ");
	while (strncmp(*at, "\n    ", 5) == 0) {
		char *line = *at + 5;
		*at = strchr(line, '\n');
		strncat(block, line, (size_t)(*at - line) + 1);
	}
	return block;
}

static void make_store(struct exchange_rig *rig, char **at)
{
	char *schema = take_block(at);
	char *events = take_block(at);
	exchange_rig_make(rig, schema);
	for (char *line = strtok(events, "\n"); line != NULL;
		line = strtok(NULL, "\n"))
		exchange_rig_take(rig, line);
	rig->exchange.now_us = EXCHANGE_RIG_AS_OF_US + 96000;
	free(schema);
	free(events);
}

static size_t run_examples(struct exchange_rig *rig, char *text)
{
	struct example example = {0};
	size_t count = 0;
	char *rest = text;
	char *line;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strncmp(line, "    > ", 6) == 0) {
			sent_line(&example, line + 6);
		} else if (strncmp(line, "    < ", 6) == 0) {
			received_line(&example, line + 6);
		} else if (example.received > 0) {
			run(rig, &example);
			example = (struct example){0};
			count++;
		}
	}
	return count;
}

static void every_example_is_true(void **state)
{
	(void)state;
	struct exchange_rig rig;
	char *text = read_api();
	char *at = text;
	make_store(&rig, &at);
	assert_true(run_examples(&rig, at) >= EXAMPLES_MIN);
	exchange_rig_remove(&rig);
	free(text);
}

/* Every code that there is, is written down. */
static void every_error_is_written_down(void **state)
{
	(void)state;
	char *text = read_api();
	for (int i = 0; i < ERROR_COUNT; i++) {
		char code[64];
		snprintf(code, sizeof code, "`%s`", error_name((enum error)i));
		if (strstr(text, code) == NULL)
			fail_msg("API.md lacks %s", code);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_example_is_true),
		cmocka_unit_test(every_error_is_written_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
