#include "ingest/kafka/kafka_topic.h"

#include "ingest/kafka/kafka_codes.h"

#include <stdlib.h>
#include <string.h>

/* A broker that answers at all does so within. */
#define CONFIG_TIMEOUT_MS 2000
#define CONFIG_POLL_MS 20 /* so soon is a hurry seen */
/* How Kafka writes "no limit". */
#define NO_LIMIT "9223372036854775807"
#define DELETES_KEPT_US (86400 * INT64_C(1000000)) /* Kafka's own default */

/* The answer to a DescribeConfigs of one topic, as an event that the caller
 * destroys; NULL where nobody says, or not before there is a hurry. */
static rd_kafka_event_t *ask_settings(
	rd_kafka_t *client, const char *topic, const atomic_bool *hurry)
{
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_ANY);
	rd_kafka_ConfigResource_t *resource =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	char error[256] = "";
	rd_kafka_AdminOptions_set_request_timeout(
		options, CONFIG_TIMEOUT_MS, error, sizeof error);
	rd_kafka_DescribeConfigs(client, &resource, 1, options, queue);
	rd_kafka_event_t *event = NULL;
	for (int waited_ms = 0; event == NULL && !atomic_load(hurry) &&
				waited_ms < CONFIG_TIMEOUT_MS;
		waited_ms += CONFIG_POLL_MS)
		event = rd_kafka_queue_poll(queue, CONFIG_POLL_MS);
	rd_kafka_queue_destroy(queue);
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_AdminOptions_destroy(options);
	return event;
}

static bool is_setting(const rd_kafka_ConfigEntry_t *entry, const char *name,
	const char *value)
{
	const char *held = rd_kafka_ConfigEntry_value(entry);
	return strcmp(rd_kafka_ConfigEntry_name(entry), name) == 0 &&
	       held != NULL && strcmp(held, value) == 0;
}

/* Unbounded: producers' times, and no limit said, under the new name (since
 * 3.6) or the old one. */
static bool are_bounded(const rd_kafka_ConfigResource_t *resource)
{
	size_t count = 0;
	const rd_kafka_ConfigEntry_t **entries =
		rd_kafka_ConfigResource_configs(resource, &count);
	bool create_time = false, limited = true, newer = false;
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_ConfigEntry_t *entry = entries[i];
		const char *name = rd_kafka_ConfigEntry_name(entry);
		create_time |= is_setting(
			entry, "message.timestamp.type", "CreateTime");
		if (strcmp(name, "message.timestamp.after.max.ms") == 0) {
			newer = true;
			limited = !is_setting(entry, name, NO_LIMIT);
		} else if (!newer &&
			   is_setting(entry,
				   "message.timestamp.difference.max.ms",
				   NO_LIMIT)) {
			limited = false;
		}
	}
	return !create_time || limited;
}

enum kafka_clocks kafka_topic_clocks(rd_kafka_t *client, const char *topic,
	const atomic_bool *hurry, struct fault *notice)
{
	rd_kafka_event_t *event = ask_settings(client, topic, hurry);
	if (event == NULL)
		return atomic_load(hurry) ? KAFKA_CLOCKS_PUT_OFF
					  : KAFKA_CLOCKS_BOUNDED;
	const rd_kafka_DescribeConfigs_result_t *result =
		rd_kafka_event_DescribeConfigs_result(event);
	size_t count = 0;
	const rd_kafka_ConfigResource_t **resources =
		result == NULL ? NULL
			       : rd_kafka_DescribeConfigs_result_resources(
					 result, &count);
	bool bounded = count != 1 || are_bounded(resources[0]);
	rd_kafka_event_destroy(event);
	if (bounded)
		return KAFKA_CLOCKS_BOUNDED;
	fault_set(notice, FAULT_BROKER,
		"topic %s takes whatever time a producer's clock says: a clock "
		"that is ahead puts its records ahead of all others; set the "
		"topic's message.timestamp.after.max.ms to, say, 3600000",
		topic);
	return KAFKA_CLOCKS_UNBOUNDED;
}

/* The value of a setting, "" where it has none. */
static const char *find_setting(
	const rd_kafka_ConfigResource_t *resource, const char *name)
{
	size_t count = 0;
	const rd_kafka_ConfigEntry_t **entries =
		rd_kafka_ConfigResource_configs(resource, &count);
	for (size_t i = 0; i < count; i++) {
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);
		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
			return value == NULL ? "" : value;
	}
	return "";
}

static enum kafka_cleanup_outcome read_cleanup(
	const rd_kafka_ConfigResource_t *resource, struct kafka_cleanup *out)
{
	/* "compact", "compact,delete", "delete". */
	out->compacted = strstr(find_setting(resource, "cleanup.policy"),
				 "compact") != NULL;
	char *end = NULL;
	const char *kept = find_setting(resource, "delete.retention.ms");
	long long ms = strtoll(kept, &end, 10);
	bool is_number = end != kept && *end == '\0' && ms >= 0;
	out->deletes_kept_us = !is_number	       ? DELETES_KEPT_US
			       : ms > INT64_MAX / 1000 ? INT64_MAX
						       : ms * 1000;
	return KAFKA_CLEANUP_KNOWN;
}

static enum kafka_cleanup_outcome say_unknown(const char *topic,
	rd_kafka_resp_err_t error, enum kafka_cleanup_outcome outcome,
	struct fault *notice)
{
	fault_set(notice, FAULT_BROKER,
		"nobody says whether topic %s is compacted (%s): going on as "
		"if it is not. Allow holdfast DescribeConfigs of it, since "
		"what compaction removes may be missed otherwise",
		topic, rd_kafka_err2str(error));
	return outcome;
}

/* Takes the event apart: one resource was asked for. */
static enum kafka_cleanup_outcome take_cleanup(const char *topic,
	rd_kafka_event_t *event, struct kafka_cleanup *out,
	struct fault *notice)
{
	size_t count = 0;
	const rd_kafka_DescribeConfigs_result_t *result =
		rd_kafka_event_DescribeConfigs_result(event);
	const rd_kafka_ConfigResource_t **resources =
		result == NULL ? NULL
			       : rd_kafka_DescribeConfigs_result_resources(
					 result, &count);
	rd_kafka_resp_err_t error = rd_kafka_event_error(event);
	if (error == RD_KAFKA_RESP_ERR_NO_ERROR && count == 1)
		error = rd_kafka_ConfigResource_error(resources[0]);
	if (error == RD_KAFKA_RESP_ERR_NO_ERROR && count == 1)
		return read_cleanup(resources[0], out);
	bool silent = error == RD_KAFKA_RESP_ERR__TIMED_OUT ||
		      error == RD_KAFKA_RESP_ERR__TRANSPORT;
	return say_unknown(topic, error,
		silent ? KAFKA_CLEANUP_UNREACHABLE : KAFKA_CLEANUP_REFUSED,
		notice);
}

/* librdkafka asks the controller, and waits for one in vain the whole timeout
 * (rdkafka_admin.c) where a cluster has none, or names one that is none of its
 * brokers: librdkafka's mock cluster says 0, and counts them from 1. True where
 * nobody answers: that is not for ever. */
static bool names_controller(rd_kafka_t *client)
{
	int32_t controller = rd_kafka_controllerid(client, 0);
	const struct rd_kafka_metadata *metadata = NULL;
	if (controller < 0)
		return false;
	if (rd_kafka_metadata(client, 0, NULL, &metadata, CONFIG_TIMEOUT_MS) !=
		RD_KAFKA_RESP_ERR_NO_ERROR)
		return true;
	bool named = false;
	for (int i = 0; i < metadata->broker_cnt; i++)
		named |= metadata->brokers[i].id == controller;
	rd_kafka_metadata_destroy(metadata);
	return named;
}

enum kafka_cleanup_outcome kafka_topic_cleanup(rd_kafka_t *client,
	const char *topic, const atomic_bool *stop, struct kafka_cleanup *out,
	struct fault *notice)
{
	*out = (struct kafka_cleanup){0};
	if (!names_controller(client))
		return KAFKA_CLEANUP_UNASKED;
	rd_kafka_event_t *event = ask_settings(client, topic, stop);
	if (event == NULL)
		return say_unknown(topic, RD_KAFKA_RESP_ERR__TIMED_OUT,
			KAFKA_CLEANUP_UNREACHABLE, notice);
	enum kafka_cleanup_outcome outcome =
		take_cleanup(topic, event, out, notice);
	rd_kafka_event_destroy(event);
	return outcome;
}
