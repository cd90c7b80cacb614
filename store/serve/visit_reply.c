/* Replies on their way into libmicrohttpd, and refusals of the server's own. */
#include "schema/rfc3339.h"
#include "store/serve/errors.h"
#include "store/serve/visit_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

/* A position of some hundred partitions; a reply's headers have to fit into the
 * connection's memory beside the request's. */
#define POSITION_HEADER_MAX 4096

/* What a reply to some hundred entities takes with its rows; only larger ones
 * are counted. */
#define REPLY_BYTES_USUAL ((size_t)512 * 1024)

struct arena *visit_fresh_arena(struct visit *visit)
{
	if (visit->memory == NULL)
		visit->memory = desk_take_memory(&visit->worker->desk);
	if (visit->memory == NULL)
		return NULL;
	arena_reset(&visit->memory->arena);
	return &visit->memory->arena;
}

/* Only the reply's text has to wait for a slow client, not the rows it was made
 * of. */
static void keep_body_alone(struct visit *visit)
{
	struct reply *reply = &visit->exchange.reply;
	struct arena small = ARENA_INIT;
	struct slice body = arena_copy(&small, reply->body);
	if (body.data == NULL)
		return; /* no memory: it goes as it is */
	arena_finish(&visit->memory->arena);
	visit->memory->arena = small;
	reply->body = body;
}

void visit_release_reply(struct visit *visit)
{
	if (visit->reply_charged > 0)
		atomic_fetch_sub(&visit->worker->serve->replies_bytes,
			visit->reply_charged);
	visit->reply_charged = 0;
}

void visit_charge_reply(struct visit *visit)
{
	struct serve *serve = visit->worker->serve;
	if (visit->memory == NULL ||
		visit->memory->arena.held_bytes <= REPLY_BYTES_USUAL)
		return;
	if (visit->exchange.reply.truth == NULL)
		keep_body_alone(visit);
	size_t held = visit->memory->arena.held_bytes;
	visit->reply_charged = held;
	if (atomic_fetch_add(&serve->replies_bytes, held) + held <=
		serve->options.replies_bytes_max)
		return;
	visit_release_reply(visit);
	arena_finish(&visit->memory->arena);
	visit_refuse(visit, ERROR_OVERLOADED,
		"too many large replies at once (serve.replies_bytes_max): try "
		"again in a second, or ask in parts");
}

static void add_header(
	struct MHD_Response *response, const char *name, const char *value)
{
	/* Out of memory, or a value that is none: the reply goes without. */
	(void)MHD_add_response_header(response, name, value);
}

static void add_number(
	struct MHD_Response *response, const char *name, int64_t number)
{
	char text[24];
	if (snprintf(text, sizeof text, "%" PRId64, number) > 0)
		add_header(response, name, text);
}

/* What Feast's body has no place for. */
static void add_truth(
	struct MHD_Response *response, const struct lookup_answer *truth)
{
	char time[RFC3339_SIZE];
	add_header(response, "Holdfast-Generation", truth->generation);
	if (truth->as_of_us != TIMESTAMP_NONE)
		add_header(response, "Holdfast-As-Of",
			rfc3339_print(truth->as_of_us, time));
	if (truth->lag_us != LAG_UNKNOWN)
		add_number(response, "Holdfast-Lag-Ms", truth->lag_us / 1000);
	if (truth->position.length > 0 &&
		truth->position.length <= POSITION_HEADER_MAX)
		add_header(response, "Holdfast-Position", truth->position.data);
}

static void add_headers(
	struct MHD_Response *response, const struct reply *reply, bool last)
{
	add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
	if (reply->retry_after_s > 0)
		add_number(response, MHD_HTTP_HEADER_RETRY_AFTER,
			reply->retry_after_s);
	if (reply->allow != NULL)
		add_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
	if (reply->truth != NULL)
		add_truth(response, reply->truth);
	if (last)
		add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

enum MHD_Result visit_send_reply(
	struct visit *visit, struct MHD_Connection *connection)
{
	const struct reply *reply = &visit->exchange.reply;
	union {
		const char *read;
		void *write; /* as libmicrohttpd takes it, which only reads */
	} body = {reply->body.data};
	struct MHD_Response *response = MHD_create_response_from_buffer(
		reply->body.length, body.write, MHD_RESPMEM_PERSISTENT);
	if (response == NULL)
		return MHD_NO;
	add_headers(
		response, reply, atomic_load(&visit->worker->serve->stopping));
	enum MHD_Result result =
		MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

void visit_refuse(struct visit *visit, enum error error, const char *message)
{
	struct arena *arena = visit_fresh_arena(visit);
	visit->exchange = (struct exchange){
		.request = {visit->method, bytes_slice(&visit->target),
			{"", 0}},
		.arena = arena,
		.endpoint = ENDPOINT_NONE,
		.reply = {.status = 503,
			.content_type = "application/json",
			.body = slice_of("{}"),
			.retry_after_s = 1},
	};
	if (arena != NULL)
		exchange_refuse(&visit->exchange, error, message);
	if (visit->exchange.reply.status == 503)
		atomic_fetch_add(
			&visit->worker->serve->counters.turned_away, 1);
}

/* libmicrohttpd takes replies before a body and after it, so this one is
 * written past it; nothing else is on its way to the client at this moment. */
enum MHD_Result visit_refuse_midway(struct visit *visit)
{
	const struct reply *reply = &visit->exchange.reply;
	char head[256];
	int length = snprintf(head, sizeof head,
		"HTTP/1.1 %u %s\r\n"
		"Content-Type: %s\r\n"
		"Content-Length: %zu\r\n"
		"Connection: close\r\n\r\n",
		reply->status,
		reply->status == MHD_HTTP_CONTENT_TOO_LARGE
			? "Content Too Large"
			: "Service Unavailable",
		reply->content_type, reply->body.length);
	assert(length > 0 && (size_t)length < sizeof head);
	int socket = visit->guest->socket;
	visit->lingers = true;
	if (send(socket, head, (size_t)length, MSG_NOSIGNAL | MSG_MORE) ==
		length)
		(void)send(socket, reply->body.data, reply->body.length,
			MSG_NOSIGNAL);
	return MHD_NO;
}
