#include "store/lookup.h"

#include "store/reader_inside.h"

/* A lookup under way. */
struct looking {
	struct reader *reader;
	const struct lookup_question *question;
	struct arena *arena;
	struct lookup_answer *answer;
};

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for an answer");
}

static size_t index_of(const struct reader *reader, const struct view *view)
{
	return (size_t)(view - reader->identity.schema->views);
}

/* One that feeds all parts of the question: of one view its own, of several
 * that of all views. */
static struct feed *feed_of(
	struct reader *reader, const struct lookup_question *question)
{
	if (question->part_count == 1)
		return &reader->feeds.views[index_of(
			reader, question->parts[0].view)];
	return &reader->feeds.all;
}

/* Clocks of two machines may differ a little: never negative. */
static int64_t lag_of(int64_t as_of_us, int64_t now_us)
{
	if (as_of_us == TIMESTAMP_NONE)
		return LAG_UNKNOWN;
	return as_of_us > now_us ? 0 : now_us - as_of_us;
}

static enum holding holding_of(
	const struct held_row *held, const struct cell *cell)
{
	if (held->place == ROW_PRESENT && cell->value.state != VALUE_UNSET)
		return HOLDING_VALUE;
	return held->place == ROW_DELETED ? HOLDING_DELETED : HOLDING_NOTHING;
}

/* A part, its answer, and what is needed for each of its entities. */
struct part_under_way {
	struct view_rows *rows;
	const enum choice *holds; /* by feature; NULL: nothing is held */
	struct terms terms;
	bool from_backup;
	struct lookup_part_answer *answer;
	struct lookup_value *values;
	int64_t *times;
};

static struct lookup_value judge(const struct part_under_way *part,
	const struct held_row *held, size_t feature, int64_t now_us)
{
	const struct cell *cell = &held->row.cells[feature];
	enum holding holding = holding_of(held, cell);
	struct value fallback =
		feature_default(&part->rows->view->features[feature]);
	int64_t age_us = 0;
	struct lookup_value out = {.event_time_us = TIMESTAMP_NONE};
	if (holding == HOLDING_VALUE) {
		out.event_time_us = cell->version.event_us;
		age_us = now_us - out.event_time_us;
	}
	out.verdict = terms_judge(&part->terms, holding, part->answer->lag_us,
		age_us, fallback.state != VALUE_UNSET);
	out.verdict = terms_of_backup(out.verdict, part->from_backup);
	if (part->holds != NULL)
		out.verdict = terms_hold(out.verdict, part->holds[feature],
			fallback.state != VALUE_UNSET);
	if (out.verdict.status == VALUE_DEFAULT)
		out.value = fallback;
	else if (out.verdict.status < VALUE_DEFAULT)
		out.value = cell->value;
	return out;
}

static int64_t event_time_of(
	const struct view *view, const struct held_row *held)
{
	return held->place == ROW_PRESENT
		       ? row_version(view, &held->row).event_us
		       : TIMESTAMP_NONE;
}

/* Answers for entity `index` of the part. */
static int look_up_entity(struct looking *looking,
	struct part_under_way *under_way, size_t index, struct fault *fault)
{
	const struct lookup_part *part = under_way->answer->part;
	const struct view *view = part->view;
	struct lookup_value *values =
		under_way->values + index * part->feature_count;
	struct held_row held;
	int rc = view_rows_get(under_way->rows,
		part->entities + index * view->key_count, looking->arena, &held,
		fault);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < part->feature_count; i++) {
		values[i] = judge(under_way, &held, part->features[i],
			looking->question->now_us);
		looking->answer->refused +=
			values[i].verdict.status == VALUE_REFUSED;
	}
	under_way->times[index] = event_time_of(view, &held);
	return 0;
}

static struct lookup_part_answer how_far(const struct looking *looking,
	const struct lookup_part *part, const struct terms *terms)
{
	const struct reader *reader = looking->reader;
	struct lookup_part_answer answer = {.part = part};
	answer.as_of_us = feed_as_of_us(
		&reader->feeds.views[index_of(reader, part->view)]);
	answer.lag_us = lag_of(answer.as_of_us, looking->question->now_us);
	if (terms->max_lag_us != LAG_ANY && answer.lag_us > terms->max_lag_us)
		answer.why_behind = VALUE_REASON_MAX_LAG;
	else if (reader->made_us != TIMESTAMP_NONE)
		answer.why_behind = VALUE_REASON_BACKUP;
	answer.behind = answer.why_behind != VALUE_REASON_NONE;
	return answer;
}

static int look_up_part(struct looking *looking, const struct lookup_part *part,
	struct lookup_part_answer *answer, struct fault *fault)
{
	struct reader *reader = looking->reader;
	size_t count = part->entity_count;
	struct part_under_way under_way = {
		.rows = &reader->views[index_of(reader, part->view)],
		.holds = reader->holds.views[index_of(reader, part->view)],
		.terms = terms_tighten(
			terms_of(part->view), looking->question->terms),
		.from_backup = reader->made_us != TIMESTAMP_NONE,
		.answer = answer,
		.values = arena_take(
			looking->arena, count * part->feature_count *
						sizeof under_way.values[0]),
		.times = arena_take(
			looking->arena, count * sizeof under_way.times[0]),
	};
	if (under_way.values == NULL || under_way.times == NULL)
		return no_memory(fault);
	*answer = how_far(looking, part, &under_way.terms);
	answer->values = under_way.values;
	answer->row_event_time_us = under_way.times;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = look_up_entity(looking, &under_way, i, fault);
	return rc;
}

/* Of the view that is furthest behind. */
static void sum_up(struct lookup_answer *answer, int64_t now_us)
{
	answer->as_of_us = answer->part_count == 0 ? TIMESTAMP_NONE : INT64_MAX;
	for (size_t i = 0; i < answer->part_count; i++)
		if (answer->parts[i].as_of_us < answer->as_of_us)
			answer->as_of_us = answer->parts[i].as_of_us;
	answer->lag_us = lag_of(answer->as_of_us, now_us);
}

static int look_up_parts(struct looking *looking, struct fault *fault)
{
	const struct lookup_question *question = looking->question;
	struct lookup_answer *answer = looking->answer;
	struct lookup_part_answer *parts = arena_take(
		looking->arena, question->part_count * sizeof *parts);
	if (parts == NULL)
		return no_memory(fault);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < question->part_count; i++)
		rc = look_up_part(
			looking, &question->parts[i], &parts[i], fault);
	answer->parts = parts;
	answer->part_count = question->part_count;
	if (rc == 0)
		sum_up(answer, question->now_us);
	return rc;
}

static int put_position(struct looking *looking, struct fault *fault)
{
	struct reader *reader = looking->reader;
	looking->answer->position = arena_copy(
		looking->arena, feeds_position(&reader->feeds,
					feed_of(reader, looking->question)));
	if (looking->answer->position.data == NULL)
		return no_memory(fault);
	return 0;
}

/* Within the reader's snapshot. */
static int look_up(struct looking *looking, struct fault *fault)
{
	const struct partitions *partitions = &looking->reader->partitions;
	const struct position *at_least = looking->question->at_least;
	if (at_least != NULL &&
		!position_taken(at_least, partitions->items, partitions->count))
		return LOOKUP_NOT_YET;
	int rc = look_up_parts(looking, fault);
	return rc < 0 ? rc : put_position(looking, fault);
}

static int check_damage(struct reader *reader,
	const struct lookup_question *question, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < question->part_count; i++)
		rc = reader_check_damage(
			reader, question->parts[i].view, fault);
	return rc;
}

int reader_look_up(struct reader *reader,
	const struct lookup_question *question, struct arena *arena,
	struct lookup_answer *out, struct fault *fault)
{
	*out = (struct lookup_answer){.generation = reader_generation(reader)};
	struct looking looking = {reader, question, arena, out};
	int rc = check_damage(reader, question, fault);
	if (rc == 0)
		rc = reader_begin(reader, fault);
	if (rc < 0)
		return rc;
	rc = look_up(&looking, fault);
	reader_end(reader);
	return rc;
}
