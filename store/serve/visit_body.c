/* A request's headers and body on their way in, within the limits. */
#include "store/serve/errors.h"
#include "store/serve/visit_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* Kept with a connection for its next request: a batch of some hundred
 * entities. */
#define KEPT_BYTES 16384

/* All larger bodies under way together hold at most so many times
 * body_bytes_max. */
#define BODIES_AT_ONCE 64

bool bytes_reserve(struct bytes *bytes, size_t capacity)
{
	if (capacity <= bytes->capacity)
		return true;
	char *data = realloc(bytes->data, capacity);
	if (data == NULL)
		return false;
	bytes->data = data;
	bytes->capacity = capacity;
	return true;
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

static void bytes_clear(struct bytes *bytes)
{
	if (bytes->capacity > KEPT_BYTES)
		bytes_free(bytes);
	bytes->length = 0;
}

static enum http_method parse_method(const char *method)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) == 0)
		return HTTP_GET;
	if (strcmp(method, MHD_HTTP_METHOD_POST) == 0)
		return HTTP_POST;
	if (strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
		return HTTP_HEAD;
	return HTTP_OTHER;
}

/* Room for `length` bytes of body, which grows with what has come: beyond what
 * connections keep anyway it is taken from what all share. */
static bool reserve_body(struct visit *visit, size_t length)
{
	struct serve *serve = visit->worker->serve;
	size_t limit = BODIES_AT_ONCE * serve->options.body_bytes_max;
	size_t capacity = visit->body.capacity * 2;
	if (length <= visit->body.capacity)
		return true;
	if (capacity < length)
		capacity = length;
	if (capacity > KEPT_BYTES && capacity > visit->charged) {
		size_t more = capacity - visit->charged;
		if (atomic_fetch_add(&serve->body_bytes, more) + more > limit) {
			atomic_fetch_sub(&serve->body_bytes, more);
			return false;
		}
		visit->charged = capacity;
	}
	return bytes_reserve(&visit->body, capacity);
}

void visit_release_body(struct visit *visit)
{
	bytes_clear(&visit->body);
	if (visit->charged > 0)
		atomic_fetch_sub(
			&visit->worker->serve->body_bytes, visit->charged);
	visit->charged = 0;
}

static void refuse_too_long(struct visit *visit)
{
	char message[128];
	if (snprintf(message, sizeof message,
		    "the body has more than %zu bytes, which is "
		    "serve.body_bytes_max: ask in parts",
		    visit->worker->serve->options.body_bytes_max) > 0)
		visit_refuse(visit, ERROR_BODY_TOO_LARGE, message);
}

static void refuse_overload(struct visit *visit)
{
	visit_refuse(visit, ERROR_OVERLOADED,
		"too many large bodies at once: try again in a second");
}

/* What headers say of the body. */
struct framing {
	unsigned lengths, encodings; /* how often */
	const char *length, *encoding;
	bool misnamed; /* a name that others may read as one of theirs */
};

/* Is it `known`? A longer name that begins with it counts too, and as unclear:
 * libmicrohttpd 0.9.75 makes the white space before a colon part of the name,
 * and of an empty value's continuation as well. */
static bool is_named(
	struct framing *framing, const char *name, const char *known)
{
	size_t length = strlen(known);
	if (strncasecmp(name, known, length) != 0)
		return false;
	framing->misnamed |= name[length] != '\0';
	return true;
}

static enum MHD_Result note_header(
	void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *framing = cls;
	(void)kind;
	/* Most headers begin with another letter. */
	char first = (char)(name[0] | 0x20);
	if (first == 'c' &&
		is_named(framing, name, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
		framing->lengths++;
		framing->length = value;
	} else if (first == 't' &&
		   is_named(framing, name, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
		framing->encodings++;
		framing->encoding = value;
	} else if (name[0] == ' ' || name[0] == '\t') {
		/* A continuation of the request line, which has none. */
		framing->misnamed = true;
	}
	return MHD_YES;
}

/* Where a proxy before us and we could disagree on where the body ends, the
 * rest of it would be a request that nobody sent (RFC 9112, section 11.2).
 * libmicrohttpd takes the first length, and 0.9.75 any encoding. */
static bool is_ambiguous(const struct framing *framing)
{
	return framing->misnamed || framing->lengths + framing->encodings > 1 ||
	       (framing->encodings == 1 &&
		       strcasecmp(framing->encoding, "chunked") != 0);
}

/*
 * A NUL ends the target that libmicrohttpd 0.9.75 hands over, and another
 * entity's key could begin the same way. There the version stands behind the
 * target in the same buffer, with one space between; 1.0.1 refuses a NUL.
 */
static bool is_cut_short(
	const struct visit *visit, const char *url, const char *version)
{
	uintptr_t end = (uintptr_t)url + visit->target.length;
	uintptr_t next = (uintptr_t)version;
	return next > end && next - end < CONNECTION_BYTES && next - end != 1;
}

enum MHD_Result visit_take_headers(struct visit *visit,
	struct MHD_Connection *connection, const struct request_line *line)
{
	const struct serve_options *options = &visit->worker->serve->options;
	struct framing framing = {0};
	visit->headers_seen = true;
	visit->method = parse_method(line->method);
	(void)MHD_get_connection_values(
		connection, MHD_HEADER_KIND, note_header, &framing);
	if (is_cut_short(visit, line->url, line->version))
		visit_refuse(visit, ERROR_BAD_PATH,
			"there is a NUL in the path: no key holds one");
	else if (is_ambiguous(&framing))
		visit_refuse(visit, ERROR_BAD_HEADERS,
			"the headers do not say clearly how long the body is: "
			"send one Content-Length, or Transfer-Encoding: "
			"chunked");
	else if (framing.lengths == 1 &&
		 strtoull(framing.length, NULL, 10) > options->body_bytes_max)
		refuse_too_long(visit);
	else
		return MHD_YES;
	visit->lingers = true;
	return visit_send_reply(visit, connection);
}

enum MHD_Result visit_take_body(
	struct visit *visit, const char *data, size_t *size)
{
	size_t limit = visit->worker->serve->options.body_bytes_max;
	size_t length = visit->body.length + *size;
	if (length > limit) {
		refuse_too_long(visit);
		return visit_refuse_midway(visit);
	}
	if (!reserve_body(visit, length)) {
		refuse_overload(visit);
		return visit_refuse_midway(visit);
	}
	memcpy(visit->body.data + visit->body.length, data, *size);
	visit->body.length = length;
	*size = 0;
	return MHD_YES;
}
