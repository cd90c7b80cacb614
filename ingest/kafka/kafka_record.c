#include "ingest/kafka/kafka_record.h"

#include <stdlib.h>

#define US_PER_MS 1000
#define HEADERS_AT_FIRST 16

/* A producer may put anything into the field: a time that does not fit is the
 * latest there is, far beyond every limit on clocks. */
static int64_t timestamp_us(const rd_kafka_message_t *message)
{
	rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
	int64_t ms = rd_kafka_message_timestamp(message, &type);
	if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0)
		return TIMESTAMP_NONE;
	return ms > INT64_MAX / US_PER_MS ? INT64_MAX : ms * US_PER_MS;
}

void kafka_record_body(struct record *record, const rd_kafka_message_t *message)
{
	*record = (struct record){
		.form = RECORD_MESSAGE,
		.offset = message->offset,
		.next_offset = message->offset + 1,
		.timestamp_us = timestamp_us(message),
		.key = {message->key, message->key_len},
		.value = {message->payload, message->len},
	};
}

static int grow(
	struct kafka_headers *headers, size_t wanted, struct fault *fault)
{
	if (wanted <= headers->capacity)
		return 0;
	size_t capacity =
		headers->capacity == 0 ? HEADERS_AT_FIRST : headers->capacity;
	while (capacity < wanted)
		capacity *= 2;
	struct header *items = reallocarray(
		headers->items, capacity, sizeof headers->items[0]);
	if (items == NULL)
		return fault_set(fault, FAULT_OOM,
			"no memory for %zu headers of a record", wanted);
	headers->items = items;
	headers->capacity = capacity;
	return 0;
}

int kafka_record_headers(struct record *record, struct kafka_headers *headers,
	const rd_kafka_message_t *message, struct fault *fault)
{
	rd_kafka_headers_t *list = NULL;
	rd_kafka_resp_err_t error = rd_kafka_message_headers(message, &list);
	if (error == RD_KAFKA_RESP_ERR__NOENT)
		return 0; /* it has none */
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		return KAFKA_HEADERS_UNREADABLE;
	size_t count = rd_kafka_header_cnt(list);
	int rc = grow(headers, count, fault);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < count; i++) {
		const char *name = NULL;
		const void *value = NULL;
		size_t length = 0;
		if (rd_kafka_header_get_all(list, i, &name, &value, &length) !=
			RD_KAFKA_RESP_ERR_NO_ERROR)
			return KAFKA_HEADERS_UNREADABLE;
		headers->items[i] = (struct header){
			slice_of(name), {value, value == NULL ? 0 : length}};
	}
	record->headers = headers->items;
	record->header_count = count;
	return 0;
}

void kafka_headers_finish(struct kafka_headers *headers)
{
	free(headers->items);
	*headers = (struct kafka_headers){0};
}
