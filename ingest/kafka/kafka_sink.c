#include "ingest/kafka/kafka_sink.h"

#include "ingest/kafka/kafka_client.h"

#include <inttypes.h>
#include <stdlib.h>

#define FULL_WAIT_MS 100 /* between two looks at a full queue */
#define LOOK_MS 100	 /* between two looks whether the client gave up */

struct kafka_sink {
	rd_kafka_t *client;
	int64_t sent, acknowledged;
	struct fault first; /* failure of any record so far */
};

/* Called from within our own calls, on the caller's thread. */
static void delivered(
	rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	(void)client;
	struct kafka_sink *sink = opaque;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		sink->acknowledged++;
	else if (sink->first.code == 0)
		fault_set(&sink->first, FAULT_BROKER,
			"a record for %s was not taken: %s",
			rd_kafka_topic_name(message->rkt),
			rd_kafka_err2str(message->err));
}

/* What waiting heals is retried by librdkafka until message.timeout.ms, and
 * then told of each record: here only what stops the whole client. */
static void troubled(
	rd_kafka_t *client, int error, const char *reason, void *opaque)
{
	(void)reason;
	struct kafka_sink *sink = opaque;
	char text[512] = "";
	if (error == RD_KAFKA_RESP_ERR__FATAL && sink->first.code == 0 &&
		rd_kafka_fatal_error(client, text, sizeof text) != 0)
		fault_set(&sink->first, FAULT_BROKER, "%s", text);
}

int kafka_sink_open(struct kafka_sink **out,
	const struct kafka_settings *settings, struct fault *fault)
{
	*out = NULL;
	struct kafka_sink *sink = calloc(1, sizeof *sink);
	if (sink == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a sink");
	rd_kafka_conf_t *conf = NULL;
	int rc =
		kafka_client_conf(&conf, settings, KAFKA_PRODUCER, NULL, fault);
	if (rc == 0) {
		rd_kafka_conf_set_opaque(conf, sink);
		rd_kafka_conf_set_dr_msg_cb(conf, delivered);
		rd_kafka_conf_set_error_cb(conf, troubled);
		rc = kafka_client_open(
			&sink->client, conf, KAFKA_PRODUCER, fault);
	}
	if (rc != 0) {
		kafka_sink_close(sink);
		return rc;
	}
	*out = sink;
	return 0;
}

static int copy_headers(rd_kafka_headers_t **out, const struct record *record,
	struct fault *fault)
{
	rd_kafka_headers_t *headers =
		rd_kafka_headers_new(record->header_count);
	*out = headers;
	if (headers == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for headers");
	for (size_t i = 0; i < record->header_count; i++) {
		const struct header *header = &record->headers[i];
		rd_kafka_resp_err_t error = rd_kafka_header_add(headers,
			header->name.data, (ssize_t)header->name.length,
			header->value.data, (ssize_t)header->value.length);
		if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		rd_kafka_headers_destroy(headers);
		*out = NULL;
		return fault_set(fault, FAULT_BROKER, "a header: %s",
			rd_kafka_err2str(error));
	}
	return 0;
}

/* Kafka counts milliseconds, and librdkafka takes 0 for "now". */
static int64_t timestamp_ms(const struct record *record)
{
	if (record->timestamp_us == TIMESTAMP_NONE)
		return 0;
	return record->timestamp_us / 1000;
}

/* librdkafka's copying takes a const pointer as void *, and reads only. */
static rd_kafka_vu_t bytes_field(rd_kafka_vtype_t type, struct slice bytes)
{
	union {
		const char *read;
		void *field;
	} pointer = {.read = bytes.data};
	rd_kafka_vu_t field = {.vtype = type};
	field.u.mem.ptr = pointer.field;
	field.u.mem.size = bytes.length;
	return field;
}

static rd_kafka_error_t *try_send(struct kafka_sink *sink, const char *topic,
	int32_t partition, const struct record *record,
	rd_kafka_headers_t *headers)
{
	rd_kafka_vu_t fields[7] = {
		{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
		{.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		bytes_field(RD_KAFKA_VTYPE_KEY, record->key),
		bytes_field(RD_KAFKA_VTYPE_VALUE, record->value),
		{.vtype = RD_KAFKA_VTYPE_TIMESTAMP,
			.u.i64 = timestamp_ms(record)},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
	};
	size_t count = sizeof fields / sizeof fields[0];
	return rd_kafka_produceva(
		sink->client, fields, headers == NULL ? count - 1 : count);
}

static int earlier_failure(const struct kafka_sink *sink, struct fault *fault)
{
	if (sink->first.code != 0 && fault != NULL)
		*fault = sink->first;
	return sink->first.code;
}

static void refuse(const char *topic, const struct record *record,
	const rd_kafka_error_t *error, struct fault *fault)
{
	if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
		fault_set(fault, FAULT_BROKER,
			"a record of %zu bytes for %s, and headers, is more "
			"than kafka.message.max.bytes: raise it, and the "
			"topic's max.message.bytes",
			record->key.length + record->value.length, topic);
	else
		fault_set(fault, FAULT_BROKER, "a record for %s: %s", topic,
			rd_kafka_error_string(error));
}

int kafka_sink_send(struct kafka_sink *sink, const char *topic,
	int32_t partition, const struct record *record, struct fault *fault)
{
	rd_kafka_headers_t *headers = NULL;
	int rc = earlier_failure(sink, fault);
	if (rc == 0 && record->header_count > 0)
		rc = copy_headers(&headers, record, fault);
	if (rc != 0)
		return rc;
	rd_kafka_error_t *error = NULL;
	while ((error = try_send(sink, topic, partition, record, headers)) !=
			NULL &&
		rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
		rd_kafka_error_destroy(error);
		rd_kafka_poll(sink->client, FULL_WAIT_MS);
	}
	if (error != NULL) {
		refuse(topic, record, error, fault);
		rd_kafka_error_destroy(error);
		if (headers != NULL) /* only a send that worked takes them */
			rd_kafka_headers_destroy(headers);
		return FAULT_BROKER;
	}
	sink->sent++;
	rd_kafka_poll(sink->client, 0);
	return 0;
}

/* A client that gave up sends nothing more, and would only let what it holds
 * time out. */
static bool gave_up(const struct kafka_sink *sink)
{
	char text[1];
	return rd_kafka_fatal_error(sink->client, text, sizeof text) != 0;
}

static void await_acknowledged(struct kafka_sink *sink, uint32_t timeout_ms)
{
	uint32_t left_ms = timeout_ms;
	while (left_ms > 0 && !gave_up(sink)) {
		uint32_t look_ms = left_ms < LOOK_MS ? left_ms : LOOK_MS;
		if (rd_kafka_flush(sink->client, (int)look_ms) ==
			RD_KAFKA_RESP_ERR_NO_ERROR)
			return;
		left_ms -= look_ms;
	}
	if (!gave_up(sink))
		return;
	rd_kafka_poll(sink->client, 0); /* why, first of all */
	rd_kafka_purge(sink->client,
		RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_flush(sink->client, LOOK_MS); /* tells of each */
}

int kafka_sink_flush(
	struct kafka_sink *sink, uint32_t timeout_ms, struct fault *fault)
{
	await_acknowledged(sink, timeout_ms);
	int rc = earlier_failure(sink, fault);
	int64_t open = sink->sent - sink->acknowledged;
	if (rc != 0)
		return fault_wrap(fault, rc,
			"%" PRId64 " of %" PRId64 " records not acknowledged",
			open, sink->sent);
	if (open > 0)
		return fault_set(fault, FAULT_BROKER,
			"%" PRId64 " of %" PRId64 " records not acknowledged "
			"within %" PRIu32 " ms",
			open, sink->sent, timeout_ms);
	return 0;
}

int64_t kafka_sink_acknowledged(const struct kafka_sink *sink)
{
	return sink->acknowledged;
}

void kafka_sink_close(struct kafka_sink *sink)
{
	if (sink == NULL)
		return;
	if (sink->client != NULL)
		rd_kafka_destroy(sink->client);
	free(sink);
}
