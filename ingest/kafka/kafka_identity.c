#include "ingest/kafka/kafka_identity.h"

#include "ingest/kafka/kafka_client.h"
#include "ingest/kafka/kafka_discovery.h"
#include "ingest/kafka/kafka_record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 50 /* so soon is `stop` seen */

/* Where the reading of one partition stands. */
struct reading {
	const struct kafka_question *question;
	struct kafka_judgement *judgement;
	size_t step; /* of the trail, being looked for */
	bool same;   /* `newest` was as noted: an older one decides */
	size_t newest;
	enum { READING_NOT, READING_WAITS, READING_NEXT } state;
};

struct round {
	const rd_kafka_conf_t *conf;
	const atomic_bool *stop;
	struct kafka_bounds bounds[KAFKA_IDENTITY_PARTITIONS_MAX];
	struct reading readings[KAFKA_IDENTITY_PARTITIONS_MAX];
	size_t count;
};

static int64_t monotonic_ms(void)
{
	struct timespec now;
	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return 0;
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The source's consumer has the same settings: what a client lacks now, say
 * file descriptors, it may have later. NULL: ask again. */
static rd_kafka_t *open_reader(struct round *round)
{
	rd_kafka_t *client = NULL;
	struct fault why = {0};
	if (kafka_client_open(&client, rd_kafka_conf_dup(round->conf),
		    KAFKA_READER, &why) == 0)
		return client;
	for (size_t i = 0; i < round->count; i++) {
		struct kafka_judgement *judgement =
			round->readings[i].judgement;
		if (judgement->verdict == VERDICT_UNKNOWN)
			judgement->fault = why;
	}
	return NULL;
}

static void judge_changed(struct reading *reading, const char *why)
{
	const struct kafka_question *question = reading->question;
	reading->state = READING_NOT;
	reading->judgement->verdict = VERDICT_CHANGED;
	fault_set(&reading->judgement->fault, FAULT_LOG,
		"log_changed: %s:%" PRId32 " %s: the topic was made anew, cut "
		"off, or is another one. To take its present log from the "
		"start: holdfast resume %s:%" PRId32 " --new-log",
		question->topic, question->partition, why, question->topic,
		question->partition);
}

static void judge_lost(struct reading *reading, int64_t low)
{
	const struct kafka_question *question = reading->question;
	reading->judgement->verdict = VERDICT_LOST;
	fault_set(&reading->judgement->fault, FAULT_LOG,
		"records_lost: %s:%" PRId32 " no longer holds offsets %" PRId64
		" to %" PRId64 ", which were not taken. To go on behind the "
		"gap: holdfast resume %s:%" PRId32 " --accept-gap",
		question->topic, question->partition, question->next_offset,
		low - 1, question->topic, question->partition);
}

/* Without an anchor, after a start, the next comparison looks for one. */
static void judge_same(struct reading *reading, bool anchored)
{
	const struct kafka_question *question = reading->question;
	reading->state = READING_NOT;
	reading->judgement->verdict = VERDICT_SAME;
	if (anchored || question->compared >= 0)
		reading->judgement->compared =
			question->trail.steps[reading->newest].offset;
}

static void judge_unverified(struct reading *reading)
{
	const struct kafka_question *question = reading->question;
	reading->state = READING_NOT;
	if (reading->judgement->other_cluster) {
		judge_changed(reading,
			"is on another cluster, where none of the records "
			"noted of it can be read");
		return;
	}
	reading->judgement->verdict = VERDICT_UNVERIFIED;
	fault_set(&reading->judgement->fault, FAULT_LOG,
		"unverified: %s:%" PRId32 " holds none of the %zu records by "
		"which its log would be known again; going on at offset "
		"%" PRId64,
		question->topic, question->partition, question->trail.count,
		question->next_offset);
}

/* To the next step that the log may still hold; or it can't be verified. */
static void seek_step(struct reading *reading, size_t step, int64_t low)
{
	const struct trail *trail = &reading->question->trail;
	while (step < trail->count && trail->steps[step].offset < low)
		step++;
	reading->step = step;
	if (step < trail->count)
		reading->state = READING_WAITS;
	else if (reading->same)
		judge_same(reading, true); /* nothing older is left */
	else
		judge_unverified(reading);
}

/* The first comparison of a running log begins with the oldest that is left:
 * what the newest ones are was perhaps noted by a run that then was killed. A
 * start does not wait for that. */
static void seek_oldest(struct reading *reading, size_t end, int64_t low)
{
	const struct trail *trail = &reading->question->trail;
	size_t step = end;
	while (step > reading->newest + 1 &&
		trail->steps[step - 1].offset < low)
		step--;
	reading->step = step - 1;
	if (reading->step == reading->newest)
		judge_same(reading, true);
	else
		reading->state = READING_WAITS;
}

/* The newest is as noted: on to one that was there at the last comparison. */
static void seek_anchor(struct reading *reading, int64_t low)
{
	const struct kafka_question *question = reading->question;
	const struct trail *trail = &question->trail;
	size_t step = reading->newest;
	while (step < trail->count &&
		trail->steps[step].offset > question->compared)
		step++;
	if (question->compared >= 0 && step == reading->newest)
		judge_same(reading, true);
	else if (question->compared >= 0)
		seek_step(reading, step, low);
	else if (question->running)
		seek_oldest(reading, trail->count, low);
	else
		judge_same(reading, false);
}

/* After an answer that decided nothing yet. */
static void seek_next(struct reading *reading, int64_t low)
{
	bool from_oldest = reading->same && reading->question->compared < 0;
	if (reading->same && reading->step == reading->newest)
		seek_anchor(reading, low);
	else if (from_oldest)
		seek_oldest(reading, reading->step, low);
	else
		seek_step(reading, reading->step + 1, low);
}

static void judge_bounds(
	struct reading *reading, const struct kafka_bounds *bounds)
{
	const struct kafka_question *question = reading->question;
	if (!bounds->known || reading->judgement->verdict != VERDICT_UNKNOWN)
		return;
	reading->judgement->low = bounds->low;
	if (bounds->high < question->next_offset) {
		char why[128];
		(void)snprintf(why, sizeof why,
			"ends at offset %" PRId64 ", and offsets up to %" PRId64
			" were taken from it",
			bounds->high, question->next_offset - 1);
		judge_changed(reading, why);
	} else if (bounds->low > question->next_offset && !question->running) {
		judge_lost(reading, bounds->low);
	} else if (question->trail.count == 0) {
		reading->judgement->verdict = VERDICT_SAME;
	} else {
		seek_step(reading, 0, bounds->low);
	}
}

static bool among(int32_t number, const int32_t *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static void judge_unled(
	struct reading *reading, int outcome, const struct fault *why)
{
	const struct kafka_question *question = reading->question;
	struct fault *told = &reading->judgement->fault;
	if (outcome == KAFKA_TOPIC_KNOWN)
		judge_changed(reading, "is no partition of its topic any more");
	else if (outcome == KAFKA_TOPIC_PARTLY)
		fault_set(told, FAULT_BROKER,
			"%s:%" PRId32 " has no leader: waiting for one",
			question->topic, question->partition);
	else if (outcome == KAFKA_TOPIC_UNKNOWN ||
		 outcome == KAFKA_TOPIC_REFUSED)
		*told = *why;
	reading->judgement->gone = outcome == KAFKA_TOPIC_UNKNOWN;
}

/* A partition without a leader would hold the call for all of them up. */
static int keep_led(rd_kafka_t *client, struct round *round,
	struct kafka_bounds *led, size_t *led_count, struct fault *fault)
{
	const char *topic = NULL;
	int32_t *numbers = NULL;
	size_t count = 0;
	struct fault why = {0};
	int rc = 0;
	for (size_t i = 0; i < round->count; i++) {
		struct reading *reading = &round->readings[i];
		const struct kafka_question *question = reading->question;
		if (topic == NULL || strcmp(topic, question->topic) != 0) {
			free(numbers);
			topic = question->topic;
			rc = kafka_topic_partitions(
				client, topic, &numbers, &count, &why);
		}
		if (rc < 0)
			break;
		if (among(question->partition, numbers, count))
			led[(*led_count)++] =
				(struct kafka_bounds){.topic = topic,
					.partition = question->partition};
		else
			judge_unled(reading, rc, &why);
	}
	free(numbers);
	return rc < 0 ? fault_set(fault, rc, "%s", why.text) : 0;
}

static void spread_bounds(
	struct round *round, const struct kafka_bounds *led, size_t led_count)
{
	size_t next = 0; /* both are in the same order */
	for (size_t i = 0; i < round->count; i++) {
		const struct kafka_question *question =
			round->readings[i].question;
		round->bounds[i].known = false;
		if (next < led_count &&
			strcmp(led[next].topic, question->topic) == 0 &&
			led[next].partition == question->partition)
			round->bounds[i] = led[next++];
	}
}

static void note_cluster(struct round *round, const char *cluster_id)
{
	for (size_t i = 0; i < round->count; i++) {
		struct kafka_judgement *judgement =
			round->readings[i].judgement;
		const char *stored = round->readings[i].question->cluster_id;
		(void)snprintf(judgement->cluster_id,
			sizeof judgement->cluster_id, "%s", cluster_id);
		judgement->other_cluster = stored[0] != '\0' &&
					   cluster_id[0] != '\0' &&
					   strcmp(stored, cluster_id) != 0;
	}
}

static int find_bounds(struct round *round, struct fault *fault)
{
	rd_kafka_t *client = open_reader(round);
	if (client == NULL)
		return 0;
	struct kafka_bounds led[KAFKA_IDENTITY_PARTITIONS_MAX];
	size_t led_count = 0;
	char cluster_id[KAFKA_CLUSTER_ID_SIZE] = "";
	int rc = keep_led(client, round, led, &led_count, fault);
	if (rc == 0 && led_count > 0) {
		kafka_find_bounds(client, led, led_count);
		kafka_find_cluster(client, cluster_id, sizeof cluster_id);
	}
	(void)kafka_client_close(client, KAFKA_FAREWELL_MS);
	spread_bounds(round, led, led_count);
	note_cluster(round, cluster_id);
	return rc;
}

static size_t waiting(const struct round *round)
{
	size_t count = 0;
	for (size_t i = 0; i < round->count; i++)
		count += round->readings[i].state == READING_WAITS;
	return count;
}

static struct reading *find_reading(
	struct round *round, const rd_kafka_message_t *message)
{
	if (message->rkt == NULL)
		return NULL;
	const char *topic = rd_kafka_topic_name(message->rkt);
	for (size_t i = 0; i < round->count; i++) {
		struct reading *reading = &round->readings[i];
		if (reading->state == READING_WAITS &&
			reading->question->partition == message->partition &&
			strcmp(reading->question->topic, topic) == 0)
			return reading;
	}
	return NULL;
}

/* A record without timestamp was noted with the time that stood in for it. */
static bool is_noted(
	const struct footprint *noted, const rd_kafka_message_t *message)
{
	struct record record;
	kafka_record_body(&record, message);
	struct footprint seen = trail_footprint(&record);
	return seen.checksum == noted->checksum &&
	       (seen.timestamp_us == TIMESTAMP_NONE ||
		       seen.timestamp_us == noted->timestamp_us);
}

static void judge_other(struct reading *reading, int64_t offset)
{
	char why[160];
	(void)snprintf(why, sizeof why,
		"holds another record at offset %" PRId64
		" than was taken from there%s",
		offset,
		reading->same ? ", and some that were taken since are of the "
				"log that it is now"
			      : "");
	judge_changed(reading, why);
}

static void judge_record(
	struct reading *reading, const rd_kafka_message_t *message)
{
	const struct footprint *noted =
		&reading->question->trail.steps[reading->step];
	if (message->offset < noted->offset)
		return; /* of the same batch, before what was asked for */
	if (message->offset > noted->offset) {
		reading->state = READING_NEXT; /* compacted away */
	} else if (!is_noted(noted, message)) {
		judge_other(reading, noted->offset);
	} else if (reading->same) {
		judge_same(reading, true);
	} else {
		reading->same = true;
		reading->newest = reading->step;
		reading->state = READING_NEXT;
	}
}

static void judge_message(
	struct round *round, const rd_kafka_message_t *message)
{
	struct reading *reading = find_reading(round, message);
	if (reading == NULL)
		return;
	switch (message->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		judge_record(reading, message);
		break;
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		reading->state = READING_NEXT; /* aborted or compacted away */
		break;
	default: /* VERDICT_UNKNOWN stays: it is asked again from the start */
		reading->state = READING_NOT;
		fault_set(&reading->judgement->fault, FAULT_BROKER,
			"%s:%" PRId32 " can't be read, waiting: %s",
			reading->question->topic, message->partition,
			rd_kafka_message_errstr(message));
		break;
	}
}

static bool assign(rd_kafka_t *client, const struct round *round)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)round->count);
	for (size_t i = 0; i < round->count; i++) {
		const struct reading *reading = &round->readings[i];
		const struct kafka_question *question = reading->question;
		if (reading->state == READING_WAITS)
			rd_kafka_topic_partition_list_add(
				list, question->topic, question->partition)
				->offset =
				question->trail.steps[reading->step].offset;
	}
	rd_kafka_resp_err_t error = rd_kafka_assign(client, list);
	rd_kafka_topic_partition_list_destroy(list);
	return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* A consumer of its own for each round: nothing of an earlier assignment can
 * come out of it. */
static void read_round(struct round *round)
{
	rd_kafka_t *client = open_reader(round);
	if (client == NULL)
		return;
	int64_t deadline_ms = monotonic_ms() + KAFKA_CALL_TIMEOUT_MS;
	bool assigned = assign(client, round);
	while (assigned && waiting(round) > 0 && !atomic_load(round->stop) &&
		monotonic_ms() < deadline_ms) {
		rd_kafka_message_t *message =
			rd_kafka_consumer_poll(client, POLL_MS);
		if (message == NULL)
			continue;
		judge_message(round, message);
		rd_kafka_message_destroy(message);
	}
	(void)kafka_client_close(client, KAFKA_FAREWELL_MS);
}

/* Those that no answer came for stay VERDICT_UNKNOWN. */
static void next_round(struct round *round)
{
	for (size_t i = 0; i < round->count; i++) {
		struct reading *reading = &round->readings[i];
		if (reading->state == READING_WAITS)
			reading->state = READING_NOT;
		else if (reading->state == READING_NEXT)
			seek_next(reading, round->bounds[i].low);
	}
}

static int judge(struct round *round, struct fault *fault)
{
	int rc = find_bounds(round, fault);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < round->count; i++)
		judge_bounds(&round->readings[i], &round->bounds[i]);
	/* Each round leaves each partition a step further, or done. */
	while (waiting(round) > 0 && !atomic_load(round->stop)) {
		read_round(round);
		next_round(round);
	}
	return 0;
}

int kafka_identity_judge(const rd_kafka_conf_t *conf, const atomic_bool *stop,
	const struct kafka_question *questions, size_t count,
	struct kafka_judgement *judgements, struct fault *fault)
{
	assert(count <= KAFKA_IDENTITY_PARTITIONS_MAX);
	struct round *round = calloc(1, sizeof *round);
	if (round == NULL)
		return fault_set(fault, FAULT_OOM, "no memory to compare logs");
	round->conf = conf;
	round->stop = stop;
	round->count = count;
	for (size_t i = 0; i < count; i++) {
		judgements[i] = (struct kafka_judgement){
			.verdict = VERDICT_UNKNOWN, .low = -1, .compared = -1};
		round->readings[i].question = &questions[i];
		round->readings[i].judgement = &judgements[i];
	}
	int rc = judge(round, fault);
	free(round);
	return rc;
}
