#include "ingest/flight.h"

#include <assert.h>
#include <stdlib.h>

int flight_init(struct flight *flight, size_t records, size_t keep_bytes,
	struct fault *fault)
{
	*flight = (struct flight){
		.record_capacity = records, .keep_bytes = keep_bytes};
	flight->records = calloc(records, sizeof *flight->records);
	if (flight->records == NULL)
		return fault_set(fault, FAULT_OOM,
			"no memory for batches of %zu records", records);
	return 0;
}

void flight_finish(struct flight *flight)
{
	arena_finish(&flight->arena);
	free(flight->records);
	free(flight->marks);
}

void flight_reset(struct flight *flight)
{
	arena_shrink(&flight->arena, flight->keep_bytes);
	flight->record_count = 0;
	flight->mark_count = 0;
	flight->updates_most = 0;
	flight->outcome = 0;
	flight->fault.code = 0;
	flight->tally = (struct store_tally){0};
	flight->decode_us = 0;
	flight->apply_us = 0;
}

bool flight_is_empty(const struct flight *flight)
{
	return flight->record_count == 0 && flight->mark_count == 0;
}

/* Copied slices: absent stays absent, out of memory makes *failed true. */
static struct slice keep(struct arena *arena, struct slice bytes, bool *failed)
{
	struct slice copy = arena_copy(arena, bytes);
	*failed = *failed || (bytes.data != NULL && copy.data == NULL);
	return copy;
}

static bool keep_headers(struct arena *arena, struct record *record)
{
	if (record->header_count == 0)
		return true;
	bool failed = false;
	struct header *headers =
		arena_take(arena, record->header_count * sizeof *headers);
	if (headers == NULL)
		return false;
	for (size_t i = 0; i < record->header_count; i++) {
		headers[i].name = keep(arena, record->headers[i].name, &failed);
		headers[i].value =
			keep(arena, record->headers[i].value, &failed);
	}
	record->headers = headers;
	return !failed;
}

/* A mark stands behind its partition's records: a newer record voids it. */
static void drop_mark(struct flight *flight, const struct log *log)
{
	for (size_t i = 0; i < flight->mark_count; i++) {
		if (flight->marks[i].log != log)
			continue;
		flight->marks[i] = flight->marks[--flight->mark_count];
		return;
	}
}

int flight_add_record(
	struct flight *flight, const struct record *record, struct fault *fault)
{
	assert(flight->record_count < flight->record_capacity);
	bool failed = false;
	struct record copy = *record;
	copy.key = keep(&flight->arena, record->key, &failed);
	copy.value = keep(&flight->arena, record->value, &failed);
	if (failed || !keep_headers(&flight->arena, &copy))
		return fault_set(fault, FAULT_OOM, "no memory for a record");
	drop_mark(flight, record->log);
	flight->records[flight->record_count++].record = copy;
	return 0;
}

int flight_add_mark(struct flight *flight, const struct store_mark *mark,
	struct fault *fault)
{
	drop_mark(flight, mark->log);
	if (flight->mark_count == flight->mark_capacity) {
		size_t capacity = flight->mark_capacity * 2 + 16;
		struct store_mark *larger =
			realloc(flight->marks, capacity * sizeof *larger);
		if (larger == NULL)
			return fault_set(
				fault, FAULT_OOM, "no memory for a mark");
		flight->marks = larger;
		flight->mark_capacity = capacity;
	}
	flight->marks[flight->mark_count++] = *mark;
	return 0;
}

struct store_batch flight_batch(const struct flight *flight)
{
	return (struct store_batch){flight->records, flight->record_count,
		flight->marks, flight->mark_count, flight->due_us,
		flight->to_the_brim, NULL};
}
