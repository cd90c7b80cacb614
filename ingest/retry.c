#include "ingest/retry.h"

#include "schema/load.h"

#include <assert.h>

/* A portion is one transaction: it ends at so many letters, some 100 ms, or
 * when what was read for it takes so much memory. A dry run sees no further:
 * what one portion would leave is not there for the next. */
#define PORTION_LETTERS 5000
#define PORTION_BYTES ((size_t)16 << 20)
/* Of a letter for a whole record, whose other updates come along: no more than
 * fit a transaction at its side. */
#define FURTHER_MOST (STORE_BATCH_RECORDS_MAX - PORTION_LETTERS)

/* Letters of one transaction. */
struct portion {
	const struct retry_request *request;
	struct arena arena;
	struct retry_result *results;
	struct store_retry *retries; /* retries[0..count) */
	size_t count;
	size_t letters; /* of them with a result: places[0..letters) */
	struct {
		size_t retry;  /* index in retries */
		size_t result; /* index in results */
	} places[PORTION_LETTERS];
};

int64_t retry_wait_us(int64_t attempts, struct dice *dice)
{
	int64_t wait_us = RETRY_FIRST_US;
	for (int64_t i = 0; i < attempts && wait_us < RETRY_LAST_US; i++)
		wait_us *= 2;
	if (wait_us > RETRY_LAST_US)
		wait_us = RETRY_LAST_US;
	return wait_us + (int64_t)dice_roll(dice, (uint64_t)wait_us / 4);
}

/* The record as it is decoded now. A topic that the schema no longer has
 * carries no updates. */
static int decode(struct portion *portion, const struct record *record,
	struct store_record *out, struct fault *fault)
{
	struct store *store = portion->request->store;
	struct decoder decoder = portion->request->decoder;
	decoder.schema = store_schema(store);
	memcpy(decoder.secret, store_secret(store), SECRET_BYTES);
	const struct source_schema *source =
		schema_source(decoder.schema, record->log->topic);
	*out = (struct store_record){.record = *record,
		.decoded = {.timestamp_us = record->timestamp_us}};
	if (load_is_topic(record->log->topic) && !portion->request->how.clear)
		return load_decode(&decoder, &out->record, &portion->arena,
			&out->decoded, fault);
	return source == NULL || portion->request->how.clear
		       ? 0
		       : decode_record(&decoder, source, &out->record,
				 &portion->arena, &out->decoded, fault);
}

/* The letter's own update. One that stands for the whole record takes the
 * record's first. */
static const struct update *find_update(
	const struct letter *letter, const struct decoded *decoded)
{
	for (size_t i = 0; i < decoded->update_count; i++) {
		const struct update *update = &decoded->updates[i];
		if (!letter->has_key ||
			(update->place == letter->place &&
				slice_equal(update->view_name, letter->view)))
			return update;
	}
	return NULL;
}

static bool still_parks(
	const struct letter *letter, const struct update *update)
{
	return letter->kind == LETTER_PARKED &&
	       (update == NULL ||
		       (update->reason != REASON_NONE && update->parks));
}

static struct store_retry *add(struct portion *portion,
	const struct letter_whole *whole, const struct store_record *record,
	const struct update *update)
{
	const struct retry_request *request = portion->request;
	struct store_retry *retry = &portion->retries[portion->count++];
	*retry = (struct store_retry){
		.letter = &whole->letter,
		.record = record,
		.update = update,
		.due_us = whole->letter.due_us,
	};
	if (!request->uncounted)
		retry->due_us =
			request->now_us +
			retry_wait_us(whole->letter.attempts, request->dice);
	return retry;
}

/* The other updates of a record that could not be decoded, and now is. */
static int add_further(struct portion *portion,
	const struct letter_whole *whole, const struct store_record *record,
	struct fault *fault)
{
	const struct decoded *decoded = &record->decoded;
	if (whole->letter.has_key || decoded->update_count < 2 ||
		portion->request->how.clear)
		return 0;
	if (decoded->update_count > FURTHER_MOST)
		return fault_set(fault, FAULT_USAGE,
			"a record carries %zu updates, and one that is "
			"retried may carry %d",
			decoded->update_count, FURTHER_MOST);
	for (size_t i = 1; i < decoded->update_count; i++)
		add(portion, whole, record, &decoded->updates[i])->further =
			true;
	return 0;
}

/* What the store is told in case that this ends the process. A disk that has no
 * room for it keeps nobody from trying. */
static int note(struct portion *portion, size_t count, int64_t letter,
	struct fault *fault)
{
	if (portion->request->kind != LETTER_PARKED)
		return 0;
	int rc = store_retries(
		portion->request->store, (uint32_t)count, letter, fault);
	return rc == FAULT_FULL ? 0 : rc;
}

static int take_letter(struct portion *portion,
	const struct letter_whole *whole, size_t index, struct fault *fault)
{
	const struct letter *letter = &whole->letter;
	struct store_record *record =
		arena_take(&portion->arena, sizeof *record);
	if (record == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for letters");
	int rc = note(portion, 1, letter->id, fault);
	if (rc == 0)
		rc = decode(portion, &whole->record, record, fault);
	if (rc < 0)
		return rc;
	const struct update *update = find_update(letter, &record->decoded);
	if (portion->request->uncounted && still_parks(letter, update)) {
		portion->results[index].verdict =
			(struct retry_verdict){RETRY_PARKED, letter->reason};
		return 0;
	}
	rc = add_further(portion, whole, record, fault);
	if (rc < 0)
		return rc;
	portion->places[portion->letters].retry = portion->count;
	portion->places[portion->letters++].result = index;
	add(portion, whole, record, update);
	return 0;
}

/* Read one; it may be gone. */
static int read_letter(
	struct portion *portion, size_t index, struct fault *fault)
{
	const struct retry_request *request = portion->request;
	struct letter_whole *whole = arena_take(&portion->arena, sizeof *whole);
	if (whole == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for letters");
	int rc = store_letter(request->store, request->kind,
		request->ids[index], &portion->arena, whole, fault);
	portion->results[index] = (struct retry_result){
		.id = request->ids[index], .found = rc == 1};
	return rc == 1 ? take_letter(portion, whole, index, fault) : rc;
}

/* A record's other updates are known only when it is decoded. */
static bool is_full(const struct portion *portion)
{
	size_t most = store_retries_alone(portion->request->store)
			      ? 1
			      : PORTION_LETTERS;
	return portion->letters >= most || portion->count >= PORTION_LETTERS ||
	       portion->arena.total_bytes >= PORTION_BYTES;
}

static int send(struct portion *portion, struct fault *fault)
{
	if (portion->count == 0)
		return 0;
	struct retry_verdict *verdicts =
		arena_take(&portion->arena, portion->count * sizeof *verdicts);
	if (verdicts == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for letters");
	int rc = note(portion, portion->letters,
		portion->results[portion->places[0].result].id, fault);
	if (rc == 0)
		rc = store_retry(portion->request->store, portion->retries,
			portion->count, &portion->request->how, verdicts,
			fault);
	for (size_t i = 0; rc == 0 && i < portion->letters; i++)
		portion->results[portion->places[i].result].verdict =
			verdicts[portion->places[i].retry];
	return rc;
}

/* From letter *at on; *at moves behind the last one taken. */
static int take_portion(
	struct portion *portion, size_t *at, struct fault *fault)
{
	int rc = 0;
	arena_reset(&portion->arena);
	portion->count = portion->letters = 0;
	portion->retries = arena_take(&portion->arena,
		STORE_BATCH_RECORDS_MAX * sizeof *portion->retries);
	if (portion->retries == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for letters");
	while (rc == 0 && *at < portion->request->count && !is_full(portion))
		rc = read_letter(portion, (*at)++, fault);
	return rc < 0 ? rc : send(portion, fault);
}

int retry_letters(const struct retry_request *request,
	struct retry_result *results, struct fault *fault)
{
	assert(request->uncounted || request->dice != NULL);
	struct portion portion = {.request = request, .results = results};
	size_t at = 0;
	int rc = 0;
	while (rc == 0 && at < request->count)
		rc = take_portion(&portion, &at, fault);
	arena_finish(&portion.arena);
	int quiet = note(&portion, 0, 0, rc < 0 ? NULL : fault);
	return rc != 0 ? rc : quiet;
}
