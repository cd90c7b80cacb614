/*
 * lookup_client holdfast|redis PORT USERS [--batch N] [--connections N]
 *               [--seconds S] [--warm-up S] [--zipf S] [--seed N]
 *
 * How many lookups a server on 127.0.0.1 answers, and how fast. One thread,
 * epoll, `connections` connections (32) with one request outstanding on each;
 * a request asks for ten features of `batch` users (1). Users are drawn by
 * Zipf's law with exponent `zipf` (0.99) before any time is taken: the same
 * seed gives the same users to either server, in the same order.
 *
 * Prints one line of JSON: requests_per_s, entities_per_s, p50_us, p99_us,
 * p999_us, requests. Fails where a reply is an error, or lacks a value.
 */
#include "tests/bench/lookup_client.h"
#include "tests/lib/chance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DRAWS (1U << 22)	       /* gone through in a ring */
#define SCATTER UINT64_C(2654435761)   /* a prime: popular users lie apart */
#define REPLY_MAX ((size_t)1 << 20)    /* bytes */
#define REQUESTS_MAX ((size_t)1 << 26) /* latencies kept: 256 MB, untouched */
#define CONNECTIONS_MAX 10000
#define SILENCE_MS 10000

struct options {
	enum server server;
	uint16_t port;
	uint32_t users;
	double batch, connections, seconds, warm_up, zipf, seed;
};

struct connection {
	int fd;
	int64_t asked_ns;
	struct reading reading;
	size_t have;
	char *reply; /* REPLY_MAX bytes */
};

struct run {
	struct options options;
	struct request_shape shape;
	uint32_t *drawn; /* drawn[0..DRAWS) */
	size_t next;
	int epoll;
	struct connection *connections;
	uint32_t *latency_ns; /* latency_ns[0..count), of what was asked and
				 answered after warm_ns */
	size_t count;
	int64_t warm_ns, end_ns;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "lookup_client: %s: %s\n", what, why);
	exit(1);
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);
	if (memory == NULL)
		die("memory", "there is none left");
	return memory;
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- Options ---------------------------------------------------------- */

static double number(const char *name, const char *text, double max)
{
	char *end = NULL;
	double value = text == NULL ? NAN : strtod(text, &end);
	if (!(value >= 0 && value <= max) || *end != '\0')
		die(name, "wants a number within its limits");
	return value;
}

static void take_option(
	struct options *options, const char *name, const char *value)
{
	const struct {
		const char *name;
		double *value, max;
	} known[] = {
		{"--batch", &options->batch, BATCH_MAX},
		{"--connections", &options->connections, CONNECTIONS_MAX},
		{"--seconds", &options->seconds, 3600},
		{"--warm-up", &options->warm_up, 3600},
		{"--zipf", &options->zipf, 10},
		{"--seed", &options->seed, UINT32_MAX},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(name, known[i].name) == 0) {
			*known[i].value = number(name, value, known[i].max);
			return;
		}
	die(name, "there is no such option");
}

static struct options parse(int argc, char **argv)
{
	struct options options = {.batch = 1,
		.connections = 32,
		.seconds = 3,
		.warm_up = 0.5,
		.zipf = 0.99,
		.seed = 1};
	if (argc < 4)
		die("usage", "lookup_client holdfast|redis PORT USERS "
			     "[--batch N] [--connections N] [--seconds S] "
			     "[--warm-up S] [--zipf S] [--seed N]");
	options.server =
		strcmp(argv[1], "redis") == 0 ? SERVER_REDIS : SERVER_HOLDFAST;
	options.port = (uint16_t)number("PORT", argv[2], UINT16_MAX);
	options.users = (uint32_t)number("USERS", argv[3], 1e7);
	for (int i = 4; i < argc; i += 2)
		take_option(&options, argv[i], argv[i + 1]);
	if (options.users == 0 || options.batch < 1 || options.connections < 1)
		die("usage", "there must be users, a batch and connections");
	return options;
}

/* ---- Who is asked for ------------------------------------------------- */

static uint32_t rank_of(const double *sums, uint32_t users, double share)
{
	uint32_t low = 0, high = users - 1;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (sums[middle] < share)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t *draw_users(const struct options *options)
{
	double *sums = allocate(options->users, sizeof *sums);
	double sum = 0;
	for (uint32_t i = 0; i < options->users; i++)
		sums[i] = sum += pow(i + 1.0, -options->zipf);
	struct chance chance = {.state = (uint64_t)options->seed};
	uint32_t *drawn = allocate(DRAWS, sizeof *drawn);
	for (size_t i = 0; i < DRAWS; i++) {
		double share = ldexp((double)(chance_next(&chance) >> 11), -53);
		uint64_t rank = rank_of(sums, options->users, share * sum);
		drawn[i] = (uint32_t)(rank * SCATTER % options->users);
	}
	free(sums);
	return drawn;
}

/* ---- Asking ----------------------------------------------------------- */

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
		connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
		die("connect", strerror(errno));
	return fd;
}

static void ask(struct run *run, struct connection *connection)
{
	if (run->next + run->shape.batch > DRAWS)
		run->next = 0;
	request_shape_fill(&run->shape, run->drawn + run->next);
	run->next += run->shape.batch;
	connection->have = 0;
	connection->reading = (struct reading){0};
	connection->asked_ns = now_ns();
	/* The socket blocks: a request is small and the one before it was
	 * answered, so it has room. */
	ssize_t sent = send(connection->fd, run->shape.text, run->shape.length,
		MSG_NOSIGNAL);
	if (sent != (ssize_t)run->shape.length)
		die("send", sent < 0 ? strerror(errno) : "cut short");
}

static void open_connections(struct run *run)
{
	size_t count = (size_t)run->options.connections;
	run->connections = allocate(count, sizeof *run->connections);
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < count; i++) {
		struct connection *connection = &run->connections[i];
		connection->fd = connect_to(run->options.port);
		connection->reply = allocate(REPLY_MAX, 1);
		struct epoll_event event = {
			.events = EPOLLIN, .data.ptr = connection};
		if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, connection->fd,
			    &event) < 0)
			die("epoll", strerror(errno));
	}
}

static void close_connections(struct run *run)
{
	for (size_t i = 0; i < (size_t)run->options.connections; i++) {
		close(run->connections[i].fd);
		free(run->connections[i].reply);
	}
	free(run->connections);
	close(run->epoll);
}

/* ---- Hearing ---------------------------------------------------------- */

static void answered(struct run *run, struct connection *connection)
{
	int64_t now = now_ns();
	if (connection->asked_ns >= run->warm_ns && run->count < REQUESTS_MAX)
		run->latency_ns[run->count++] =
			(uint32_t)(now - connection->asked_ns);
	ask(run, connection);
}

static void hear(struct run *run, struct connection *connection)
{
	char *reply = connection->reply;
	ssize_t got = recv(connection->fd, reply + connection->have,
		REPLY_MAX - connection->have - 1, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		die("recv", got < 0 ? strerror(errno) : "it was closed");
	connection->have += (size_t)got;
	reply[connection->have] = '\0';
	switch (reply_read(run->options.server, &connection->reading, reply,
		connection->have, run->shape.batch)) {
	case HEARD_PART:
		break;
	case HEARD_ALL:
		answered(run, connection);
		break;
	case HEARD_WRONG:
		die("not the reply that was wanted", reply);
	}
}

static void run_until_end(struct run *run)
{
	for (size_t i = 0; i < (size_t)run->options.connections; i++)
		ask(run, &run->connections[i]);
	while (now_ns() < run->end_ns) {
		struct epoll_event events[64];
		int count = epoll_wait(run->epoll, events, 64, SILENCE_MS);
		if (count == 0)
			die("epoll", "no reply for seconds");
		for (int i = 0; i < count; i++)
			hear(run, events[i].data.ptr);
	}
}

/* ---- Telling ---------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static double percentile_us(const struct run *run, double share)
{
	size_t at = (size_t)(share * (double)run->count);
	return run->latency_ns[at < run->count ? at : run->count - 1] / 1e3;
}

static void tell(struct run *run)
{
	if (run->count == 0)
		die("result", "nothing was answered in time");
	double rate = (double)run->count / run->options.seconds;
	qsort(run->latency_ns, run->count, sizeof *run->latency_ns, by_size);
	printf("{\"requests_per_s\": %.0f, \"entities_per_s\": %.0f, "
	       "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
	       "\"requests\": %zu}\n",
		rate, rate * (double)run->shape.batch, percentile_us(run, 0.5),
		percentile_us(run, 0.99), percentile_us(run, 0.999),
		run->count);
}

int main(int argc, char **argv)
{
	struct run run = {.options = parse(argc, argv)};
	run.shape = request_shape_make(
		run.options.server, (size_t)run.options.batch);
	run.drawn = draw_users(&run.options);
	run.latency_ns = allocate(REQUESTS_MAX, sizeof *run.latency_ns);
	open_connections(&run);
	run.warm_ns = now_ns() + (int64_t)(run.options.warm_up * 1e9);
	run.end_ns = run.warm_ns + (int64_t)(run.options.seconds * 1e9);
	run_until_end(&run);
	tell(&run);
	close_connections(&run);
	request_shape_free(&run.shape);
	free(run.latency_ns);
	free(run.drawn);
	return 0;
}
