#include "ingest/command/replay_range.h"

#include "ingest/command/sources.h"
#include "ingest/command/value_text.h"
#include "schema/rfc3339.h"

#include <stdio.h>
#include <string.h>

/* Behind the group's id: nothing is committed, and nobody joins. */
#define GROUP_SUFFIX "-replay"

static int refuse_target(
	const char *target, const struct reading *reading, struct fault *fault)
{
	const struct schema *schema = reader_schema(reading->reader);
	return fault_set(fault, FAULT_USAGE,
		"%s is no source of the store's schema: give TOPIC or "
		"TOPIC:PARTITION%s%s",
		target, schema->source_count == 0 ? "" : ", such as ",
		schema->source_count == 0 ? "" : schema->sources[0].topic);
}

static int parse_target(struct replay_range *out, const char *target,
	const struct reading *reading, struct fault *fault)
{
	const char *colon = strrchr(target, ':');
	size_t length =
		colon == NULL ? strlen(target) : (size_t)(colon - target);
	int64_t number = -1;
	if (length >= sizeof out->topic ||
		(colon != NULL && (!int64_parse(colon + 1, &number) ||
					  number < 0 || number > INT32_MAX)))
		return refuse_target(target, reading, fault);
	memcpy(out->topic, target, length);
	out->topic[length] = '\0';
	out->partition = (int32_t)number;
	return schema_source(reader_schema(reading->reader), out->topic) == NULL
		       ? refuse_target(target, reading, fault)
		       : 0;
}

/* An offset, a time, or `otherwise`, which changes nothing. */
static int parse_bound(const char *option, const char *text,
	const char *otherwise, int64_t *offset, int64_t *us,
	struct fault *fault)
{
	if (text == NULL || strcmp(text, otherwise) == 0 ||
		(int64_parse(text, offset) && *offset >= 0) ||
		rfc3339_parse(slice_of(text), us))
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"%s is \"%s\": give an offset, a time as "
		"2026-11-23T08:20:48Z, or %s",
		option, text, otherwise);
}

int replay_range_parse(struct replay_range *out, const char *target,
	const struct replay_bounds *bounds, const struct reading *reading,
	struct fault *fault)
{
	*out = (struct replay_range){.partition = -1,
		.to_offset = INT64_MAX,
		.from_us = INT64_MIN,
		.to_us = INT64_MAX};
	int rc = target == NULL ? 0 : parse_target(out, target, reading, fault);
	if (rc == 0)
		rc = parse_bound("--from", bounds->from, "beginning",
			&out->from_offset, &out->from_us, fault);
	if (rc == 0)
		rc = parse_bound("--to", bounds->to, "end", &out->to_offset,
			&out->to_us, fault);
	if (rc == 0 && (out->from_offset > out->to_offset ||
			       out->from_us > out->to_us))
		rc = fault_set(fault, FAULT_USAGE, "--from lies behind --to");
	bool one = out->partition >= 0 || sources_is_file(&reading->config);
	if (rc == 0 && !one &&
		(out->from_offset > 0 || out->to_offset < INT64_MAX))
		rc = fault_set(fault, FAULT_USAGE,
			"an offset counts within one partition: give "
			"TOPIC:PARTITION");
	return rc;
}

static int check_file(const struct replay_range *range,
	const struct config *config, struct fault *fault)
{
	if (!sources_is_file(config))
		return 0;
	if (range->partition > 0)
		return fault_set(fault, FAULT_USAGE,
			"%s is partition 0 of topic %s, and there is no other",
			config->file.path, config->file.topic);
	if (range->topic[0] == '\0' ||
		strcmp(range->topic, config->file.topic) == 0)
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"%s is configured as topic %s, not %s", config->file.path,
		config->file.topic, range->topic);
}

int replay_range_open(struct source **out, const struct replay_range *range,
	const struct reading *reading, struct fault *fault)
{
	const struct sources_options options = {
		.config = &reading->config,
		.schema = reader_schema(reading->reader),
		.store_id = reader_store_id(reading->reader),
		.topic = range->topic[0] == '\0' ? NULL : range->topic,
		.only_partition = range->partition,
		.until_end = true,
		.group_suffix = GROUP_SUFFIX,
	};
	int rc = sources_check(&reading->config, fault);
	if (rc == 0)
		rc = check_file(range, &reading->config, fault);
	return rc < 0 ? rc : sources_open(out, &options, fault);
}

void replay_range_options(const struct replay_range *range,
	const struct reading *reading, struct replay_options *out)
{
	const struct config *config = &reading->config;
	out->reader = reading->reader;
	out->one_partition = range->partition >= 0 || sources_is_file(config);
	out->decoder.value_bytes_max = (size_t)config->ingest.value_bytes_max;
	out->decoder.depth_max = (uint32_t)config->ingest.depth_max;
	out->decoder.max_skew_us = config->ingest.max_skew_us;
	out->trace.key_window_us = config->store.key_window_us;
	out->trace.key_window_keys = (uint64_t)config->store.key_window_keys;
	out->from_offset = range->from_offset;
	out->to_offset = range->to_offset;
	out->from_us = range->from_us;
	out->to_us = range->to_us;
}
