#include "ingest/letter_load.h"

#include <inttypes.h>
#include <string.h>

struct letter_load letter_load_of(const struct store *store, const char *topic)
{
	struct letter_load load = {0};
	for (size_t i = 0; i < store_partition_count(store); i++) {
		const struct store_partition *one =
			store_partition_at(store, i);
		if (strcmp(one->log.topic, topic) != 0)
			continue;
		load.parked += one->accounts.dispositions[DISPOSITION_PARKED];
		for (int kind = LETTER_DEAD; kind <= LETTER_PARKED; kind++)
			load.bytes[kind] += store_letter_bytes(
				store, &one->log, (enum letter_kind)kind);
	}
	return load;
}

bool letters_are_full(const struct letter_load *load,
	const struct letter_limits *limits, enum letter_kind kind)
{
	if (kind == LETTER_DEAD)
		return load->bytes[kind] >= limits->dead_max_bytes;
	return load->parked >= limits->parked_max ||
	       load->bytes[kind] >= limits->parked_max_bytes;
}

static bool is_below(int64_t load, int64_t most)
{
	return load <= most - most / 10 - 1;
}

bool letters_have_room(const struct letter_load *load,
	const struct letter_limits *limits, enum letter_kind kind)
{
	if (kind == LETTER_DEAD)
		return is_below(load->bytes[kind], limits->dead_max_bytes);
	return is_below(load->parked, limits->parked_max) &&
	       is_below(load->bytes[kind], limits->parked_max_bytes);
}

void letters_describe_full(const struct letter_load *load,
	const struct letter_limits *limits, enum letter_kind kind,
	const char *topic, struct fault *detail)
{
	if (kind == LETTER_DEAD)
		fault_set(detail, FAULT_LOG,
			"the dead letters of topic %s take %" PRId64
			" bytes, and ingest.dead_max_bytes is %" PRId64
			": keep them with `holdfast dead export`, then let "
			"them go with `holdfast dead drop --topic %s`, or "
			"raise it; it goes on by itself when there is room",
			topic, load->bytes[kind], limits->dead_max_bytes,
			topic);
	else
		fault_set(detail, FAULT_LOG,
			"%" PRId64 " updates of topic %s are parked, %" PRId64
			" bytes, and ingest.parked_max is %" PRId64
			", ingest.parked_max_bytes %" PRId64
			": it goes on by itself when fewer are; `holdfast dead "
			"list --parked --topic %s` says what they wait for",
			load->parked, topic, load->bytes[kind],
			limits->parked_max, limits->parked_max_bytes, topic);
}
