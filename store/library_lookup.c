/* libholdfast: questions asked. */
#include "store/library_inside.h"

#include <time.h>

/* Between two looks for a position that is not taken yet. A batch closes
 * within some milliseconds. */
#define WAIT_STEP_NS 1000000L

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for a question");
}

/* How many rows the bindings make: the one count that is not 1. */
static int count_rows(
	struct holdfast_query *query, size_t *rows, struct fault *fault)
{
	if (query->misbound.code != 0) {
		*fault = query->misbound;
		query->misbound.code = 0;
		return fault->code;
	}
	*rows = 1;
	for (size_t i = 0; i < query->key_count; i++) {
		const struct binding *binding = &query->bindings[i];
		const char *name = query->keys[i].name;
		if (!binding->bound)
			return fault_set(fault, FAULT_USAGE,
				"key %s is not bound", name);
		if (binding->count != 1 && *rows != 1 &&
			binding->count != *rows)
			return fault_set(fault, FAULT_USAGE,
				"key %s is bound to %zu rows, another one to "
				"%zu: bind as many, or 1 for all",
				name, binding->count, *rows);
		if (binding->count != 1)
			*rows = binding->count;
	}
	return 0;
}

/* Entities of a part, row by row; of a single key they lie there already. */
static const struct value *entities_of(struct holdfast_query *query,
	const struct query_part *part, size_t count)
{
	if (part->key_count == 1)
		return query->bindings[part->keys[0]].values;
	struct value *entities = arena_take(
		&query->scratch, count * part->key_count * sizeof *entities);
	for (size_t k = 0; entities != NULL && k < part->key_count; k++) {
		const struct binding *binding = &query->bindings[part->keys[k]];
		for (size_t row = 0; row < count; row++)
			entities[row * part->key_count + k] =
				binding->values[binding->count == 1 ? 0 : row];
	}
	return entities;
}

static size_t count_entities(const struct holdfast_query *query,
	const struct query_part *part, size_t rows)
{
	for (size_t k = 0; k < part->key_count; k++)
		if (query->bindings[part->keys[k]].count != 1)
			return rows;
	return 1;
}

/* The question's parts, in the query's scratch memory. */
static int ask(struct holdfast_query *query, struct lookup_question *question,
	struct fault *fault)
{
	int rc = count_rows(query, &question->row_count, fault);
	if (rc < 0)
		return rc;
	struct lookup_part *parts =
		arena_take(&query->scratch, query->part_count * sizeof *parts);
	if (parts == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < query->part_count; i++) {
		const struct query_part *part = &query->parts[i];
		size_t count = count_entities(query, part, question->row_count);
		parts[i] = (struct lookup_part){
			.view = part->view,
			.features = part->features,
			.feature_count = part->feature_count,
			.entities = entities_of(query, part, count),
			.entity_count = count,
		};
		if (count > 0 && parts[i].entities == NULL)
			return no_memory(fault);
	}
	question->parts = parts;
	question->part_count = query->part_count;
	question->terms = query->terms;
	return 0;
}

/* Failures that another connection may not meet. */
static bool is_distrustful(int rc)
{
	return rc == FAULT_CORRUPT || rc == FAULT_IO || rc == FAULT_INTERNAL;
}

/* What is asked, of the schema of the store's present reader. */
static int prepare(struct holdfast_query *query, const char *position,
	struct position *at_least, struct lookup_question *question,
	struct fault *fault)
{
	arena_reset(&query->scratch);
	int rc = query->opening == query->store->openings
			 ? 0
			 : query_resolve(query, fault);
	if (rc == 0)
		rc = ask(query, question, fault);
	if (rc < 0 || position == NULL)
		return rc;
	question->at_least = at_least;
	return position_parse(
		slice_of(position), &query->scratch, at_least, fault);
}

static int look_up(struct holdfast_query *query, const char *position,
	const struct holdfast_answer **out, struct fault *fault)
{
	struct holdfast *store = query->store;
	struct lookup_question question = {.now_us = library_wall_us()};
	struct lookup_answer found;
	struct position at_least;
	int rc;
	library_keep_current(store, question.now_us);
	do {
		rc = prepare(query, position, &at_least, &question, fault);
		if (rc < 0)
			return rc;
		rc = reader_look_up(store->reader, &question, &query->scratch,
			&found, fault);
	} while ((rc >= 0 || rc == FAULT_BUSY) && library_follow(store));
	store->distrusted |= is_distrustful(rc);
	if (rc == LOOKUP_ANSWERED)
		return answer_put(
			query, &found, question.row_count, out, fault);
	return rc < 0 ? rc : HOLDFAST_NOT_YET;
}

static int finish(
	int rc, struct holdfast_error *error, const struct fault *fault)
{
	return rc < 0 ? library_failed(error, fault) : rc;
}

int holdfast_lookup(struct holdfast_query *query,
	const struct holdfast_answer **out, struct holdfast_error *error)
{
	struct fault fault;
	*out = NULL;
	return finish(look_up(query, NULL, out, &fault), error, &fault);
}

static int64_t steady_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int holdfast_lookup_at_least(struct holdfast_query *query, const char *position,
	uint32_t wait_ms, const struct holdfast_answer **out,
	struct holdfast_error *error)
{
	static const struct timespec step = {0, WAIT_STEP_NS};
	struct fault fault;
	*out = NULL;
	int64_t until_us = steady_us() + (int64_t)wait_ms * 1000;
	int rc = look_up(query, position, out, &fault);
	while (rc == HOLDFAST_NOT_YET && steady_us() < until_us) {
		nanosleep(&step, NULL);
		rc = look_up(query, position, out, &fault);
	}
	return finish(rc, error, &fault);
}
