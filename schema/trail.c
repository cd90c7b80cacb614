#include "schema/trail.h"

#include "schema/bytes.h"
#include "schema/checksum.h"

#include <assert.h>
#include <string.h>

struct footprint trail_footprint(const struct record *record)
{
	return (struct footprint){
		.offset = record->offset,
		.next_offset = record->next_offset,
		.timestamp_us = record->timestamp_us,
		.checksum = checksum_record(record->key, record->value),
	};
}

/* The inner step whose leaving widens the gaps least, seen from the newest:
 * what stays lies at distances that grow about evenly in proportion. */
static size_t least_missed(const struct trail *trail)
{
	const struct footprint *steps = trail->steps;
	size_t best = 1;
	double smallest = -1;
	for (size_t i = 1; i + 1 < trail->count; i++) {
		double gap =
			(double)(steps[i - 1].offset - steps[i + 1].offset);
		double distance = (double)(steps[0].offset - steps[i].offset);
		if (smallest < 0 || gap / distance < smallest) {
			smallest = gap / distance;
			best = i;
		}
	}
	return best;
}

static void remove_step(struct trail *trail, size_t index)
{
	memmove(&trail->steps[index], &trail->steps[index + 1],
		(trail->count - index - 1) * sizeof trail->steps[0]);
	trail->count--;
}

void trail_note(struct trail *trail, const struct footprint *step)
{
	assert(trail->count <= TRAIL_LENGTH);
	assert(trail->count == 0 || step->offset > trail->steps[0].offset);
	if (trail->count == TRAIL_LENGTH)
		remove_step(trail, least_missed(trail));
	memmove(&trail->steps[1], &trail->steps[0],
		trail->count * sizeof trail->steps[0]);
	trail->steps[0] = *step;
	trail->count++;
}

size_t trail_encode(const struct trail *trail, unsigned char *out)
{
	struct byte_writer writer = {out, out + TRAIL_BYTES};
	for (size_t i = 0; i < trail->count; i++) {
		put_u64(&writer, (uint64_t)trail->steps[i].offset);
		put_u64(&writer, (uint64_t)trail->steps[i].next_offset);
		put_u64(&writer, (uint64_t)trail->steps[i].timestamp_us);
		put_u64(&writer, trail->steps[i].checksum);
	}
	return (size_t)(writer.at - out);
}

int trail_decode(struct trail *trail, struct slice bytes, struct fault *fault)
{
	if (bytes.length % TRAIL_STEP_BYTES != 0 || bytes.length > TRAIL_BYTES)
		return fault_set(fault, FAULT_CORRUPT,
			"a log trail of %zu bytes", bytes.length);
	trail->count = bytes.length / TRAIL_STEP_BYTES;
	struct byte_reader reader = byte_reader_of(bytes);
	for (size_t i = 0; i < trail->count; i++) {
		struct footprint *step = &trail->steps[i];
		step->offset = (int64_t)get_u64(&reader);
		step->next_offset = (int64_t)get_u64(&reader);
		step->timestamp_us = (int64_t)get_u64(&reader);
		step->checksum = get_u64(&reader);
	}
	return 0;
}
