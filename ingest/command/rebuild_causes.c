#include "ingest/command/rebuild_causes.h"

#include "ingest/command/rebuild_letters.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS_AT_ONCE 100
#define SAID_BYTES 512

/* An update that only one generation took, as that one's schema has it. */
struct cause {
	const struct view *view;
	const struct value *entity;
	const char *const *features; /* features[0..feature_count), by name */
	size_t feature_count;
	bool whole; /* all features */
	const char *text;
};

/* Offsets that the live one passed over. */
struct gap {
	const char *topic;
	int32_t partition;
	int64_t age, from, to;
};

struct causes {
	struct reader *live, *built;
	struct decoder limits;
	struct reader_status live_status, built_status;
	struct cause *items; /* by view and entity */
	size_t count, capacity;
	struct gap *gaps;
	size_t gap_count;
	char said[SAID_BYTES];
	struct arena arena;
};

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for what differs");
}

/* Views of one name, whose keys are the same in both schemas. */
static int compare_entities(
	const struct view *view, const struct value *a, const struct value *b)
{
	int found = 0;
	for (size_t i = 0; found == 0 && i < view->key_count; i++)
		found = value_compare(view->keys[i].type.kind, &a[i], &b[i]);
	return found;
}

static int by_entity(const void *left, const void *right)
{
	const struct cause *a = left, *b = right;
	int names = strcmp(a->view->name, b->view->name);
	return names != 0 ? names
			  : compare_entities(a->view, a->entity, b->entity);
}

static const struct value *copy_entity(struct arena *arena,
	const struct view *view, const struct value *entity)
{
	struct value *copy = arena_take(arena, view->key_count * sizeof *copy);
	for (size_t i = 0; copy != NULL && i < view->key_count; i++) {
		copy[i] = entity[i];
		if (type_is_bytes(view->keys[i].type.kind))
			copy[i].as.bytes =
				arena_copy(arena, entity[i].as.bytes);
	}
	return copy;
}

static const char *const *copy_features(
	struct arena *arena, const struct update *update)
{
	const char **names = arena_take(
		arena, (update->assignment_count + 1) * sizeof *names);
	for (size_t i = 0; names != NULL && i < update->assignment_count; i++)
		names[i] =
			update->view->features[update->assignments[i].feature]
				.name;
	return names;
}

static bool grow(struct causes *causes)
{
	if (causes->count < causes->capacity)
		return true;
	size_t capacity = causes->capacity == 0 ? 64 : causes->capacity * 2;
	struct cause *larger =
		realloc(causes->items, capacity * sizeof *larger);
	if (larger == NULL)
		return false;
	causes->items = larger;
	causes->capacity = capacity;
	return true;
}

static bool is_compared(const struct causes *causes, const struct view *view)
{
	const struct slice name = slice_of(view->name);
	const struct view *live =
		schema_view(reader_schema(causes->live), name);
	const struct view *built =
		schema_view(reader_schema(causes->built), name);
	return live != NULL && built != NULL && views_same_keys(live, built);
}

static int add(struct causes *causes, const struct update *update,
	const char *text, struct fault *fault)
{
	if (update->reason != REASON_NONE || !is_compared(causes, update->view))
		return 0;
	if (!grow(causes))
		return no_memory(fault);
	struct cause cause = {.view = update->view,
		.entity = copy_entity(
			&causes->arena, update->view, update->entity),
		.features = copy_features(&causes->arena, update),
		.feature_count = update->assignment_count,
		.whole = update->operation != OPERATION_UPSERT,
		.text = text};
	if (cause.entity == NULL || cause.features == NULL || text == NULL)
		return no_memory(fault);
	causes->items[causes->count++] = cause;
	return 0;
}

/* One that is a letter in one of them, by the schema of the other, where it is
 * none. One of the record itself stands for all its updates. */
static int add_letter(struct causes *causes, const struct letter_whole *whole,
	bool of_live, struct arena *arena, struct fault *fault)
{
	struct decoder decoder = causes->limits;
	struct decoded decoded = {0};
	decoder.scratch = NULL;
	decoder.schema = reader_schema(of_live ? causes->built : causes->live);
	const struct source_schema *source =
		schema_source(decoder.schema, whole->record.log->topic);
	if (source == NULL)
		return 0;
	int rc = decode_record(
		&decoder, source, &whole->record, arena, &decoded, fault);
	const struct letter *letter = &whole->letter;
	const char *text = arena_print(&causes->arena,
		"%s %" PRId64 " of the %s one: %s%s",
		letter->kind == LETTER_DEAD ? "dead" : "parked", letter->id,
		of_live ? "live" : "new", reason_name(letter->reason),
		letter->acknowledged_us == TIMESTAMP_NONE ? "" : ", dropped");
	for (size_t i = 0; rc == 0 && i < decoded.update_count; i++)
		if (letter->view.length == 0 ||
			decoded.updates[i].place == letter->place)
			rc = add(causes, &decoded.updates[i], text, fault);
	return rc;
}

static int add_some(struct causes *causes, bool of_live,
	const struct lone_letter *letters, size_t count, struct fault *fault)
{
	struct letter_whole page[LETTERS_AT_ONCE];
	int64_t ids[LETTERS_AT_ONCE];
	struct arena arena = ARENA_INIT;
	struct letter_filter filter = {.kind = letters[0].kind,
		.since_us = TIMESTAMP_NONE,
		.until_us = TIMESTAMP_NONE,
		.ids = ids,
		.id_count = count};
	for (size_t i = 0; i < count; i++)
		ids[i] = letters[i].id;
	int rc = 1;
	while (rc > 0) {
		arena_reset(&arena);
		int found =
			reader_letters(of_live ? causes->live : causes->built,
				&filter, &arena, page, LETTERS_AT_ONCE, fault);
		rc = found;
		for (int i = 0; rc >= 0 && i < found; i++) {
			filter.after_id = page[i].letter.id;
			rc = add_letter(
				causes, &page[i], of_live, &arena, fault);
		}
		rc = rc < 0 ? rc : found;
	}
	arena_finish(&arena);
	return rc;
}

/* So many at a time, of one kind. */
static int add_lone(struct causes *causes, bool of_live,
	const struct lone_letters *lone, struct fault *fault)
{
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < lone->count;) {
		size_t end = at + 1;
		while (end < lone->count && end - at < LETTERS_AT_ONCE &&
			lone->items[end].kind == lone->items[at].kind)
			end++;
		rc = add_some(
			causes, of_live, &lone->items[at], end - at, fault);
		at = end;
	}
	return rc;
}

static int find_letters(
	struct causes *causes, bool of_live, struct fault *fault)
{
	struct lone_letters lone;
	int rc = lone_letters_find(of_live ? causes->live : causes->built,
		of_live ? causes->built : causes->live, &lone, fault);
	if (rc == 0)
		rc = add_lone(causes, of_live, &lone, fault);
	free(lone.items);
	return rc;
}

static bool read_offset(const char *text, int64_t *out)
{
	char *end = NULL;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0';
}

/* "events:0" */
static bool read_target(
	const char *target, struct arena *arena, struct gap *out)
{
	int64_t partition = 0;
	const char *colon = strrchr(target, ':');
	if (colon == NULL || !read_offset(colon + 1, &partition))
		return false;
	out->topic = arena_copy(
		arena, (struct slice){target, (size_t)(colon - target)})
			     .data;
	out->partition = (int32_t)partition;
	return out->topic != NULL;
}

/* A gap is of the log that was the newest then. */
static int64_t count_new_logs(const struct reader_decision *decisions,
	size_t count, const char *target)
{
	int64_t found = 0;
	for (size_t i = 0; i < count; i++)
		found += strcmp(decisions[i].what, "new log") == 0 &&
			 strcmp(decisions[i].target, target) == 0;
	return found;
}

static int find_gaps(struct causes *causes, struct fault *fault)
{
	const struct reader_decision *decisions = NULL;
	size_t count = 0;
	int rc = reader_decisions(
		causes->live, &causes->arena, &decisions, &count, fault);
	if (rc < 0)
		return rc;
	causes->gaps =
		arena_take(&causes->arena, (count + 1) * sizeof *causes->gaps);
	if (causes->gaps == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < count; i++) {
		const struct reader_decision *one = &decisions[i];
		struct gap gap;
		if (strcmp(one->what, "accept gap") != 0 ||
			!read_offset(one->before, &gap.from) ||
			!read_offset(one->after, &gap.to) ||
			!read_target(one->target, &causes->arena, &gap))
			continue;
		gap.age = count_new_logs(one + 1, count - i - 1, one->target);
		causes->gaps[causes->gap_count++] = gap;
	}
	return 0;
}

static int find_all(struct causes *causes, struct fault *fault)
{
	int rc = reader_summary(
		causes->live, &causes->arena, &causes->live_status, fault);
	if (rc == 0)
		rc = reader_summary(causes->built, &causes->arena,
			&causes->built_status, fault);
	if (rc == 0)
		rc = find_letters(causes, true, fault);
	if (rc == 0)
		rc = find_letters(causes, false, fault);
	if (rc == 0)
		rc = find_gaps(causes, fault);
	if (causes->count > 0)
		qsort(causes->items, causes->count, sizeof *causes->items,
			by_entity);
	return rc;
}

int causes_find(struct causes **out, struct reader *live, struct reader *built,
	const struct decoder *limits, struct fault *fault)
{
	struct causes *causes = calloc(1, sizeof *causes);
	*out = causes;
	if (causes == NULL)
		return no_memory(fault);
	causes->live = live;
	causes->built = built;
	causes->limits = *limits;
	return find_all(causes, fault);
}

void causes_free(struct causes *causes)
{
	if (causes == NULL)
		return;
	free(causes->items);
	arena_finish(&causes->arena);
	free(causes);
}

static bool has_feature(const struct cause *cause, const char *name)
{
	bool found = cause->whole;
	for (size_t i = 0; !found && i < cause->feature_count; i++)
		found = strcmp(cause->features[i], name) == 0;
	return found;
}

static const char *name_of(const struct difference *one)
{
	return one->left_feature != NULL ? one->left_feature->name
					 : one->right_feature->name;
}

static const char *by_letter(
	const struct causes *causes, const struct difference *one)
{
	const struct cause wanted = {.view = one->view, .entity = one->entity};
	size_t low = 0, high = causes->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_entity(&causes->items[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	while (low < causes->count &&
		by_entity(&causes->items[low], &wanted) == 0) {
		if (has_feature(&causes->items[low], name_of(one)))
			return causes->items[low].text;
		low++;
	}
	return NULL;
}

static bool is_set(const struct cell *cell)
{
	return cell != NULL && cell->value.state != VALUE_UNSET;
}

/* The new one's value is of a record that the live one passed over. */
static const char *by_gap(struct causes *causes, const struct difference *one)
{
	if (!is_set(one->right))
		return NULL;
	const struct version *version = &one->right->version;
	const struct log *log = version->log;
	int64_t age = log_age(&causes->built_status, log);
	for (size_t i = 0; i < causes->gap_count; i++) {
		const struct gap *gap = &causes->gaps[i];
		if (gap->partition != log->partition || gap->age != age ||
			version->offset < gap->from ||
			version->offset >= gap->to ||
			strcmp(gap->topic, log->topic) != 0)
			continue;
		(void)snprintf(causes->said, SAID_BYTES,
			"gap %" PRId64 " to %" PRId64 " of %s:%" PRId32
			" accepted",
			gap->from, gap->to, gap->topic, gap->partition);
		return causes->said;
	}
	return NULL;
}

/* The live one's value is of a record that the log did not give again. */
static const char *by_loss(struct causes *causes, const struct difference *one)
{
	if (!is_set(one->left))
		return NULL;
	const struct log *log = one->left->version.log;
	int64_t age = log_age(&causes->live_status, log);
	const struct reader_status *status = &causes->built_status;
	int64_t first = INT64_MAX;
	for (size_t i = 0; i < status->partition_count; i++) {
		const struct log *other = &status->partitions[i].log;
		if (other->partition == log->partition &&
			strcmp(other->topic, log->topic) == 0 &&
			log_age(status, other) == age)
			first = status->partitions[i].accounts.first_offset;
	}
	if (one->left->version.offset >= first)
		return NULL;
	(void)snprintf(causes->said, SAID_BYTES,
		"%s:%" PRId32 "@%" PRId64 " was not taken again", log->topic,
		log->partition, one->left->version.offset);
	return causes->said;
}

const char *causes_of(struct causes *causes, const struct difference *one)
{
	const char *found = by_letter(causes, one);
	if (found == NULL)
		found = by_gap(causes, one);
	return found != NULL ? found : by_loss(causes, one);
}
