#include "ingest/command/standing.h"

#include "schema/load.h"

#include <inttypes.h>
#include <string.h>

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory to compare stores");
}

static bool copy_places(struct standing *out,
	const struct reader_status *status, struct arena *arena)
{
	out->place_count = status->partition_count;
	out->places =
		arena_take(arena, (out->place_count + 1) * sizeof *out->places);
	for (size_t i = 0; out->places != NULL && i < out->place_count; i++) {
		const struct store_partition *one = &status->partitions[i];
		out->cleared += one->accounts.cleared;
		out->parked += one->accounts.dispositions[DISPOSITION_PARKED];
		out->places[i] = (struct standing_place){
			.topic = arena_print(arena, "%s", one->log.topic),
			.partition = one->log.partition,
			.incarnation = one->log.incarnation,
			.first_offset = one->accounts.first_offset,
			.next_offset = one->accounts.next_offset,
			.as_of_us = one->as_of_us};
		if (out->places[i].topic == NULL)
			return false;
	}
	return out->places != NULL;
}

static bool copy_views(struct standing *out, const struct reader_status *status,
	struct arena *arena)
{
	out->view_count = status->view_count;
	out->views =
		arena_take(arena, (out->view_count + 1) * sizeof *out->views);
	for (size_t i = 0; out->views != NULL && i < out->view_count; i++) {
		out->views[i] = (struct standing_view){
			arena_print(arena, "%s", status->views[i].name),
			status->views[i].digest};
		if (out->views[i].name == NULL)
			return false;
	}
	return out->views != NULL;
}

int standing_read(struct standing *out, struct reader *reader,
	struct arena *arena, struct fault *fault)
{
	struct reader_status status = {0};
	*out = (struct standing){0};
	int rc = reader_summary(reader, arena, &status, fault);
	if (rc < 0)
		return rc;
	out->digest = status.digest;
	return copy_places(out, &status, arena) &&
			       copy_views(out, &status, arena)
		       ? 0
		       : no_memory(fault);
}

static bool same_partition(
	const struct standing_place *a, const struct standing_place *b)
{
	return a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

/* The same incarnation; NULL: it has not begun with it. */
static const struct standing_place *find(
	const struct standing *standing, const struct standing_place *place)
{
	for (size_t i = 0; i < standing->place_count; i++)
		if (same_partition(&standing->places[i], place) &&
			standing->places[i].incarnation == place->incarnation)
			return &standing->places[i];
	return NULL;
}

static bool lacks(
	const struct standing *behind, const struct standing_place *place)
{
	const struct standing_place *there = find(behind, place);
	int64_t at = there == NULL ? place->first_offset : there->next_offset;
	return at < place->next_offset;
}

bool standing_is_ahead(const struct standing *a, const struct standing *b)
{
	for (size_t i = 0; i < a->place_count; i++)
		if (lacks(b, &a->places[i]))
			return true;
	return false;
}

/* One of another incarnation: was the topic created anew? */
static bool has_other(
	const struct standing *standing, const struct standing_place *place)
{
	for (size_t i = 0; i < standing->place_count; i++)
		if (same_partition(&standing->places[i], place) &&
			standing->places[i].incarnation != place->incarnation)
			return true;
	return false;
}

int standing_can_follow(const struct standing *behind,
	const struct standing *ahead, struct fault *fault)
{
	for (size_t i = 0; i < ahead->place_count; i++) {
		const struct standing_place *place = &ahead->places[i];
		if (!lacks(behind, place))
			continue;
		if (load_is_topic(place->topic))
			return fault_set(fault, FAULT_REFUSED,
				"rows of a file were loaded into one of them, "
				"as %s, and no log holds them: load it into "
				"the other, too",
				place->topic);
		if (has_other(ahead, place) || has_other(behind, place))
			return fault_set(fault, FAULT_REFUSED,
				"%s:%" PRId32 " was created anew since one of "
				"them took it: no log holds what lies between",
				place->topic, place->partition);
	}
	return 0;
}
