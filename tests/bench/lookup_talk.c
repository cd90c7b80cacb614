/* The two protocols of lookup_client: see lookup_client.h. */
#include "tests/bench/lookup_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const features[FEATURES] = {"txns", "spend", "visits",
	"last_amount", "last_seen", "score", "rating", "active", "country",
	"device"};

/* ---- Requests --------------------------------------------------------- */

struct writing {
	FILE *file;
	struct request_shape *shape;
};

static void write_key(struct writing *writing, const char *before)
{
	fputs(before, writing->file);
	long at = ftell(writing->file);
	writing->shape->slots[writing->shape->batch++] = (size_t)at;
	for (int i = 0; i < KEY_DIGITS; i++)
		fputc('0', writing->file);
}

static void write_hmget(struct writing *writing)
{
	fprintf(writing->file, "*%d\r\n$5\r\nHMGET\r\n$%zu\r\n", FEATURES + 2,
		strlen("user_stats:user-") + KEY_DIGITS);
	write_key(writing, "user_stats:user-");
	fputs("\r\n", writing->file);
	for (size_t i = 0; i < FEATURES; i++)
		fprintf(writing->file, "$%zu\r\n%s\r\n", strlen(features[i]),
			features[i]);
}

static void write_get(struct writing *writing)
{
	write_key(writing, "GET /v1/views/user_stats/user-");
	fputs(" HTTP/1.1\r\nHost: localhost\r\n\r\n", writing->file);
}

static void write_body(struct writing *writing, size_t batch)
{
	fputs("{\"features\":[", writing->file);
	for (size_t i = 0; i < FEATURES; i++)
		fprintf(writing->file, "%s\"user_stats:%s\"", i == 0 ? "" : ",",
			features[i]);
	fputs("],\"entities\":{\"user_id\":[", writing->file);
	for (size_t i = 0; i < batch; i++) {
		write_key(writing, i == 0 ? "\"user-" : ",\"user-");
		fputc('"', writing->file);
	}
	fputs("]}}", writing->file);
}

/* Twice, since the head tells the body's length. */
static void write_post(struct writing *writing, size_t batch)
{
	write_body(writing, batch);
	long length = ftell(writing->file);
	rewind(writing->file);
	writing->shape->batch = 0;
	fprintf(writing->file,
		"POST /v1/lookup HTTP/1.1\r\nHost: localhost\r\n"
		"Content-Type: application/json\r\n"
		"Content-Length: %ld\r\n\r\n",
		length);
	write_body(writing, batch);
}

struct request_shape request_shape_make(enum server server, size_t batch)
{
	struct request_shape shape = {0};
	struct writing writing = {
		.file = open_memstream(&shape.text, &shape.length),
		.shape = &shape,
	};
	if (writing.file == NULL)
		abort();
	if (server == SERVER_HOLDFAST && batch == 1)
		write_get(&writing);
	else if (server == SERVER_HOLDFAST)
		write_post(&writing, batch);
	else
		while (shape.batch < batch)
			write_hmget(&writing);
	if (fclose(writing.file) != 0)
		abort();
	return shape;
}

void request_shape_fill(struct request_shape *shape, const uint32_t *users)
{
	for (size_t i = 0; i < shape->batch; i++) {
		char *digits = shape->text + shape->slots[i];
		uint32_t rest = users[i];
		for (int d = KEY_DIGITS - 1; d >= 0; d--) {
			digits[d] = (char)('0' + rest % 10);
			rest /= 10;
		}
	}
}

void request_shape_free(struct request_shape *shape)
{
	free(shape->text);
	*shape = (struct request_shape){0};
}

/* ---- Replies in Redis's form ------------------------------------------ */

/* "$5\r\nhello\r\n", "$-1\r\n" or "*10\r\n" at `at`: its end, NULL where it is
 * not whole yet. */
static const char *redis_item(
	struct reading *reading, const char *at, const char *end)
{
	const char *line = memchr(at, '\n', (size_t)(end - at));
	if (line == NULL)
		return NULL;
	long number = strtol(at + 1, NULL, 10);
	if (*at == '*') {
		reading->awaiting = (size_t)number;
		return line + 1;
	}
	if (number >= 0) {
		if (end - line - 1 < number + 2)
			return NULL;
		line += number + 2;
		reading->values++;
	}
	reading->awaiting--;
	return line + 1;
}

static enum heard redis_read(
	struct reading *reading, const char *text, size_t length, size_t batch)
{
	const char *at = text + reading->seen, *end = text + length;
	while (at < end) {
		if (*at != (reading->awaiting > 0 ? '$' : '*'))
			return HEARD_WRONG;
		const char *next = redis_item(reading, at, end);
		if (next == NULL)
			return HEARD_PART;
		at = next;
		reading->seen = (size_t)(at - text);
		reading->replies += reading->awaiting == 0;
		if (reading->replies == batch)
			break;
	}
	return reading->replies == batch ? HEARD_ALL : HEARD_PART;
}

/* ---- Replies in HTTP's and JSON's ------------------------------------- */

static const char *string_end(const char *at, const char *end)
{
	for (at++; at < end; at++) {
		if (*at == '"')
			return at + 1;
		if (*at == '\\')
			at++;
	}
	return end;
}

/* Values that are not null in the array at `at`, in arrays within it, too. */
static size_t count_values(const char *at, const char *end)
{
	size_t count = 0;
	int depth = 0;
	while (at < end) {
		switch (*at) {
		case '[':
			depth++;
			at++;
			break;
		case ']':
			depth--;
			at++;
			break;
		case ',':
			at++;
			break;
		case '"':
			count++;
			at = string_end(at, end);
			break;
		default:
			count += *at != 'n';
			at += strcspn(at, ",]");
		}
		if (depth == 0)
			break;
	}
	return count;
}

/* The head is whole: how long is the reply? */
static enum heard http_head(
	struct reading *reading, const char *text, const char *body)
{
	static const char ok[] = "HTTP/1.1 200 ";
	static const char length_name[] = "\r\nContent-Length: ";
	const char *length = memmem(text, (size_t)(body - text), length_name,
		sizeof length_name - 1);
	if (strncmp(text, ok, sizeof ok - 1) != 0 || length == NULL)
		return HEARD_WRONG;
	reading->head = (size_t)(body - text);
	reading->whole = reading->head +
			 strtoul(length + sizeof length_name - 1, NULL, 10);
	return HEARD_PART;
}

static enum heard http_read(
	struct reading *reading, const char *text, size_t length)
{
	static const char values_name[] = "\"values\":";
	if (reading->whole == 0) {
		const char *blank = memmem(text, length, "\r\n\r\n", 4);
		if (blank == NULL)
			return HEARD_PART;
		if (http_head(reading, text, blank + 4) == HEARD_WRONG)
			return HEARD_WRONG;
	}
	reading->seen = length;
	if (length < reading->whole)
		return HEARD_PART;
	const char *body = text + reading->head, *end = text + reading->whole;
	const char *values = memmem(body, (size_t)(end - body), values_name,
		sizeof values_name - 1);
	if (values == NULL)
		return HEARD_WRONG;
	reading->seen = reading->whole;
	reading->values = count_values(values + sizeof values_name - 1, end);
	return HEARD_ALL;
}

enum heard reply_read(enum server server, struct reading *reading,
	const char *text, size_t length, size_t batch)
{
	enum heard heard = server == SERVER_REDIS
				   ? redis_read(reading, text, length, batch)
				   : http_read(reading, text, length);
	if (heard == HEARD_ALL && (reading->seen != length ||
					  reading->values != batch * FEATURES))
		return HEARD_WRONG;
	return heard;
}
