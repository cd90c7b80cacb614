#include "ingest/keeper.h"

#include "ingest/breaker.h"
#include "store/decisions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
/* While records come: having nothing in flight has its price. */
#define EVERY_US SECOND_US
#define BUSY_EVERY_US (5 * SECOND_US) /* where nothing looks urgent */
#define BUSY_RECORDS 20000	      /* since the last time */
/* Urgent: so large a part of dead_share_max among all that came. One partition
 * of several may be what it comes from. */
#define URGENT_PART 0.25
#define CLEAR_EVERY_US (60 * SECOND_US)
/* While a partition waits for it; each look walks through the letters. */
#define CLEAR_FULL_EVERY_US (5 * SECOND_US)
#define CLEAR_LETTERS 500 /* at once */

/* A partition as it was when it was looked at last. */
struct watched {
	int64_t taken, dead, parked;
	struct breaker breaker;
	/* stopped for it, as far as we know */
	bool tripped;
	bool full[2]; /* by letter_kind */
};

struct keeper {
	struct keeper_options options;
	struct retry_queue *queue;
	struct watched *watched; /* by index of the store's partitions */
	size_t watched_count;
	struct arena arena;
	int64_t attended_us; /* monotonic */
	int64_t cleared_us;  /* monotonic: looked for letters that may go */
	int64_t hindered_us; /* monotonic: nothing before that; else 0 */
	/* since then */
	int64_t batches, records, dead, parked;
	int64_t bytes[2];      /* by letter_kind */
	int64_t room;	       /* so many more may be parked, and */
	int64_t room_bytes[2]; /* so many bytes come, before a topic is full */
	size_t full[2];	       /* partitions that wait for room */
};

static const char *const full_words[] = {
	[LETTER_DEAD] = STOP_DEAD_FULL,
	[LETTER_PARKED] = STOP_FULL,
};

static bool somebody_waits(const struct keeper *keeper)
{
	return keeper->full[LETTER_DEAD] + keeper->full[LETTER_PARKED] > 0;
}

struct keeper_options keeper_options_default(void)
{
	return (struct keeper_options){
		.retry_attempts = KEEPER_RETRY_ATTEMPTS,
		.limits = {KEEPER_PARKED_MAX, KEEPER_PARKED_MAX_BYTES,
			KEEPER_DEAD_MAX_BYTES},
		.dead_keep_us = KEEPER_DEAD_KEEP_US,
		.dead_share_max = KEEPER_DEAD_SHARE_MAX,
	};
}

static int64_t now_us(const struct keeper *keeper)
{
	struct clock *clock = keeper->options.clock;
	return clock->monotonic_us(clock);
}

static int64_t wall_us(const struct keeper *keeper)
{
	struct clock *clock = keeper->options.clock;
	return clock->wall_us(clock);
}

static void tell(const struct keeper *keeper, const char *text)
{
	if (keeper->options.notice != NULL)
		keeper->options.notice(keeper->options.payload, text);
}

/* What happens from here on is the next look's. */
static void note(struct watched *watched, const struct store_accounts *accounts)
{
	watched->taken = accounts->taken;
	watched->dead = accounts->dispositions[DISPOSITION_DEAD];
	watched->parked = accounts->dispositions[DISPOSITION_PARKED];
}

static const struct store_partition *partition_at(
	const struct keeper *keeper, size_t index)
{
	return store_partition_at(keeper->options.store, index);
}

static struct letter_load load_of(
	const struct keeper *keeper, const struct log *log)
{
	return letter_load_of(keeper->options.store, log->topic);
}

static int why_stopped(struct keeper *keeper, const struct log *log,
	const char **reason, struct fault *fault)
{
	arena_reset(&keeper->arena);
	*reason = "";
	return store_why_stopped(
		keeper->options.store, log, &keeper->arena, reason, fault);
}

/* Watch the partitions that were added; those that were there at the start,
 * from what they had then. */
static int watch_all(struct keeper *keeper, struct fault *fault)
{
	size_t count = store_partition_count(keeper->options.store);
	if (count == keeper->watched_count)
		return 0;
	struct watched *larger =
		realloc(keeper->watched, count * sizeof *larger);
	if (larger == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for partitions");
	keeper->watched = larger;
	for (; keeper->watched_count < count; keeper->watched_count++)
		larger[keeper->watched_count] = (struct watched){0};
	return 0;
}

static int watch_first(struct keeper *keeper, struct fault *fault)
{
	int rc = watch_all(keeper, fault);
	for (size_t i = 0; rc >= 0 && i < keeper->watched_count; i++) {
		const struct store_partition *partition =
			partition_at(keeper, i);
		const char *reason;
		note(&keeper->watched[i], &partition->accounts);
		rc = why_stopped(keeper, &partition->log, &reason, fault);
		for (int kind = LETTER_DEAD; kind <= LETTER_PARKED; kind++) {
			bool full = strcmp(reason, full_words[kind]) == 0;
			keeper->watched[i].full[kind] = full;
			keeper->full[kind] += full;
		}
	}
	return rc < 0 ? rc : 0;
}

int keeper_open(struct keeper **out, const struct keeper_options *options,
	struct fault *fault)
{
	*out = NULL;
	struct keeper *keeper = calloc(1, sizeof *keeper);
	if (keeper == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for letters");
	keeper->options = *options;
	keeper->attended_us = now_us(keeper);
	keeper->cleared_us = now_us(keeper) - CLEAR_EVERY_US;
	const struct retry_queue_options queue = {options->store,
		options->decoder, options->retry_attempts, options->seed};
	int rc = retry_queue_open(&keeper->queue, &queue, fault);
	if (rc == 0)
		rc = watch_first(keeper, fault);
	/* Who waits for room is not started: is there some by now? */
	if (somebody_waits(keeper))
		keeper->attended_us -= BUSY_EVERY_US;
	if (rc < 0)
		keeper_close(keeper);
	else
		*out = keeper;
	return rc;
}

void keeper_close(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	retry_queue_close(keeper->queue);
	arena_finish(&keeper->arena);
	free(keeper->watched);
	free(keeper);
}

void keeper_landed(struct keeper *keeper, const struct store_tally *tally)
{
	int64_t parked = tally->dispositions[DISPOSITION_PARKED];
	keeper->batches++;
	keeper->records += tally->records;
	keeper->dead += tally->dispositions[DISPOSITION_DEAD];
	keeper->parked += parked;
	for (int kind = LETTER_DEAD; kind <= LETTER_PARKED; kind++)
		keeper->bytes[kind] += tally->letter_bytes[kind];
	if (parked > 0)
		retry_queue_expect(
			keeper->queue, wall_us(keeper) + RETRY_FIRST_US);
}

static bool is_short(const struct keeper *keeper, enum letter_kind kind)
{
	return keeper->bytes[kind] > 0 &&
	       keeper->bytes[kind] >= keeper->room_bytes[kind];
}

/* May a partition have to stop at once? Each look costs what is in flight. */
static bool is_urgent(const struct keeper *keeper)
{
	double many = URGENT_PART * keeper->options.dead_share_max *
		      (double)keeper->records;
	bool flood =
		keeper->dead >= BREAKER_DEAD_MIN && (double)keeper->dead > many;
	return flood ||
	       (keeper->parked > 0 && keeper->parked >= keeper->room) ||
	       is_short(keeper, LETTER_DEAD) || is_short(keeper, LETTER_PARKED);
}

bool keeper_wants(const struct keeper *keeper)
{
	int64_t at_us = now_us(keeper);
	int64_t since_us = at_us - keeper->attended_us;
	if (at_us < keeper->hindered_us)
		return false;
	if (is_urgent(keeper))
		return true;
	if ((keeper->batches == 0 || since_us >= EVERY_US) &&
		retry_queue_is_due(keeper->queue, wall_us(keeper)))
		return true;
	bool busy = keeper->records >= BUSY_RECORDS;
	return since_us >= (busy ? BUSY_EVERY_US : EVERY_US) &&
	       (keeper->dead > 0 || somebody_waits(keeper) ||
		       at_us - keeper->cleared_us >= CLEAR_EVERY_US);
}

/* Unless it is stopped already, for whatever reason. 1: it is now. */
static int stop(struct keeper *keeper, const struct store_stop *stop,
	struct fault *fault)
{
	const char *held;
	int rc = why_stopped(keeper, stop->log, &held, fault);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = store_stop_partition(keeper->options.store, stop, NULL, fault);
	if (rc < 0)
		return rc;
	struct fault text;
	fault_set(&text, FAULT_LOG, "%s:%" PRId32 " stopped, %s: %s",
		stop->log->topic, stop->log->partition, stop->reason,
		stop->detail);
	tell(keeper, text.text);
	return keeper->options.until_end
		       ? fault_set(fault, FAULT_LOG, "%s", text.text)
		       : 1;
}

static int stop_flood(struct keeper *keeper, size_t index, struct fault *fault)
{
	struct watched *watched = &keeper->watched[index];
	const struct log *log = &partition_at(keeper, index)->log;
	struct fault detail;
	fault_set(&detail, FAULT_LOG,
		"%" PRId64 " of its last %" PRId64
		" records left dead letters, a larger share than "
		"ingest.dead_share_max: `holdfast dead list --topic %s` says "
		"why; when that is mended, or to be borne, run `holdfast "
		"resume %s:%" PRId32 "`",
		watched->breaker.sum.dead, watched->breaker.sum.records,
		log->topic, log->topic, log->partition);
	const struct store_stop flood = {log, STOP_FLOOD, detail.text,
		wall_us(keeper), LOG_START_UNKNOWN};
	int rc = stop(keeper, &flood, fault);
	watched->tripped |= rc == 1;
	return rc < 0 ? rc : 0;
}

static int stop_full(struct keeper *keeper, size_t index, enum letter_kind kind,
	struct fault *fault)
{
	struct watched *watched = &keeper->watched[index];
	const struct log *log = &partition_at(keeper, index)->log;
	struct letter_load load = load_of(keeper, log);
	struct fault detail;
	if (!letters_are_full(&load, &keeper->options.limits, kind))
		return 0;
	letters_describe_full(
		&load, &keeper->options.limits, kind, log->topic, &detail);
	const struct store_stop full = {log, full_words[kind], detail.text,
		wall_us(keeper), LOG_START_UNKNOWN};
	int rc = stop(keeper, &full, fault);
	if (rc == 1) {
		keeper->full[kind] += !watched->full[kind];
		watched->full[kind] = true;
	}
	return rc < 0 ? rc : 0;
}

/* Somebody resumed it: what it brought before is forgiven. */
static int forgive(struct keeper *keeper, size_t index, struct fault *fault)
{
	struct watched *watched = &keeper->watched[index];
	const char *reason;
	if (!watched->tripped)
		return 0;
	int rc = why_stopped(
		keeper, &partition_at(keeper, index)->log, &reason, fault);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	watched->tripped = false;
	watched->breaker = (struct breaker){0};
	return 0;
}

/* What a partition brought since the last look. */
static int look(struct keeper *keeper, size_t index, struct fault *fault)
{
	struct watched *watched = &keeper->watched[index];
	const struct store_accounts *accounts =
		&partition_at(keeper, index)->accounts;
	int64_t dead = accounts->dispositions[DISPOSITION_DEAD] - watched->dead;
	bool parks =
		accounts->dispositions[DISPOSITION_PARKED] > watched->parked;
	int rc = forgive(keeper, index, fault);
	if (rc < 0)
		return rc;
	breaker_take(&watched->breaker, accounts->taken - watched->taken,
		dead > 0 ? dead : 0); /* fewer: they were retried */
	note(watched, accounts);
	if (!watched->tripped && breaker_trips(&watched->breaker,
					 keeper->options.dead_share_max))
		rc = stop_flood(keeper, index, fault);
	if (rc == 0 && parks)
		rc = stop_full(keeper, index, LETTER_PARKED, fault);
	if (rc == 0 && dead > 0)
		rc = stop_full(keeper, index, LETTER_DEAD, fault);
	return rc;
}

static int look_at_all(struct keeper *keeper, struct fault *fault)
{
	int rc = watch_all(keeper, fault);
	for (size_t i = 0; rc == 0 && i < keeper->watched_count; i++)
		rc = look(keeper, i, fault);
	return rc;
}

static int go_on(struct keeper *keeper, size_t index, enum letter_kind kind,
	struct fault *fault)
{
	struct watched *watched = &keeper->watched[index];
	const struct log *log = &partition_at(keeper, index)->log;
	const char *reason;
	if (!watched->full[kind])
		return 0;
	struct letter_load load = load_of(keeper, log);
	if (!letters_have_room(&load, &keeper->options.limits, kind))
		return 0;
	int rc = why_stopped(keeper, log, &reason, fault);
	bool waits = rc == 1 && strcmp(reason, full_words[kind]) == 0;
	if (waits)
		rc = store_resume_partition(
			keeper->options.store, log, NULL, fault);
	if (rc < 0)
		return rc;
	watched->full[kind] = false;
	keeper->full[kind]--;
	if (!waits) /* somebody resumed or paused it meanwhile */
		return 0;
	struct fault text;
	fault_set(&text, FAULT_LOG,
		"%s:%" PRId32 " goes on: there is room for %s again",
		log->topic, log->partition,
		kind == LETTER_DEAD ? "dead letters" : "parked updates");
	tell(keeper, text.text);
	return 0;
}

/* A topic whose bytes are full already is not urgent: who brings more is found
 * by the next look. */
static void note_room(struct keeper *keeper, const struct log *log)
{
	const struct letter_limits *limits = &keeper->options.limits;
	const int64_t most[] = {[LETTER_DEAD] = limits->dead_max_bytes,
		[LETTER_PARKED] = limits->parked_max_bytes};
	struct letter_load load = load_of(keeper, log);
	if (load.parked > 0 && limits->parked_max - load.parked < keeper->room)
		keeper->room = limits->parked_max - load.parked;
	for (int kind = LETTER_DEAD; kind <= LETTER_PARKED; kind++) {
		int64_t room = most[kind] - load.bytes[kind];
		if (room > 0 && room < keeper->room_bytes[kind])
			keeper->room_bytes[kind] = room;
	}
}

/* The accounts after all was done are where the next look begins, and the
 * fullest topic says how soon that must be. */
static int finish(struct keeper *keeper, struct fault *fault)
{
	int rc = 0;
	const struct letter_limits *limits = &keeper->options.limits;
	keeper->batches = keeper->records = 0;
	keeper->dead = keeper->parked = 0;
	keeper->bytes[LETTER_DEAD] = keeper->bytes[LETTER_PARKED] = 0;
	keeper->room = limits->parked_max;
	keeper->room_bytes[LETTER_DEAD] = limits->dead_max_bytes;
	keeper->room_bytes[LETTER_PARKED] = limits->parked_max_bytes;
	for (size_t i = 0; rc == 0 && i < keeper->watched_count; i++) {
		const struct store_partition *one = partition_at(keeper, i);
		note(&keeper->watched[i], &one->accounts);
		rc = go_on(keeper, i, LETTER_PARKED, fault);
		if (rc == 0)
			rc = go_on(keeper, i, LETTER_DEAD, fault);
		if (keeper->watched[i].parked + keeper->watched[i].dead > 0)
			note_room(keeper, &one->log);
	}
	return rc;
}

/* Where dead letters are full, what somebody acknowledged leaves right away. */
static int64_t keep_us(const struct keeper *keeper)
{
	return keeper->full[LETTER_DEAD] > 0 ? 0 : keeper->options.dead_keep_us;
}

static int64_t clear_every_us(const struct keeper *keeper)
{
	return keeper->full[LETTER_DEAD] > 0 ? CLEAR_FULL_EVERY_US
					     : CLEAR_EVERY_US;
}

/* Letters that were acknowledged long ago leave, counted. */
static int clear(struct keeper *keeper, struct fault *fault)
{
	int64_t ids[CLEAR_LETTERS];
	struct retry_result results[CLEAR_LETTERS];
	if (now_us(keeper) - keeper->cleared_us < clear_every_us(keeper))
		return 0;
	int count = store_clearable(keeper->options.store,
		wall_us(keeper) - keep_us(keeper), 0, ids, CLEAR_LETTERS,
		fault);
	if (count < 0)
		return count;
	if (count < CLEAR_LETTERS)
		keeper->cleared_us = now_us(keeper);
	struct retry_request request = {
		.store = keeper->options.store,
		.decoder = keeper->options.decoder,
		.kind = LETTER_DEAD,
		.ids = ids,
		.count = (size_t)count,
		.how = {.clear = true},
		.uncounted = true,
	};
	return retry_letters(&request, results, fault);
}

/* A person may have made letters wait, and the queue is not told. */
static int ask_what_is_due(struct keeper *keeper, struct fault *fault)
{
	int64_t due_us = 0;
	if (now_us(keeper) - keeper->cleared_us < clear_every_us(keeper))
		return 0;
	int rc = store_next_due(keeper->options.store, &due_us, fault);
	if (rc == 0)
		retry_queue_expect(keeper->queue, due_us);
	return rc;
}

static int attend(struct keeper *keeper, struct fault *fault)
{
	int rc = look_at_all(keeper, fault);
	if (rc == 0)
		rc = ask_what_is_due(keeper, fault);
	if (rc == 0)
		rc = retry_queue_turn(keeper->queue, wall_us(keeper), fault);
	if (rc == 0)
		rc = clear(keeper, fault);
	return rc == 0 ? finish(keeper, fault) : rc;
}

int keeper_attend(struct keeper *keeper, struct fault *fault)
{
	int rc = attend(keeper, fault);
	keeper->attended_us = now_us(keeper);
	bool hindered = rc == FAULT_FULL || rc == FAULT_BUSY ||
			rc == STORE_OUTCOME_UNKNOWN;
	keeper->hindered_us = hindered ? keeper->attended_us + EVERY_US : 0;
	return hindered ? 0 : rc;
}
