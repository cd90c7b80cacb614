#include "schema/load.h"

#include "schema/checksum.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool load_is_topic(const char *topic)
{
	return strncmp(topic, LOAD_PREFIX, strlen(LOAD_PREFIX)) == 0;
}

void load_topic(
	struct slice content, const char *view, char out[LOAD_TOPIC_SIZE])
{
	uint64_t digest = checksum(content);
	digest = checksum_record(slice_of(view),
		(struct slice){(const char *)&digest, sizeof digest});
	(void)snprintf(out, LOAD_TOPIC_SIZE, LOAD_PREFIX "%016" PRIx64, digest);
}

int load_decode(const struct decoder *decoder, const struct record *record,
	struct arena *arena, struct decoded *out, struct fault *fault)
{
	static const char *time_tokens[] = {"event_time"};
	const struct source_schema source = {
		.topic = record->log->topic,
		.envelope = true,
		.missing_key = MISSING_KEY_POSITION,
		.has_event_time = true,
		.event_time = {"/event_time", time_tokens, 1},
		.unknown_feature = UNKNOWN_FEATURE_REJECT,
	};
	int rc = decode_record(decoder, &source, record, arena, out, fault);
	for (size_t i = 0; rc == 0 && i < out->update_count; i++)
		out->updates[i].has_key = false;
	return rc;
}
