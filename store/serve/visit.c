/*
 * One request on its way through libmicrohttpd, which calls, always in the
 * connection's own thread: visit_begin() with the target as it came, then
 * visit_handle() once for the headers, for each piece of the body, and at the
 * end (again after each wait), and visit_complete() when the reply is out or
 * everything is lost.
 */
#include "schema/rfc3339.h"
#include "store/serve/errors.h"
#include "store/serve/serving.h"
#include "store/serve/time.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Kept with a connection for its next request: a batch of some hundred
 * entities. */
#define KEPT_BYTES 16384

/* All larger bodies under way together hold at most so many times
 * body_bytes_max. */
#define BODIES_AT_ONCE 64

/* A position of some hundred partitions; a reply's headers have to fit into the
 * connection's memory beside the request's. */
#define POSITION_HEADER_MAX 4096

static bool bytes_reserve(struct bytes *bytes, size_t capacity)
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

static void bytes_free(struct bytes *bytes)
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

static struct visit *visit_take(struct worker *worker)
{
	struct visit *visit = worker->spare;
	if (visit == NULL)
		visit = calloc(1, sizeof *visit);
	else
		worker->spare = visit->next;
	if (visit != NULL)
		visit->worker = worker;
	return visit;
}

void visits_free(struct visit *spare)
{
	while (spare != NULL) {
		struct visit *next = spare->next;
		bytes_free(&spare->target);
		bytes_free(&spare->body);
		free(spare);
		spare = next;
	}
}

static int socket_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	return info == NULL ? -1 : info->connect_fd;
}

static struct visit *visit_arrive(
	struct worker *worker, struct MHD_Connection *connection)
{
	struct guest *guest = connections_arrive(
		&worker->serve->connections, socket_of(connection));
	struct visit *visit = guest == NULL ? NULL : visit_take(worker);
	if (visit != NULL)
		visit->guest = guest;
	else if (guest != NULL)
		connections_leave(&worker->serve->connections, guest);
	return visit;
}

static void visit_leave(struct visit *visit)
{
	struct worker *worker = visit->worker;
	if (visit->lingers)
		lingering_add(&worker->serve->lingering,
			fcntl(visit->guest->socket, F_DUPFD_CLOEXEC, 0),
			monotonic_us());
	visit->lingers = false;
	connections_leave(&worker->serve->connections, visit->guest);
	visit->guest = NULL;
	visit->next = worker->spare;
	worker->spare = visit;
}

void visit_notify(void *cls, struct MHD_Connection *connection,
	void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct worker *worker = cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*socket_context = visit_arrive(worker, connection);
		return;
	}
	atomic_fetch_sub(&worker->visits, 1);
	if (*socket_context != NULL)
		visit_leave(*socket_context);
	*socket_context = NULL;
}

void *visit_begin(
	void *cls, const char *target, struct MHD_Connection *connection)
{
	(void)cls;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct visit *visit = info == NULL ? NULL : info->socket_context;
	if (visit == NULL)
		return NULL;
	visit->began_us = monotonic_us();
	guest_busy(visit->guest, visit->began_us);
	size_t length = target == NULL ? 0 : strlen(target);
	if (!bytes_reserve(&visit->target, length + 1))
		return NULL;
	memcpy(visit->target.data, target == NULL ? "" : target, length + 1);
	visit->target.length = length;
	return visit;
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

/* The arena of the request's reply, made empty. NULL: no memory. */
static struct arena *fresh_arena(struct visit *visit)
{
	if (visit->memory == NULL)
		visit->memory = desk_take_memory(&visit->worker->desk);
	if (visit->memory == NULL)
		return NULL;
	arena_reset(&visit->memory->arena);
	return &visit->memory->arena;
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

/* Send the exchange's reply, whose memory stays as it is until
 * visit_complete(). */
static enum MHD_Result send_reply(
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

static struct slice slice_of_bytes(const struct bytes *bytes)
{
	return (struct slice){
		bytes->data == NULL ? "" : bytes->data, bytes->length};
}

/* What the server itself refuses, as the exchange's reply. */
static void refuse(struct visit *visit, enum error error, const char *message)
{
	struct arena *arena = fresh_arena(visit);
	visit->exchange = (struct exchange){
		.request = {visit->method, slice_of_bytes(&visit->target),
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

static void refuse_too_long(struct visit *visit)
{
	char message[128];
	if (snprintf(message, sizeof message,
		    "the body has more than %zu bytes, which is "
		    "serve.body_bytes_max: ask in parts",
		    visit->worker->serve->options.body_bytes_max) > 0)
		refuse(visit, ERROR_BODY_TOO_LARGE, message);
}

static void refuse_overload(struct visit *visit)
{
	refuse(visit, ERROR_OVERLOADED,
		"too many large bodies at once: try again in a second");
}

/* Room for `length` bytes of body, beyond what connections keep anyway from
 * what all share. */
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

static void release_body(struct visit *visit)
{
	bytes_clear(&visit->body);
	if (visit->charged > 0)
		atomic_fetch_sub(
			&visit->worker->serve->body_bytes, visit->charged);
	visit->charged = 0;
}

/* How long the body will be, where the headers say so; 0 where they don't. */
static uint64_t announced_length(struct MHD_Connection *connection)
{
	const char *text = MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	return text == NULL ? 0 : strtoull(text, NULL, 10);
}

/* The headers are there. What is too long is refused before it comes. */
static enum MHD_Result take_headers(struct visit *visit,
	struct MHD_Connection *connection, const char *method)
{
	const struct serve_options *options = &visit->worker->serve->options;
	visit->headers_seen = true;
	visit->method = parse_method(method);
	if (visit->method == HTTP_GET || visit->method == HTTP_HEAD)
		return MHD_YES;
	uint64_t length = announced_length(connection);
	if (length > options->body_bytes_max)
		refuse_too_long(visit);
	else if (!reserve_body(visit, (size_t)length))
		refuse_overload(visit);
	else
		return MHD_YES;
	visit->lingers = true;
	return send_reply(visit, connection);
}

/* Refuse in the middle of a body of unknown length. libmicrohttpd takes replies
 * before a body and after it, so this one is written past it; nothing else is
 * on its way to the client at this moment. */
static enum MHD_Result refuse_midway(struct visit *visit)
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

static enum MHD_Result take_body(
	struct visit *visit, const char *data, size_t *size)
{
	size_t limit = visit->worker->serve->options.body_bytes_max;
	size_t length = visit->body.length + *size;
	if (length > limit) {
		refuse_too_long(visit);
		return refuse_midway(visit);
	}
	if (!reserve_body(visit, length)) {
		refuse_overload(visit);
		return refuse_midway(visit);
	}
	memcpy(visit->body.data + visit->body.length, data, *size);
	visit->body.length = length;
	*size = 0;
	return MHD_YES;
}

static void prepare(struct visit *visit, struct arena *arena, int64_t waited_us)
{
	struct serve *serve = visit->worker->serve;
	const struct serve_options *options = &serve->options;
	visit->exchange = (struct exchange){
		.request = {visit->method, slice_of_bytes(&visit->target),
			slice_of_bytes(&visit->body)},
		.why_unreadable = visit->worker->desk.why.text,
		.limits = {options->entities_max, options->features_max,
			options->wait_time_us},
		.now_us = options->wall_us(),
		.waited_us = waited_us,
		.arena = arena,
		.counters = &serve->counters,
	};
}

/* Run the exchange once. */
static int ask(struct visit *visit, int64_t now_us, int64_t waited_us)
{
	struct desk *desk = &visit->worker->desk;
	struct arena *arena = fresh_arena(visit);
	struct fault fault = {0};
	if (arena == NULL) {
		refuse(visit, ERROR_OUT_OF_MEMORY, "no memory: try again");
		return EXCHANGE_REPLY;
	}
	struct reader *reader = desk_take_reader(desk, now_us);
	prepare(visit, arena, waited_us);
	visit->exchange.reader = reader;
	int rc = exchange_run(&visit->exchange, &fault);
	desk_give_reader(desk, rc, now_us);
	return rc;
}

/* Suspend the connection until there is a reason to ask again. False: it can't
 * wait, and the exchange has its reply. */
static bool wait_for_store(struct visit *visit,
	struct MHD_Connection *connection, uint32_t changes, int64_t now_us)
{
	if (visit->waiting_since_us == 0)
		visit->waiting_since_us = now_us;
	visit->waiter = (struct waiter){
		.connection = connection,
		.changes = changes,
		.due_us = visit->waiting_since_us + visit->exchange.wait_us,
	};
	switch (waiting_add(&visit->worker->serve->waiting, &visit->waiter)) {
	case WAITING_SUSPENDED:
		return true;
	case WAITING_FULL:
		refuse(visit, ERROR_OVERLOADED,
			"too many requests wait for at_least "
			"(serve.waiting_max): try again in a second");
		break;
	case WAITING_STOPPED:
		/* As if its time were over. */
		(void)ask(visit, now_us, INT64_MAX);
		break;
	}
	return false;
}

static enum MHD_Result answer(
	struct visit *visit, struct MHD_Connection *connection)
{
	bool waited = visit->waiting_since_us != 0;
	int64_t now_us = waited ? monotonic_us() : visit->began_us;
	/* Before the store is looked at: what changes from here on is a reason
	 * to ask again. */
	uint32_t changes = pool_changes(&visit->worker->serve->pool);
	int rc = ask(
		visit, now_us, waited ? now_us - visit->waiting_since_us : 0);
	if (rc == EXCHANGE_WAIT &&
		wait_for_store(visit, connection, changes, now_us))
		return MHD_YES;
	return send_reply(visit, connection);
}

enum MHD_Result visit_handle(void *cls, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version,
	const char *data, size_t *data_size, void **context)
{
	struct visit *visit = *context;
	(void)cls;
	(void)url;
	(void)version;
	if (visit == NULL)
		return MHD_NO;
	if (!visit->headers_seen)
		return take_headers(visit, connection, method);
	if (*data_size > 0)
		return take_body(visit, data, data_size);
	return answer(visit, connection);
}

static void count(struct visit *visit, int64_t now_us)
{
	const struct exchange *exchange = &visit->exchange;
	struct worker *worker = visit->worker;
	if (exchange->reply.status == 0) {
		atomic_fetch_add(&worker->serve->counters.broken_off, 1);
		return;
	}
	const struct counters_reply reply = {
		.endpoint = exchange->endpoint,
		.status = exchange->reply.status,
		.latency_us = now_us - visit->began_us,
		.entities = exchange->entities,
		.values = exchange->values,
	};
	counters_count(&worker->desk.shard, &reply);
}

void visit_complete(void *cls, struct MHD_Connection *connection,
	void **context, enum MHD_RequestTerminationCode code)
{
	struct visit *visit = *context;
	(void)cls;
	(void)connection;
	(void)code;
	if (visit == NULL)
		return;
	int64_t now_us = monotonic_us();
	count(visit, now_us);
	if (visit->memory != NULL)
		desk_give_memory(&visit->worker->desk, visit->memory);
	visit->memory = NULL;
	visit->exchange.reply.status = 0;
	visit->headers_seen = false;
	visit->waiting_since_us = 0;
	release_body(visit);
	guest_idle(visit->guest, now_us);
	*context = NULL;
}
