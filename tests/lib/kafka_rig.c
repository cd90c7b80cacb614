#include "tests/lib/kafka_rig.h"

#include "tests/lib/check.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_US 30000000 /* far beyond what anything here takes */

static int64_t now_us(void)
{
	return clock_system()->monotonic_us(clock_system());
}

void rig_start_brokers(struct kafka_rig *rig, int partitions, int brokers)
{
	*rig = (struct kafka_rig){.topics = {"t", "u"}};
	mock_kafka_start(&rig->mock, brokers);
	if (partitions > 0)
		mock_kafka_topic(&rig->mock, "t", partitions);
	rig->options = kafka_source_options_default();
	rig->options.settings = mock_kafka_settings(&rig->mock);
	rig->options.group_id = "holdfast-test";
	rig->options.topics = rig->topics;
	rig->options.topic_count = 1;
}

void rig_start(struct kafka_rig *rig, int partitions)
{
	rig_start_brokers(rig, partitions, 1);
}

void rig_stop(struct kafka_rig *rig)
{
	rig_close(rig);
	mock_kafka_stop(&rig->mock);
}

void rig_open(struct kafka_rig *rig)
{
	struct fault fault = {0};
	for (int i = 0; i < RIG_PARTITIONS_MAX; i++) {
		struct source_position start = rig->partitions[i].start;
		rig->partitions[i] = (struct rig_partition){
			.log = {.topic = "t", .partition = i, .id = 1},
			.start = start};
	}
	rig->others = rig->records = rig->notices = 0;
	rig->done = false;
	if (kafka_source_open(&rig->source, &rig->options, &fault) != 0)
		fail_msg("%s", fault.text);
}

void rig_close(struct kafka_rig *rig)
{
	source_close(rig->source);
	rig->source = NULL;
}

void rig_start_at(struct kafka_rig *rig, int partition, int64_t next_offset,
	const struct trail *trail)
{
	rig->partitions[partition].start = (struct source_position){
		.log = &rig->partitions[partition].log,
		.next_offset = next_offset,
		.record_time_us = TIMESTAMP_NONE,
		.trail = trail,
		.cluster_id = "",
	};
}

static void start(struct kafka_rig *rig, int partition,
	const struct source_position *position)
{
	struct fault fault = {0};
	rig->partitions[partition].next_offset = position->next_offset;
	rig->partitions[partition].stopped = false;
	if (source_start(rig->source, position, &fault) != 0)
		fail_msg("%s", fault.text);
}

void rig_start_now(struct kafka_rig *rig, int partition, int64_t next_offset)
{
	struct source_position position = {
		.log = &rig->partitions[partition].log,
		.next_offset = next_offset,
		.record_time_us = TIMESTAMP_NONE,
		.cluster_id = "",
	};
	start(rig, partition, &position);
}

static void note_partition(
	struct kafka_rig *rig, const struct source_event *event)
{
	if (strcmp(event->topic, "t") != 0) {
		rig->others++;
		return;
	}
	struct rig_partition *partition = &rig->partitions[event->partition];
	assert_false(partition->announced);
	partition->announced = true;
	partition->log_start = event->log_start;
	if (partition->held_at > 0)
		source_commit(rig->source, &partition->log, partition->held_at);
	else if (partition->start.log == NULL)
		rig_start_now(rig, event->partition, event->log_start);
	else
		start(rig, event->partition, &partition->start);
}

static void note_record(struct kafka_rig *rig, const struct source_event *event)
{
	const struct record *record = &event->record;
	struct rig_partition *partition =
		&rig->partitions[record->log->partition];
	assert_ptr_equal(record->log, &partition->log);
	/* In order, nothing twice, nothing left out: the mock has no gaps. */
	assert_int_equal(record->offset, partition->next_offset);
	assert_int_equal(record->next_offset, record->offset + 1);
	partition->next_offset = record->next_offset;
	struct footprint step = trail_footprint(record);
	trail_note(&partition->trail, &step);
	partition->records++;
	rig->records++;
	if (rig->seen != NULL)
		rig->seen(rig, record);
}

static void note(
	struct kafka_rig *rig, int outcome, const struct source_event *event)
{
	struct rig_partition nobody = {0};
	struct rig_partition *partition =
		event->log == NULL ? &nobody
				   : &rig->partitions[event->log->partition];
	switch (outcome) {
	case SOURCE_END:
		assert_int_equal(event->next_offset, partition->next_offset);
		partition->ends++;
		partition->as_of_us = event->as_of_us;
		break;
	case SOURCE_STOPPED:
		partition->stopped = true;
		partition->fault = event->fault;
		break;
	case SOURCE_NOTICE:
		rig->notices++;
		rig->notice = event->fault;
		break;
	case SOURCE_DONE:
		rig->done = true;
		break;
	default:
		break;
	}
}

int rig_poll(struct kafka_rig *rig, uint32_t timeout_ms)
{
	struct source_event event = {0};
	struct fault fault = {0};
	int outcome = source_poll(rig->source, &event, timeout_ms, &fault);
	if (outcome < 0)
		fail_msg("%s", fault.text);
	if (outcome == SOURCE_RECORD)
		note_record(rig, &event);
	else if (outcome == SOURCE_PARTITION)
		note_partition(rig, &event);
	else if (outcome != SOURCE_IDLE)
		note(rig, outcome, &event);
	return outcome;
}

void rig_until(struct kafka_rig *rig, rig_condition holds)
{
	int64_t deadline_us = now_us() + PATIENCE_US;
	while (!holds(rig)) {
		rig_poll(rig, 20);
		if (now_us() > deadline_us)
			fail_msg("it did not come; last notice: %s",
				rig->notice.text);
	}
}

void rig_until_records(struct kafka_rig *rig, int count)
{
	int64_t deadline_us = now_us() + PATIENCE_US;
	while (rig->records < count) {
		rig_poll(rig, 20);
		if (now_us() > deadline_us)
			fail_msg("%d of %d records came; last notice: %s",
				rig->records, count, rig->notice.text);
	}
}

void rig_for_ms(struct kafka_rig *rig, int64_t ms)
{
	int64_t deadline_us = now_us() + ms * 1000;
	while (now_us() < deadline_us)
		rig_poll(rig, 20);
}
