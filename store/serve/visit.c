/*
 * One request on its way through libmicrohttpd, which calls, always in the
 * connection's own thread: visit_begin() with the target as it came, then
 * visit_handle() once for the headers, for each piece of the body, and at the
 * end (again after each wait), and visit_complete() when the reply is out or
 * everything is lost.
 */
#include "store/serve/errors.h"
#include "store/serve/time.h"
#include "store/serve/visit_parts.h"

#include <fcntl.h>
#include <stdlib.h>

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

static void prepare(struct visit *visit, struct arena *arena, int64_t waited_us)
{
	struct serve *serve = visit->worker->serve;
	const struct serve_options *options = &serve->options;
	visit->exchange = (struct exchange){
		.request = {visit->method, bytes_slice(&visit->target),
			bytes_slice(&visit->body)},
		.why_unreadable = visit->worker->desk.why.text,
		.limits = {options->entities_max, options->features_max,
			options->wait_time_us},
		.now_us = options->wall_us(),
		.waited_us = waited_us,
		.arena = arena,
		.counters = &serve->counters,
	};
}

static int run(struct visit *visit, struct reader *reader, int64_t waited_us,
	struct fault *fault)
{
	struct arena *arena = visit_fresh_arena(visit);
	if (arena == NULL) {
		visit_refuse(
			visit, ERROR_OUT_OF_MEMORY, "no memory: try again");
		return EXCHANGE_REPLY;
	}
	prepare(visit, arena, waited_us);
	visit->exchange.reader = reader;
	fault->code = 0;
	fault->text[0] = '\0';
	return exchange_run(&visit->exchange, fault);
}

/* What the live store could not answer, once more of the newest backup. */
static int run_on_backup(struct visit *visit, int code, int64_t now_us,
	int64_t waited_us, struct fault *fault)
{
	struct worker *worker = visit->worker;
	pool_met_damage(&worker->serve->pool, fault, now_us);
	struct reader *backup = desk_turn_to_backup(&worker->desk, now_us);
	if (backup == NULL)
		return code;
	worker->desk.why = *fault;
	struct fault why;
	return run(visit, backup, waited_us, &why);
}

/* Run the exchange, of the live store if it can be read. *left: it was read in
 * a generation, or under a schema, that is no longer the live one's. */
static int ask_once(
	struct visit *visit, int64_t now_us, int64_t waited_us, bool *left)
{
	struct desk *desk = &visit->worker->desk;
	struct fault fault;
	struct reader *live = desk_take_reader(desk, now_us);
	struct reader *reader =
		live == NULL ? desk_turn_to_backup(desk, now_us) : live;
	int rc = run(visit, reader, waited_us, &fault);
	int code = rc;
	if (live != NULL && (rc == FAULT_CORRUPT || rc == FAULT_IO))
		rc = run_on_backup(visit, rc, now_us, waited_us, &fault);
	*left = live != NULL && reader_was_left(live);
	desk_give_reader(desk, code, now_us);
	return rc;
}

static int ask(struct visit *visit, int64_t now_us, int64_t waited_us)
{
	bool left;
	int rc = ask_once(visit, now_us, waited_us, &left);
	return left ? ask_once(visit, now_us, waited_us, &left) : rc;
}

/* Suspend the connection until there is a reason to ask again. False: it can't
 * wait, and the exchange has its reply. */
static bool wait_for_store(struct visit *visit,
	struct MHD_Connection *connection, uint32_t changes, int64_t now_us)
{
	if (visit->waiting_since_us == 0)
		visit->waiting_since_us = now_us;
	visit->waiter.connection = connection;
	visit->waiter.changes = changes;
	visit->waiter.due_us =
		visit->waiting_since_us + visit->exchange.wait_us;
	guest_waits(visit->guest);
	enum waiting_outcome outcome =
		waiting_add(&visit->worker->serve->waiting, &visit->waiter);
	if (outcome == WAITING_SUSPENDED)
		return true;
	guest_busy(visit->guest, now_us);
	if (outcome == WAITING_FULL)
		visit_refuse(visit, ERROR_OVERLOADED,
			"too many requests wait for at_least "
			"(serve.waiting_max): try again in a second");
	else
		/* The server stops: as if its time were over. */
		(void)ask(visit, now_us, INT64_MAX);
	return false;
}

static enum MHD_Result answer(
	struct visit *visit, struct MHD_Connection *connection)
{
	bool waited = visit->waiting_since_us != 0;
	int64_t now_us = waited ? monotonic_us() : visit->began_us;
	if (waited)
		guest_busy(visit->guest, now_us);
	/* Before the store is looked at: what changes from here on is a reason
	 * to ask again. */
	uint32_t changes = pool_changes(&visit->worker->serve->pool);
	int rc = ask(
		visit, now_us, waited ? now_us - visit->waiting_since_us : 0);
	if (rc == EXCHANGE_WAIT &&
		wait_for_store(visit, connection, changes, now_us))
		return MHD_YES;
	visit_charge_reply(visit);
	return visit_send_reply(visit, connection);
}

/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd's parameters */
enum MHD_Result visit_handle(void *cls, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version,
	const char *data, size_t *data_size, void **context)
{
	struct visit *visit = *context;
	(void)cls;
	if (visit == NULL)
		return MHD_NO;
	if (!visit->headers_seen) {
		const struct request_line line = {method, url, version};
		return visit_take_headers(visit, connection, &line);
	}
	if (*data_size > 0)
		return visit_take_body(visit, data, data_size);
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
	visit_release_reply(visit);
	visit->exchange.reply.status = 0;
	visit->headers_seen = false;
	visit->waiting_since_us = 0;
	waiting_leave(&visit->worker->serve->waiting, &visit->waiter);
	visit_release_body(visit);
	guest_idle(visit->guest, now_us);
	*context = NULL;
}
