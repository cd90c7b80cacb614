#include "tests/lib/twin.h"

#include "schema/merge.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct twin {
	const struct schema *schema;
	int64_t key_window_us;
	struct arena memory;
	struct store_partition **partitions; /* by log id - 1 */
	size_t partition_count;
	struct twin_entity *entities;
	size_t entity_count;
	struct twin_key *keys; /* one holder a key */
	size_t key_count;
	struct twin_letter *letters;
	size_t letter_count;
	twin_told *told; /* NULL: nobody */
	void *payload;
};

/* Tests run out of patience before they run out of memory. */
static void *needed(void *memory)
{
	assert(memory != NULL);
	return memory;
}

/* One more element at the end of an array of `count`, zeroed. */
static void *append(void **items, size_t *count, size_t size)
{
	*items = needed(realloc(*items, (*count + 1) * size));
	return memset((char *)*items + (*count)++ * size, 0, size);
}

int twin_open(struct twin **out, const struct store_options *options,
	struct fault *fault)
{
	(void)fault;
	struct twin *twin = needed(calloc(1, sizeof *twin));
	twin->schema = options->schema;
	twin->key_window_us = options->key_window_us;
	*out = twin;
	return 0;
}

void twin_close(struct twin *twin)
{
	if (twin == NULL)
		return;
	for (size_t i = 0; i < twin->partition_count; i++)
		free(twin->partitions[i]);
	free(twin->partitions);
	free(twin->entities);
	free(twin->keys);
	free(twin->letters);
	arena_finish(&twin->memory);
	free(twin);
}

const struct schema *twin_schema(const struct twin *twin)
{
	return twin->schema;
}

int twin_partition(struct twin *twin, const char *topic, int32_t partition,
	int64_t log_start, const struct store_partition **out,
	struct fault *fault)
{
	(void)fault;
	for (size_t i = 0; i < twin->partition_count; i++) {
		*out = twin->partitions[i];
		if ((*out)->log.partition == partition &&
			strcmp((*out)->log.topic, topic) == 0)
			return 0;
	}
	struct store_partition *made = needed(calloc(1, sizeof *made));
	void *items = twin->partitions;
	struct store_partition **slot = append(&items, &twin->partition_count,
		sizeof(struct store_partition *));
	*slot = made;
	twin->partitions = items;
	made->log = (struct log){
		.topic = arena_copy(&twin->memory, slice_of(topic)).data,
		.partition = partition,
		.id = (uint32_t)twin->partition_count,
	};
	made->accounts.first_offset = log_start;
	made->accounts.next_offset = log_start;
	made->record_time_us = TIMESTAMP_NONE;
	made->as_of_us = TIMESTAMP_NONE;
	*out = made;
	return 0;
}

/* The twin's partition of a log that may be another store's. */
static struct store_partition *own_partition(
	const struct twin *twin, const struct log *log)
{
	assert(log->id >= 1 && log->id <= twin->partition_count);
	struct store_partition *partition = twin->partitions[log->id - 1];
	assert(strcmp(partition->log.topic, log->topic) == 0);
	assert(partition->log.partition == log->partition);
	return partition;
}

void twin_identify(
	struct twin *twin, const struct log *log, const char *cluster_id)
{
	struct store_partition *partition = own_partition(twin, log);
	int length = snprintf(
		partition->cluster_id, STORE_NAME_MAX, "%s", cluster_id);
	assert(length < STORE_NAME_MAX);
}

static size_t own_view(const struct twin *twin, const struct view *view)
{
	const struct view *own =
		schema_view(twin->schema, slice_of(view->name));
	assert(own != NULL);
	return (size_t)(own - twin->schema->views);
}

static struct value keep_value(
	struct twin *twin, enum value_type kind, const struct value *value)
{
	struct value kept = *value;
	if (value->state == VALUE_SET && type_is_bytes(kind))
		kept.as.bytes = arena_copy(&twin->memory, value->as.bytes);
	return kept;
}

static bool same_key(
	const struct view *view, const struct value *a, const struct value *b)
{
	for (size_t i = 0; i < view->key_count; i++)
		if (!value_equal(view->keys[i].type.kind, &a[i], &b[i]))
			return false;
	return true;
}

static struct twin_entity *find_entity(
	struct twin *twin, size_t index, const struct value *key)
{
	const struct view *view = &twin->schema->views[index];
	for (size_t i = 0; i < twin->entity_count; i++)
		if (twin->entities[i].view == index &&
			same_key(view, twin->entities[i].key, key))
			return &twin->entities[i];
	void *items = twin->entities;
	struct twin_entity *made =
		append(&items, &twin->entity_count, sizeof *made);
	twin->entities = items;
	made->view = index;
	made->key = needed(
		arena_take(&twin->memory, view->key_count * sizeof *made->key));
	for (size_t i = 0; i < view->key_count; i++)
		made->key[i] =
			keep_value(twin, view->keys[i].type.kind, &key[i]);
	made->row = row_empty(view, &twin->memory);
	return made;
}

/* A copy of the update that stays. */
static struct update keep_update(
	struct twin *twin, const struct update *update, const struct view *view)
{
	struct update kept = *update;
	kept.view = view;
	kept.assignments = needed(arena_take(&twin->memory,
		update->assignment_count * sizeof *kept.assignments));
	for (size_t i = 0; i < update->assignment_count; i++) {
		const struct assignment *given = &update->assignments[i];
		kept.assignments[i].feature = given->feature;
		kept.assignments[i].value = keep_value(twin,
			view->features[given->feature].type.kind,
			&given->value);
	}
	return kept;
}

/* One update on its way. */
struct taking {
	struct store_partition *partition;
	const struct record *record;
	const struct update *update;
	int64_t record_time_us;
	enum disposition disposition;
	enum reason reason;
	bool late_delete;
};

static void merge_one(struct twin *twin, struct taking *taking)
{
	size_t view = own_view(twin, taking->update->view);
	struct update update =
		keep_update(twin, taking->update, &twin->schema->views[view]);
	struct twin_entity *entity =
		find_entity(twin, view, taking->update->entity);
	struct version version = {update.event_us, &taking->partition->log,
		taking->record->offset, update.place};
	struct merged merged =
		merge(update.view, &entity->row, &update, &version);
	taking->disposition = merged.disposition;
	taking->reason = merged.reason;
	taking->late_delete = merged.late_delete;
}

static void decide_by_content(struct twin *twin, struct taking *taking)
{
	const struct update *update = taking->update;
	taking->reason = update->reason;
	if (update->reason == REASON_NONE)
		merge_one(twin, taking);
	else
		taking->disposition =
			update->parks ? DISPOSITION_PARKED : DISPOSITION_DEAD;
}

static struct twin_key *find_key(
	const struct twin *twin, const unsigned char key[KEY_BYTES])
{
	for (size_t i = 0; i < twin->key_count; i++)
		if (memcmp(twin->keys[i].key, key, KEY_BYTES) == 0)
			return &twin->keys[i];
	return NULL;
}

/* "Two updates are the same event if their keys match and their record
 * timestamps differ by at most key_window"; "keys of parked and dead updates
 * live as long as their rows" (design sections 6 and 4). */
static bool is_within_window(const struct twin *twin,
	const struct twin_key *holder, int64_t record_time_us)
{
	if (holder->state != TWIN_TAKEN)
		return true;
	int64_t from = holder->record_time_us - twin->key_window_us;
	int64_t to = holder->record_time_us + twin->key_window_us;
	return record_time_us >= from && record_time_us <= to;
}

static void put_letter(struct twin *twin, const struct taking *taking)
{
	void *items = twin->letters;
	struct twin_letter *letter =
		append(&items, &twin->letter_count, sizeof *letter);
	twin->letters = items;
	struct slice view = taking->update->view_name;
	*letter = (struct twin_letter){
		.disposition = taking->disposition,
		.reason = taking->reason,
		.view = view.data == NULL
				? ""
				: arena_copy(&twin->memory, view).data,
		.place = taking->update->place,
		.log = taking->partition->log.id,
		.offset = taking->record->offset,
	};
}

/* Its fate is known: a letter if it has one, and the key is its. */
static void hold_key(
	struct twin *twin, struct twin_key *holder, const struct taking *taking)
{
	if (holder == NULL) {
		void *items = twin->keys;
		holder = append(&items, &twin->key_count, sizeof *holder);
		twin->keys = items;
	}
	memcpy(holder->key, taking->update->key, KEY_BYTES);
	holder->content = taking->update->content;
	holder->record_time_us = taking->record_time_us;
	holder->state = taking->disposition == DISPOSITION_DEAD ? TWIN_DEAD
			: taking->disposition == DISPOSITION_PARKED
				? TWIN_PARKED
				: TWIN_TAKEN;
	holder->letter = twin->letter_count - 1;
}

/* The key's holder is the same event, or was taken by another one. */
static bool decide_by_window(
	struct twin *twin, struct twin_key *holder, struct taking *taking)
{
	if (!is_within_window(twin, holder, taking->record_time_us))
		return false;
	if (holder->content == taking->update->content) {
		taking->disposition = DISPOSITION_DUPLICATE;
		return true;
	}
	if (holder->state == TWIN_DEAD) {
		twin->letters[holder->letter].overtaken = true;
		return false;
	}
	taking->disposition = DISPOSITION_DEAD;
	taking->reason = REASON_KEY_REUSED;
	return true;
}

static void take_update(struct twin *twin, struct taking *taking)
{
	struct twin_key *holder = taking->update->has_key
					  ? find_key(twin, taking->update->key)
					  : NULL;
	bool decided = holder != NULL && decide_by_window(twin, holder, taking);
	if (!decided)
		decide_by_content(twin, taking);
	if (taking->disposition == DISPOSITION_DEAD ||
		taking->disposition == DISPOSITION_PARKED)
		put_letter(twin, taking);
	if (!decided && taking->update->has_key)
		hold_key(twin, holder, taking);
}

static void count_update(const struct taking *taking, struct store_tally *tally)
{
	struct store_accounts *accounts = &taking->partition->accounts;
	accounts->updates++;
	accounts->dispositions[taking->disposition]++;
	tally->dispositions[taking->disposition]++;
	accounts->late_deletes += taking->late_delete;
	if (taking->disposition == DISPOSITION_APPLIED ||
		taking->disposition == DISPOSITION_SUPERSEDED)
		accounts->ignored_features += taking->update->ignored_features;
}

static void raise_time(int64_t *held_us, int64_t us)
{
	if (us != TIMESTAMP_NONE && us > *held_us)
		*held_us = us;
}

/* Of the trail the twin keeps the ends: the first record and the last. */
static void note_footprint(
	struct store_partition *partition, const struct store_record *input)
{
	struct record record = input->record;
	record.timestamp_us = input->decoded.timestamp_us;
	struct trail *trail = &partition->trail;
	if (trail->count == 1)
		trail->steps[1] = trail->steps[0];
	trail->steps[0] = trail_footprint(&record);
	trail->count += trail->count < 2;
}

static void take_record(struct twin *twin, const struct store_record *input,
	struct store_tally *tally)
{
	const struct record *record = &input->record;
	struct store_partition *partition = own_partition(twin, record->log);
	struct store_accounts *accounts = &partition->accounts;
	if (record->offset < accounts->next_offset) {
		accounts->redelivered++;
		tally->redelivered++;
		return;
	}
	tally->records++;
	accounts->taken++;
	/* Whatever lies between two records' starts is theirs or a gap. */
	accounts->gaps += record->next_offset - accounts->next_offset - 1;
	accounts->next_offset = record->next_offset;
	raise_time(&partition->record_time_us, input->decoded.timestamp_us);
	raise_time(&partition->as_of_us, input->decoded.timestamp_us);
	note_footprint(partition, input);
	if (input->decoded.update_count == 0) {
		accounts->skipped++;
		tally->skipped++;
	}
	int64_t time_us = input->decoded.timestamp_us;
	if (time_us == TIMESTAMP_NONE)
		time_us = partition->record_time_us;
	if (time_us == TIMESTAMP_NONE)
		time_us = 0;
	for (size_t i = 0; i < input->decoded.update_count; i++) {
		struct taking taking = {.partition = partition,
			.record = record,
			.update = &input->decoded.updates[i],
			.record_time_us = time_us};
		take_update(twin, &taking);
		count_update(&taking, tally);
		if (twin->told != NULL)
			twin->told(twin->payload, record, taking.update,
				taking.disposition);
	}
}

static void take_mark(struct twin *twin, const struct store_mark *mark)
{
	struct store_partition *partition = own_partition(twin, mark->log);
	struct store_accounts *accounts = &partition->accounts;
	if (mark->next_offset > accounts->next_offset) {
		accounts->gaps += mark->next_offset - accounts->next_offset;
		accounts->next_offset = mark->next_offset;
	}
	partition->as_of_us = mark->as_of_us;
}

static void take_batch(struct twin *twin, const struct store_batch *batch,
	struct store_tally *tally)
{
	*tally = (struct store_tally){0};
	for (size_t i = 0; i < batch->record_count; i++)
		take_record(twin, &batch->records[i], tally);
	for (size_t i = 0; i < batch->mark_count; i++)
		take_mark(twin, &batch->marks[i]);
}

int twin_apply(struct twin *twin, const struct store_batch *batch,
	struct store_tally *tally, struct fault *fault)
{
	(void)fault;
	struct store_tally unwanted;
	take_batch(twin, batch, tally == NULL ? &unwanted : tally);
	return STORE_DURABLE;
}

void twin_tell(struct twin *twin, twin_told *told, void *payload)
{
	twin->told = told;
	twin->payload = payload;
}

struct digest twin_digest(const struct twin *twin)
{
	struct digest sum = DIGEST_ZERO;
	for (size_t i = 0; i < twin->entity_count; i++) {
		const struct twin_entity *entity = &twin->entities[i];
		sum = digest_add(
			sum, row_hash(&twin->schema->views[entity->view],
				     entity->key, &entity->row));
	}
	return sum;
}

size_t twin_partition_count(const struct twin *twin)
{
	return twin->partition_count;
}

const struct store_partition *twin_partition_at(
	const struct twin *twin, size_t index)
{
	return twin->partitions[index];
}

size_t twin_entity_count(const struct twin *twin)
{
	return twin->entity_count;
}

const struct twin_entity *twin_entity_at(const struct twin *twin, size_t index)
{
	return &twin->entities[index];
}

size_t twin_key_count(const struct twin *twin)
{
	return twin->key_count;
}

const struct twin_key *twin_key_at(const struct twin *twin, size_t index)
{
	return &twin->keys[index];
}

const struct twin_key *twin_key_find(
	const struct twin *twin, const unsigned char key[KEY_BYTES])
{
	return find_key(twin, key);
}

size_t twin_letter_count(const struct twin *twin)
{
	return twin->letter_count;
}

const struct twin_letter *twin_letter_at(const struct twin *twin, size_t index)
{
	return &twin->letters[index];
}
