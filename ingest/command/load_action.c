/* What the store's owner does about a piece of a load when it is asked
 * (ingest/command/control.h). */
#include "ingest/command/control.h"
#include "ingest/command/load.h"
#include "schema/load.h"
#include "store/decisions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_BYTES 512

/* A piece: lines of one load, from where it stands. */
struct piece {
	const struct control *control;
	const json_t *arguments;
	const struct store_partition *partition;
	struct decoder decoder;
	struct store_record *records; /* owned; records[0..count) */
	size_t count;
	int64_t from, end; /* positions in the file */
	struct arena arena;
};

static int bad(struct fault *fault)
{
	return fault_set(fault, FAULT_USAGE,
		"a piece of a load is {\"topic\", \"from\", \"end\", "
		"\"lines\": [[OFFSET, NEXT, TEXT], …]}, at most %d lines, in "
		"the order of the file",
		LOAD_AT_ONCE);
}

/* Lines follow each other, and none of them is outside the piece. */
static int read_line(struct piece *piece, const json_t *line, int64_t *at,
	struct store_record *out, struct fault *fault)
{
	const json_t *text = json_array_get(line, 2);
	int64_t offset = json_integer_value(json_array_get(line, 0));
	int64_t next = json_integer_value(json_array_get(line, 1));
	if (!json_is_string(text) || offset < *at || next <= offset ||
		next > piece->end)
		return bad(fault);
	*at = next;
	out->record = (struct record){.form = RECORD_LINE,
		.log = &piece->partition->log,
		.offset = offset,
		.next_offset = next,
		.timestamp_us = TIMESTAMP_NONE,
		.value = {json_string_value(text), json_string_length(text)}};
	return load_decode(&piece->decoder, &out->record, &piece->arena,
		&out->decoded, fault);
}

static int read_lines(struct piece *piece, struct fault *fault)
{
	const json_t *lines = json_object_get(piece->arguments, "lines");
	size_t count = json_array_size(lines);
	int64_t at = piece->from;
	if (!json_is_array(lines) || count > LOAD_AT_ONCE)
		return bad(fault);
	piece->records = calloc(count + 1, sizeof *piece->records);
	if (piece->records == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a load");
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = read_line(piece, json_array_get(lines, i), &at,
			&piece->records[piece->count++], fault);
	return rc;
}

/* 1: the load is somewhere else: a piece of a command that was killed came in
 * meanwhile, or somebody loads the same file. */
static int check(struct piece *piece, struct fault *fault)
{
	const char *topic =
		json_string_value(json_object_get(piece->arguments, "topic"));
	const json_t *from = json_object_get(piece->arguments, "from");
	const json_t *end = json_object_get(piece->arguments, "end");
	if (topic == NULL || !load_is_topic(topic) ||
		strlen(topic) >= LOAD_TOPIC_SIZE || !json_is_integer(from) ||
		!json_is_integer(end))
		return bad(fault);
	piece->from = json_integer_value(from);
	piece->end = json_integer_value(end);
	if (piece->from < 0 || piece->end <= piece->from)
		return bad(fault);
	int rc = store_partition(
		piece->control->store, topic, 0, 0, &piece->partition, fault);
	if (rc < 0)
		return rc;
	return piece->partition->accounts.next_offset != piece->from;
}

static int apply(struct piece *piece, struct fault *fault)
{
	const struct control *control = piece->control;
	const char *target =
		json_string_value(json_object_get(piece->arguments, "target"));
	const char *because =
		json_string_value(json_object_get(piece->arguments, "because"));
	const struct decision decision = {.at_us = control->now_us,
		.who = control->who,
		.what = "load",
		.target = target == NULL ? "" : target,
		.because = because == NULL ? "" : because};
	const struct store_mark mark = {.log = &piece->partition->log,
		.next_offset = piece->end,
		.as_of_us = control->now_us};
	const struct store_batch batch = {.records = piece->records,
		.record_count = piece->count,
		.marks = &mark,
		.mark_count = 1,
		.to_the_brim = true, /* it takes no room in the window */
		.decision = piece->from == 0 ? &decision : NULL};
	int rc = store_apply(control->store, &batch, NULL, fault);
	if (rc == STORE_OUTCOME_UNKNOWN)
		return fault_wrap(fault, FAULT_BUSY,
			"nobody knows whether this piece is loaded: run it "
			"again, and it goes on where it is");
	if (rc == STORE_WINDOW_FULL)
		return fault_set(fault, FAULT_BUSY,
			"the key window is full: run it again when `holdfast "
			"status` says that there is room");
	return rc;
}

static struct decoder decoder_of(const struct control *control)
{
	const struct config_ingest *ingest = &control->config->ingest;
	struct decoder decoder = {.schema = store_schema(control->store),
		.value_bytes_max = (size_t)ingest->value_bytes_max,
		.depth_max = (uint32_t)ingest->depth_max,
		.max_skew_us = ingest->max_skew_us};
	memcpy(decoder.secret, store_secret(control->store), SECRET_BYTES);
	return decoder;
}

static int64_t stands_at(const struct piece *piece)
{
	return piece->partition == NULL
		       ? 0
		       : piece->partition->accounts.next_offset;
}

/* The reply says where the load stands then: who asked goes on there. */
int control_load(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	struct piece piece = {.control = control,
		.arguments = arguments,
		.decoder = decoder_of(control)};
	int rc = check(&piece, fault);
	if (rc == 0)
		rc = read_lines(&piece, fault);
	if (rc == 0)
		rc = apply(&piece, fault);
	if (rc >= 0)
		*reply = json_pack("{s:I}", "next_offset",
			(json_int_t)(rc == 0 ? piece.end : stands_at(&piece)));
	free(piece.records);
	arena_finish(&piece.arena);
	return rc < 0 ? rc : 0;
}
