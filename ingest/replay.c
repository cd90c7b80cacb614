#include "ingest/replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 100	  /* how long a stop signal may go unseen */
#define RECORDS_A_LOOK 64 /* at the clock */

/* A partition that is read. */
struct course {
	struct log own_log; /* of one that the store does not know */
	const struct log *log;
	const struct source_schema *schema;
	int64_t start, end; /* offsets to come, as far as is known */
	bool known;	    /* to the store */
	bool over;
};

struct replay {
	struct replay_options options;
	struct trace *trace;
	struct replay_tally tally;
	struct course *courses[REPLAY_PARTITIONS_MAX];
	struct replay_place *places; /* places[0..count), of the courses */
	size_t count;
	struct arena arena; /* of a record */
	bool open;	    /* a snapshot is */
	int64_t began_us;   /* it did */
	int64_t since_look; /* records */
	bool partly;
};

struct replay_options replay_options_default(void)
{
	return (struct replay_options){
		.decoder = {.value_bytes_max = VALUE_BYTES_MAX,
			.depth_max = DEPTH_MAX,
			.max_skew_us = MAX_SKEW_US},
		.clock = clock_system(),
		.to_offset = INT64_MAX,
		.from_us = INT64_MIN,
		.to_us = INT64_MAX,
	};
}

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory to replay");
}

int replay_open(struct replay **out, const struct replay_options *options,
	const struct replay_before *before, struct fault *fault)
{
	*out = NULL;
	struct replay *replay = calloc(1, sizeof *replay);
	if (replay == NULL)
		return no_memory(fault);
	replay->options = *options;
	if (before != NULL)
		replay->tally = before->tally;
	int rc = trace_open(
		&replay->trace, options->reader, &options->trace, fault);
	if (rc == 0 && before != NULL)
		rc = trace_spend(replay->trace, &before->spent, fault);
	if (rc < 0) {
		replay_close(replay);
		return rc;
	}
	struct decoder *decoder = &replay->options.decoder;
	decoder->schema = reader_schema(options->reader);
	memcpy(decoder->secret, trace_secret(replay->trace), SECRET_BYTES);
	*out = replay;
	return 0;
}

void replay_close(struct replay *replay)
{
	if (replay == NULL)
		return;
	trace_close(replay->trace);
	for (size_t i = 0; i < replay->count; i++) {
		free(replay->courses[i]);
		free(replay->places[i].topic);
	}
	free(replay->places);
	arena_finish(&replay->arena);
	free(replay);
}

static int64_t now_us(const struct replay *replay)
{
	struct clock *clock = replay->options.clock;
	return clock->monotonic_us(clock);
}

static void tell(const struct replay *replay, const char *text)
{
	if (replay->options.notice != NULL)
		replay->options.notice(replay->options.payload, text);
}

static int begin(struct replay *replay, struct fault *fault)
{
	if (replay->open)
		return 0;
	int rc = trace_begin(replay->trace, fault);
	replay->open = rc == 0;
	replay->began_us = now_us(replay);
	return rc;
}

static void end(struct replay *replay)
{
	if (!replay->open)
		return;
	trace_end(replay->trace);
	replay->open = false;
	if (replay->options.progress == NULL)
		return;
	int64_t done = 0, total = 0;
	for (size_t i = 0; i < replay->count; i++) {
		const struct course *course = replay->courses[i];
		done += replay->places[i].next_offset - course->start;
		total += course->end - course->start;
	}
	replay->options.progress(
		replay->options.payload, done, total < done ? done : total);
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Where the range begins: as asked for, where an earlier run ended, or where
 * the log does. */
static int64_t start_of(
	const struct replay *replay, const struct source_event *event)
{
	const struct replay_options *options = &replay->options;
	int64_t start = larger(options->from_offset, event->log_start);
	for (size_t i = 0; i < options->place_count; i++) {
		const struct replay_place *place = &options->places[i];
		if (place->partition == event->partition &&
			strcmp(place->topic, event->topic) == 0)
			start = larger(start, place->next_offset);
	}
	return start;
}

static void tell_gone(const struct replay *replay,
	const struct source_event *event, const struct store_partition *stored)
{
	char text[256];
	int64_t from = larger(
		replay->options.from_offset, stored->accounts.first_offset);
	if (event->log_start <= from)
		return;
	(void)snprintf(text, sizeof text,
		"%.100s:%" PRId32 " no longer holds offsets %" PRId64
		" to %" PRId64 ": nothing can be said of these",
		event->topic, event->partition, from, event->log_start - 1);
	tell(replay, text);
}

/* A course and its place. NULL: out of memory. */
static struct course *add_course(
	struct replay *replay, const struct source_event *event)
{
	struct replay_place *places =
		realloc(replay->places, (replay->count + 1) * sizeof *places);
	struct course *course = calloc(1, sizeof *course);
	char *topic = strdup(event->topic);
	if (places != NULL)
		replay->places = places;
	if (places == NULL || course == NULL || topic == NULL) {
		free(course);
		free(topic);
		return NULL;
	}
	course->own_log =
		(struct log){.topic = topic, .partition = event->partition};
	places[replay->count] = (struct replay_place){
		.topic = topic, .partition = event->partition};
	replay->courses[replay->count++] = course;
	return course;
}

static int start(struct replay *replay, struct course *course,
	const struct source_event *event, struct fault *fault)
{
	const struct store_partition *stored =
		trace_partition(replay->trace, event->topic, event->partition);
	static const struct trail none;
	int64_t from = start_of(replay, event);
	struct source_position position = {.log = &course->own_log,
		.next_offset = from,
		.record_time_us = TIMESTAMP_NONE,
		.trail = &none,
		.cluster_id = ""};
	course->known = stored != NULL;
	course->start = course->end = from;
	if (stored != NULL) {
		tell_gone(replay, event, stored);
		position.log = &stored->log;
		position.trail = &stored->trail;
		position.cluster_id = stored->cluster_id;
		/* What is behind it is ahead of the store: its log may end
		 * there. */
		if (stored->accounts.next_offset < from)
			position.next_offset = stored->accounts.next_offset;
		course->end = larger(from, stored->accounts.next_offset);
	}
	if (course->end > replay->options.to_offset)
		course->end = larger(from, replay->options.to_offset);
	course->log = position.log;
	replay->places[replay->count - 1].next_offset = from;
	return source_start(replay->options.source, &position, fault);
}

static int announce(struct replay *replay, const struct source_event *event,
	struct fault *fault)
{
	if (replay->count == REPLAY_PARTITIONS_MAX)
		return fault_set(fault, FAULT_USAGE,
			"more than %d partitions: replay topic by topic",
			REPLAY_PARTITIONS_MAX);
	struct course *course = add_course(replay, event);
	if (course == NULL)
		return no_memory(fault);
	course->schema =
		schema_source(replay->options.decoder.schema, event->topic);
	int rc = begin(replay, fault);
	return rc < 0 ? rc : start(replay, course, event, fault);
}

static size_t find(const struct replay *replay, const struct log *log)
{
	size_t i = 0;
	while (i < replay->count && replay->courses[i]->log != log)
		i++;
	return i;
}

static void count(struct replay *replay, const struct replay_update *update)
{
	replay->tally.updates++;
	replay->tally.answers[update->proof.answer]++;
	if (replay->options.told != NULL)
		replay->options.told(replay->options.payload, update);
}

static const struct update *find_update(
	const struct decoded *decoded, const struct update *like)
{
	for (size_t i = 0; i < decoded->update_count; i++)
		if (decoded->updates[i].place == like->place)
			return &decoded->updates[i];
	return NULL;
}

/* As far as changes in place go: those never touch what a feature is. */
static bool is_as_before(
	const struct update *before, const struct update *update)
{
	return before != NULL && before->reason == update->reason &&
	       before->has_key == update->has_key &&
	       before->assignment_count == update->assignment_count;
}

/* 1: some schema before made another update of it, or none. *refused: one that
 * it refused, which left a letter. */
static int was_another(struct replay *replay,
	const struct replay_update *update, bool *refused, struct fault *fault)
{
	const struct record *record = &update->record->record;
	struct decoder decoder = replay->options.decoder;
	bool another = false;
	*refused = false;
	for (size_t i = 0; (decoder.schema = trace_schema_before(
				    replay->trace, i)) != NULL;
		i++) {
		struct decoded decoded = {0};
		const struct source_schema *source =
			schema_source(decoder.schema, record->log->topic);
		int rc = source == NULL
				 ? 0
				 : decode_record(&decoder, source, record,
					   &replay->arena, &decoded, fault);
		if (rc < 0)
			return rc;
		const struct update *before =
			find_update(&decoded, update->update);
		another |= !is_as_before(before, update->update);
		*refused |= before != NULL && before->reason != REASON_NONE;
	}
	return another;
}

/* What was taken under another schema need not be there; and a letter that was
 * cleared is not its. */
static int doubt(struct replay *replay, struct replay_update *update,
	struct fault *fault)
{
	struct proof *proof = &update->proof;
	bool cleared = proof->why == PROOF_WHY_CLEARED;
	bool refused;
	if ((proof->answer != PROOF_MISSING && !cleared) ||
		proof->why == PROOF_WHY_DAMAGED ||
		!trace_predates_schema(replay->trace, &update->record->record))
		return 0;
	int rc = was_another(replay, update, &refused, fault);
	if (rc != 1 || (cleared && refused))
		return rc < 0 ? rc : 0;
	if (cleared)
		trace_give_cleared_back(replay->trace);
	*proof = (struct proof){
		.answer = PROOF_UNPROVEN, .why = PROOF_WHY_SCHEMA};
	return 0;
}

/* One update of a record that the store knows the log of, or not. */
static int judge(struct replay *replay, const struct course *course,
	struct replay_update *update, struct fault *fault)
{
	const struct replay_options *options = &replay->options;
	if (options->wants != NULL &&
		!options->wants(options->payload, update->update))
		return 0;
	update->proof =
		(struct proof){.answer = PROOF_AHEAD, .why = PROOF_WHY_NOT_YET};
	int rc = 0;
	if (course->known)
		rc = trace_update(replay->trace, update->record, update->update,
			&replay->arena, &update->proof, fault);
	if (rc == 0)
		rc = doubt(replay, update, fault);
	if (rc == 0)
		count(replay, update);
	return rc;
}

static void count_spared(
	struct replay *replay, const struct store_record *record)
{
	struct replay_update update = {.record = record,
		.proof = {.answer = PROOF_PARKED, .why = PROOF_WHY_LETTER}};
	if (replay->options.wants != NULL)
		return;
	replay->tally.records++;
	count(replay, &update);
}

static bool is_in_range(const struct replay *replay, int64_t timestamp_us)
{
	return timestamp_us >= replay->options.from_us &&
	       timestamp_us < replay->options.to_us;
}

static int judge_all(struct replay *replay, const struct course *course,
	const struct store_record *record, struct fault *fault)
{
	int rc = 0;
	if (!is_in_range(replay, record->decoded.timestamp_us))
		return 0;
	replay->tally.records++;
	replay->tally.skipped += record->decoded.update_count == 0;
	for (size_t i = 0; rc == 0 && i < record->decoded.update_count; i++) {
		struct replay_update update = {.record = record,
			.update = &record->decoded.updates[i]};
		rc = judge(replay, course, &update, fault);
	}
	return rc;
}

static int take_record(
	struct replay *replay, const struct record *record, struct fault *fault)
{
	size_t index = find(replay, record->log);
	struct course *course = replay->courses[index];
	struct store_record taken = {.record = *record};
	if (record->offset >= replay->options.to_offset)
		course->over = true;
	if (course->over || record->offset < course->start)
		return 0;
	int rc = begin(replay, fault);
	if (rc == 0 && course->known)
		rc = trace_record(replay->trace, record, fault);
	arena_reset(&replay->arena);
	if (rc == 1)
		count_spared(replay, &taken);
	if (rc == 0)
		rc = decode_record(&replay->options.decoder, course->schema,
			record, &replay->arena, &taken.decoded, fault);
	if (rc == 0)
		rc = judge_all(replay, course, &taken, fault);
	if (rc >= 0)
		replay->places[index].next_offset = record->next_offset;
	return rc < 0 ? rc : 0;
}

static void note_end(struct replay *replay, const struct source_event *event)
{
	size_t index = find(replay, event->log);
	if (index < replay->count && !replay->courses[index]->over &&
		event->next_offset > replay->places[index].next_offset)
		replay->places[index].next_offset = event->next_offset;
}

static int take(struct replay *replay, int outcome,
	const struct source_event *event, struct fault *fault)
{
	switch (outcome) {
	case SOURCE_PARTITION:
		return announce(replay, event, fault);
	case SOURCE_RECORD:
		return take_record(replay, &event->record, fault);
	case SOURCE_END:
		note_end(replay, event);
		return 0;
	case SOURCE_STOPPED:
		replay->partly = true;
		replay->courses[find(replay, event->log)]->over = true;
		tell(replay, event->fault.text);
		return 0;
	case SOURCE_NOTICE:
		tell(replay, event->fault.text);
		return 0;
	default:
		return 0;
	}
}

static bool is_over(const struct replay *replay)
{
	return replay->options.one_partition && replay->count > 0 &&
	       replay->courses[0]->over;
}

/* A snapshot must not hold the writer's WAL back. */
static void look_at_clock(struct replay *replay, int outcome)
{
	if (outcome != SOURCE_RECORD ||
		++replay->since_look >= RECORDS_A_LOOK) {
		replay->since_look = 0;
		if (outcome != SOURCE_RECORD ||
			now_us(replay) - replay->began_us >= REPLAY_SNAPSHOT_US)
			end(replay);
	}
}

static bool is_stopped(const struct replay *replay)
{
	return replay->options.stop != NULL &&
	       atomic_load(replay->options.stop);
}

int replay_run(struct replay *replay, struct fault *fault)
{
	int outcome = SOURCE_IDLE;
	while (outcome != SOURCE_DONE && !is_over(replay)) {
		struct source_event event = {0};
		if (is_stopped(replay))
			break;
		outcome = source_poll(
			replay->options.source, &event, POLL_MS, fault);
		int rc = outcome < 0 ? outcome
				     : take(replay, outcome, &event, fault);
		if (rc < 0) {
			end(replay);
			return rc;
		}
		look_at_clock(replay, outcome);
	}
	end(replay);
	if (outcome != SOURCE_DONE && !is_over(replay))
		return REPLAY_STOPPED;
	return replay->partly ? REPLAY_PARTLY : REPLAY_DONE;
}

const struct replay_tally *replay_tally(const struct replay *replay)
{
	return &replay->tally;
}

int replay_spent(const struct replay *replay, struct trace_spent *out,
	struct fault *fault)
{
	return trace_spent(replay->trace, out, fault);
}

const struct replay_place *replay_places(
	const struct replay *replay, size_t *out_count)
{
	*out_count = replay->count;
	return replay->places;
}
