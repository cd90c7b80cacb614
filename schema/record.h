/*
 * A record as the log holds it, before anybody looked inside.
 */
#ifndef HOLDFAST_SCHEMA_RECORD_H
#define HOLDFAST_SCHEMA_RECORD_H

#include "schema/slice.h"
#include "schema/version.h"

#include <stddef.h>
#include <stdint.h>

#define TIMESTAMP_NONE INT64_MIN

enum record_form {
	RECORD_MESSAGE, /* key, value and headers as Kafka has them */
	RECORD_LINE	/* value is a line of NDJSON, design section 4 */
};

struct header {
	struct slice name;
	struct slice value; /* absent: null */
};

struct record {
	enum record_form form;
	const struct log *log;
	int64_t offset;
	int64_t next_offset;  /* Kafka: offset + 1; a file: behind the line */
	int64_t timestamp_us; /* TIMESTAMP_NONE: the log gives none */
	struct slice key;     /* absent: null */
	struct slice value;   /* absent: null */
	const struct header *headers; /* headers[0..header_count) */
	size_t header_count;
};

#endif
