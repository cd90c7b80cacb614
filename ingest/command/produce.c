/* holdfast produce: events to a topic, or to a file. */
#include "ingest/clock.h"
#include "ingest/command/command.h"
#include "ingest/command/generate.h"
#include "ingest/command/options.h"
#include "ingest/command/produce_options.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/kafka/kafka_sink.h"
#include "schema/line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A bit longer than librdkafka tries, message.timeout.ms; and when told to
 * stop, since the brokers may be stopping, too. */
#define FLUSH_TIMEOUT_MS 310000
#define STOPPED_TIMEOUT_MS 5000

/* Where lines come from and where they go. */
struct production {
	const struct produce_options *options;
	struct generator *generator; /* NULL: lines of `in` */
	const char *in_name;
	FILE *in;
	char *line; /* getline()'s */
	size_t line_room;
	struct kafka_sink *sink; /* NULL: lines go to `out` */
	FILE *out;		 /* --to-file or --tee; may be NULL */
	const char *out_name;
	struct arena arena;
	int64_t began_us;
	int64_t lines; /* read, empty ones too */
	int64_t sent;
};

enum line_outcome { LINE_NONE = 0, LINE_ONE = 1 };

static int read_line(
	struct production *production, struct slice *line, struct fault *fault)
{
	ssize_t length = 0;
	do {
		errno = 0;
		length = getline(&production->line, &production->line_room,
			production->in);
		production->lines++;
	} while (length == 1 && production->line[0] == '\n');
	if (length < 0 && feof(production->in))
		return LINE_NONE;
	if (length < 0)
		return fault_set(fault, FAULT_IO, "%s: %s", production->in_name,
			strerror(errno));
	if (production->line[length - 1] != '\n')
		return fault_set(fault, FAULT_USAGE,
			"%s:%" PRId64 ": the last line has no newline, so it "
			"is not there yet; all before it was sent",
			production->in_name, production->lines);
	*line = (struct slice){production->line, (size_t)length - 1};
	return LINE_ONE;
}

static int next_line(
	struct production *production, struct slice *line, struct fault *fault)
{
	if (production->generator == NULL)
		return read_line(production, line, fault);
	return generator_next(production->generator, line) ? LINE_ONE
							   : LINE_NONE;
}

static int write_line(
	struct production *production, struct slice line, struct fault *fault)
{
	if (fwrite(line.data, 1, line.length, production->out) == line.length &&
		fputc('\n', production->out) != EOF)
		return 0;
	return fault_set(fault, FAULT_IO, "%s: %s", production->out_name,
		strerror(errno));
}

/* A line that is no record goes out as it is where it is meant to be poison,
 * and stops all else. */
static int parse_line(struct production *production, struct slice line,
	struct record *record, struct fault *fault)
{
	arena_reset(&production->arena);
	int rc = line_parse(line, &production->arena, record, fault);
	if (rc != FAULT_USAGE)
		return rc;
	if (production->generator == NULL && !production->options->as_is)
		return fault_wrap(fault, rc,
			"%s:%" PRId64 ": not sent, nor what follows",
			production->in_name, production->lines);
	*record = (struct record){.form = RECORD_MESSAGE,
		.timestamp_us = TIMESTAMP_NONE,
		.value = line};
	return 0;
}

static int send_line(
	struct production *production, struct slice line, struct fault *fault)
{
	struct record record = {0};
	int rc = 0;
	if (production->sink != NULL)
		rc = parse_line(production, line, &record, fault);
	if (rc == 0 && production->sink != NULL)
		rc = kafka_sink_send(production->sink,
			production->options->topic, -1, &record, fault);
	if (rc == 0 && production->out != NULL)
		rc = write_line(production, line, fault);
	if (rc == 0)
		production->sent++;
	return rc;
}

/* Sleeps until the record's moment by --rate. */
static void pace(const struct production *production)
{
	int64_t rate = production->options->rate;
	if (rate == 0)
		return;
	struct clock *clock = clock_system();
	int64_t due_us =
		production->began_us +
		(int64_t)((double)production->sent * 1e6 / (double)rate);
	int64_t wait_us = due_us - clock->monotonic_us(clock);
	if (wait_us <= 0)
		return;
	struct timespec pause = {.tv_sec = (time_t)(wait_us / 1000000),
		.tv_nsec = (long)(wait_us % 1000000 * 1000)};
	(void)nanosleep(&pause, NULL); /* a signal may end it early */
}

static int send_all(struct production *production, struct fault *fault)
{
	struct slice line = {NULL, 0};
	int rc = LINE_NONE;
	while (!atomic_load(signals_stop()) &&
		(rc = next_line(production, &line, fault)) == LINE_ONE) {
		rc = send_line(production, line, fault);
		if (rc < 0)
			return rc;
		pace(production);
	}
	return rc < 0 ? rc : 0;
}

/* Also after a fault: what was sent before it is waited for and told. */
static int finish(struct production *production, struct fault *fault)
{
	int rc = 0;
	if (production->sink != NULL)
		rc = kafka_sink_flush(production->sink,
			atomic_load(signals_stop()) ? STOPPED_TIMEOUT_MS
						    : FLUSH_TIMEOUT_MS,
			fault);
	if (production->out != NULL && fclose(production->out) != 0 && rc == 0)
		rc = fault_set(fault, FAULT_IO, "%s: %s", production->out_name,
			strerror(errno));
	production->out = NULL;
	return rc;
}

static int tell(const struct production *production, struct fault *fault)
{
	if (production->sink == NULL) {
		printf("%" PRId64 " records written to %s\n", production->sent,
			production->out_name);
		return 0;
	}
	int64_t acknowledged = kafka_sink_acknowledged(production->sink);
	printf("%" PRId64 " records sent to %s, %" PRId64 " acknowledged\n",
		production->sent, production->options->topic, acknowledged);
	if (acknowledged == production->sent)
		return 0;
	return fault_set(fault, FAULT_BROKER,
		"%" PRId64 " of %" PRId64 " records were not acknowledged",
		production->sent - acknowledged, production->sent);
}

static int open_in(struct production *production, const struct options *options,
	struct fault *fault)
{
	const struct produce_options *own = production->options;
	if (own->generate > 0) {
		struct generate_options generate;
		int rc = produce_generate(own, &generate, fault);
		return rc < 0 ? rc
			      : generator_open(&production->generator,
					&generate, fault);
	}
	production->in_name = options->arguments[0];
	if (strcmp(production->in_name, "-") == 0)
		production->in = stdin;
	else
		production->in = fopen(production->in_name, "re");
	if (production->in == NULL)
		return fault_set(fault, FAULT_USAGE, "%s: %s",
			production->in_name, strerror(errno));
	return 0;
}

static int open_sink(struct production *production,
	const struct options *options, struct fault *fault)
{
	struct config config;
	int rc = options_config(options, &config, fault);
	if (rc < 0)
		return rc;
	struct kafka_setting items[CONFIG_KAFKA_MAX];
	struct kafka_settings settings = config_kafka_settings(&config, items);
	if (config_kafka(&config, "bootstrap.servers") == NULL)
		rc = fault_set(fault, FAULT_USAGE,
			"kafka.bootstrap.servers is not set: name a broker as "
			"HOST:PORT");
	else
		rc = kafka_sink_open(&production->sink, &settings, fault);
	config_finish(&config);
	return rc;
}

static int open_out(struct production *production,
	const struct options *options, struct fault *fault)
{
	const struct produce_options *own = production->options;
	production->out_name = own->to_file != NULL ? own->to_file : own->tee;
	int rc = 0;
	if (own->to_file == NULL)
		rc = open_sink(production, options, fault);
	if (rc < 0 || production->out_name == NULL)
		return rc;
	production->out = fopen(production->out_name, "we");
	if (production->out == NULL)
		return fault_set(fault, FAULT_USAGE, "%s: %s",
			production->out_name, strerror(errno));
	return 0;
}

static int produce(struct production *production, const struct options *options,
	struct fault *fault)
{
	struct clock *clock = clock_system();
	int rc = open_in(production, options, fault);
	if (rc == 0)
		rc = open_out(production, options, fault);
	if (rc < 0)
		return rc;
	production->began_us = clock->monotonic_us(clock);
	rc = send_all(production, fault);
	struct fault later = {0};
	int finished = finish(production, rc < 0 ? &later : fault);
	if (rc == 0)
		rc = finished;
	int told = tell(production, rc < 0 ? &later : fault);
	return rc < 0 ? rc : told;
}

static void close_all(struct production *production)
{
	if (production->in != NULL && production->in != stdin)
		(void)fclose(production->in); /* only read */
	if (production->out != NULL)
		(void)fclose(production->out); /* a fault was told already */
	generator_close(production->generator);
	kafka_sink_close(production->sink);
	arena_finish(&production->arena);
	free(production->line);
}

int command_produce(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct produce_options own = {0};
	struct production production = {.options = &own, .arena = ARENA_INIT};
	int rc = options_parse(
		&options, &produce_spec, &own, argc, argv, &fault);
	if (rc == OPTIONS_GO)
		rc = produce_check(&own, &options, &fault);
	if (rc == OPTIONS_GO)
		rc = signals_install(&fault);
	if (rc == OPTIONS_GO)
		rc = produce(&production, &options, &fault);
	close_all(&production);
	options_finish(&options);
	return rc < 0 ? say_fault(&fault) : STATUS_GOOD;
}
