#include "store/key_segments.h"

#include <assert.h>
#include <stdlib.h>

struct key_segment {
	struct key_range rows;
	size_t count;
	int64_t newest_us;   /* largest record timestamp */
	unsigned char *logs; /* bit log id - 1: some key came from that log */
	size_t log_bytes;
	bool passed; /* marked to go with the open batch */
};

static bool note_log(struct key_segment *segment, uint32_t log)
{
	size_t byte = (log - 1) / 8;
	if (byte >= segment->log_bytes) {
		unsigned char *larger = realloc(segment->logs, byte + 1);
		if (larger == NULL)
			return false;
		memset(larger + segment->log_bytes, 0,
			byte + 1 - segment->log_bytes);
		segment->logs = larger;
		segment->log_bytes = byte + 1;
	}
	segment->logs[byte] |= (unsigned char)(1u << (log - 1) % 8);
	return true;
}

bool key_segments_reserve(struct keys *keys, size_t more)
{
	size_t wanted = keys->segment_count + more / keys->segment_rows + 2;
	if (wanted <= keys->segment_capacity)
		return true;
	wanted += keys->segment_capacity;
	struct key_segment *larger =
		realloc(keys->segments, wanted * sizeof *larger);
	if (larger == NULL)
		return false;
	keys->segments = larger;
	keys->segment_capacity = wanted;
	return true;
}

static struct key_segment *newest(struct keys *keys, int64_t seq)
{
	if (keys->segment_count > 0) {
		struct key_segment *last =
			&keys->segments[keys->segment_count - 1];
		if (last->count < keys->segment_rows)
			return last;
	}
	if (!key_segments_reserve(keys, 1))
		return NULL;
	struct key_segment *added = &keys->segments[keys->segment_count++];
	*added = (struct key_segment){
		.rows = {seq, seq}, .newest_us = INT64_MIN};
	return added;
}

bool key_segments_note(struct keys *keys, const struct key_holder *holder)
{
	struct key_segment *segment = newest(keys, holder->seq);
	if (segment == NULL || !note_log(segment, holder->log))
		return false;
	assert(holder->seq >= segment->rows.last);
	segment->rows.last = holder->seq;
	segment->count++;
	if (holder->record_time_us > segment->newest_us)
		segment->newest_us = holder->record_time_us;
	return true;
}

static bool came_from(const struct key_segment *segment, size_t log)
{
	return log / 8 < segment->log_bytes &&
	       (segment->logs[log / 8] >> log % 8 & 1) != 0;
}

static bool has_passed(
	const struct key_segment *segment, const struct key_horizon *horizon)
{
	for (size_t log = 0; log < horizon->count; log++) {
		if (horizon->at_end[log] && !came_from(segment, log))
			continue;
		int64_t bound;
		if (__builtin_add_overflow(
			    segment->newest_us, horizon->window_us, &bound) ||
			horizon->record_time_us[log] <= bound)
			return false;
	}
	return true;
}

size_t key_segments_passed(struct keys *keys, const struct key_horizon *horizon,
	struct key_range ranges[KEY_SEGMENTS_AT_ONCE])
{
	size_t found = 0;
	for (size_t i = 0;
		i < keys->segment_count && found < KEY_SEGMENTS_AT_ONCE; i++) {
		struct key_segment *segment = &keys->segments[i];
		uint64_t age = (uint64_t)(keys->next_seq - segment->rows.last);
		if (age <= horizon->keep_newest)
			break; /* the rest is younger still */
		segment->passed = has_passed(segment, horizon);
		if (segment->passed)
			ranges[found++] = segment->rows;
	}
	return found;
}

void key_segments_settle(struct keys *keys)
{
	size_t kept = 0;
	for (size_t i = 0; i < keys->segment_count; i++) {
		if (keys->segments[i].passed)
			free(keys->segments[i].logs);
		else
			keys->segments[kept++] = keys->segments[i];
	}
	keys->segment_count = kept;
}

void key_segments_unmark(struct keys *keys)
{
	for (size_t i = 0; i < keys->segment_count; i++)
		keys->segments[i].passed = false;
}

void key_segments_finish(struct keys *keys)
{
	for (size_t i = 0; i < keys->segment_count; i++)
		free(keys->segments[i].logs);
	free(keys->segments);
	keys->segments = NULL;
	keys->segment_count = 0;
	keys->segment_capacity = 0;
}
