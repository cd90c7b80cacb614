#include "store/feeds.h"

#include "schema/buffer.h"
#include "store/position.h"

#include <stdlib.h>

static bool updates_view(const struct source_schema *source, size_t view)
{
	for (size_t i = 0; i < source->update_count; i++)
		if (source->updates[i].view == view)
			return true;
	return source->envelope; /* may name any view */
}

/* The schema's view, or every one. */
#define EVERY_VIEW SIZE_MAX
static bool source_feeds(const struct source_schema *source, size_t view)
{
	return view == EVERY_VIEW || updates_view(source, view);
}

static bool topic_feeds(
	const struct schema *schema, const char *topic, size_t view)
{
	const struct source_schema *source = schema_source(schema, topic);
	return source != NULL && source_feeds(source, view);
}

static bool is_newest(
	const struct partitions *partitions, const struct store_partition *one)
{
	return partitions_find(
		       partitions, one->log.topic, one->log.partition) == one;
}

static int by_topic(const void *a, const void *b)
{
	const struct log *one = &(*(struct store_partition *const *)a)->log;
	const struct log *other = &(*(struct store_partition *const *)b)->log;
	int order = strcmp(one->topic, other->topic);
	if (order != 0)
		return order;
	return (one->partition > other->partition) -
	       (one->partition < other->partition);
}

static bool has_topic(const struct feed *feed, const char *topic)
{
	for (size_t i = 0; i < feed->count; i++)
		if (strcmp(feed->partitions[i]->log.topic, topic) == 0)
			return true;
	return false;
}

static bool is_complete(
	const struct feed *feed, const struct schema *schema, size_t view)
{
	size_t sources = 0;
	for (size_t i = 0; i < schema->source_count; i++) {
		if (!source_feeds(&schema->sources[i], view))
			continue;
		sources++;
		if (!has_topic(feed, schema->sources[i].topic))
			return false;
	}
	return sources > 0;
}

static bool make_feed(struct feed *feed, const struct schema *schema,
	size_t view, const struct partitions *partitions, struct arena *memory)
{
	struct store_partition **fed =
		arena_take(memory, partitions->count * sizeof(*fed));
	if (fed == NULL)
		return false;
	*feed = (struct feed){.partitions = fed};
	for (size_t i = 0; i < partitions->count; i++) {
		struct store_partition *one = partitions->items[i];
		if (topic_feeds(schema, one->log.topic, view) &&
			is_newest(partitions, one))
			fed[feed->count++] = one;
	}
	qsort(fed, feed->count, sizeof(*fed), by_topic);
	feed->complete = is_complete(feed, schema, view);
	return true;
}

static bool make_feeds(struct feeds *feeds, const struct schema *schema,
	const struct partitions *partitions)
{
	feeds->views = arena_take(
		&feeds->memory, schema->view_count * sizeof feeds->views[0]);
	bool made = feeds->views != NULL &&
		    make_feed(&feeds->all, schema, EVERY_VIEW, partitions,
			    &feeds->memory);
	for (size_t i = 0; made && i < schema->view_count; i++)
		made = make_feed(&feeds->views[i], schema, i, partitions,
			&feeds->memory);
	return made;
}

static void forget_positions(struct feeds *feeds)
{
	arena_reset(&feeds->texts);
	feeds->all.position = (struct slice){NULL, 0};
	for (size_t i = 0; i < feeds->view_count; i++)
		feeds->views[i].position = (struct slice){NULL, 0};
}

int feeds_update(struct feeds *feeds, const struct schema *schema,
	const struct partitions *partitions, struct fault *fault)
{
	forget_positions(feeds);
	if (feeds->views != NULL && feeds->partition_count == partitions->count)
		return 0;
	feeds->view_count = 0;
	arena_reset(&feeds->memory);
	if (!make_feeds(feeds, schema, partitions)) {
		feeds->views = NULL;
		return fault_set(fault, FAULT_OOM, "no memory for feeds");
	}
	feeds->partition_count = partitions->count;
	feeds->view_count = schema->view_count;
	return 0;
}

void feeds_finish(struct feeds *feeds)
{
	arena_finish(&feeds->memory);
	arena_finish(&feeds->texts);
	*feeds = (struct feeds){0};
}

int64_t feed_as_of_us(const struct feed *feed)
{
	if (!feed->complete)
		return TIMESTAMP_NONE;
	int64_t earliest = INT64_MAX;
	for (size_t i = 0; i < feed->count; i++)
		if (feed->partitions[i]->as_of_us < earliest)
			earliest = feed->partitions[i]->as_of_us;
	return earliest;
}

struct slice feeds_position(struct feeds *feeds, struct feed *feed)
{
	if (feed->position.data != NULL)
		return feed->position;
	struct buffer text = BUFFER_INIT(&feeds->texts);
	for (size_t i = 0; i < feed->count; i++)
		position_print(&text, feed->partitions[i],
			i == 0 ? NULL : feed->partitions[i - 1]);
	buffer_byte(&text, '\0');
	if (text.failed)
		return (struct slice){NULL, 0};
	feed->position = buffer_content(&text);
	feed->position.length--;
	return feed->position;
}
