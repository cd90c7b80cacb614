#include "tests/simulate/oracle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void oracle_init(struct oracle *oracle, int64_t window_us)
{
	*oracle = (struct oracle){.window_us = window_us};
}

void oracle_finish(struct oracle *oracle)
{
	free(oracle->letters);
	free(oracle->holders);
}

static void *grow(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room * 2 + 64;
	items = realloc(items, *room * size);
	if (items == NULL)
		abort();
	return items;
}

static struct oracle_account *account_of(
	struct oracle *oracle, int log, int incarnation)
{
	return &oracle->accounts[log][incarnation];
}

/* Records come of the newest incarnation only. */
static struct oracle_account *newest_account(struct oracle *oracle, int log)
{
	return account_of(oracle, log, oracle->incarnations[log]);
}

/* Design section 5: (event_time, topic, partition, incarnation, offset, place),
 * in that order; logs are numbered as topic and partition order them. */
static int compare(
	const struct oracle_version *a, const struct oracle_version *b)
{
	const int64_t one[] = {
		a->time_us, a->log, a->incarnation, a->offset, a->place};
	const int64_t two[] = {
		b->time_us, b->log, b->incarnation, b->offset, b->place};
	for (size_t i = 0; i < sizeof one / sizeof one[0]; i++)
		if (one[i] != two[i])
			return one[i] < two[i] ? -1 : 1;
	return 0;
}

static bool is_newer(
	const struct oracle_version *a, const struct oracle_version *b)
{
	return compare(a, b) > 0;
}

/* A delete raises the floor and unsets what is older; accumulated features with
 * a newer version stay whole. True: some did. */
static bool unset_older(
	struct oracle_row *row, const struct oracle_version *version)
{
	bool late = false;
	row->has_floor = true;
	row->floor = *version;
	for (int i = 0; i < EVENT_FEATURES; i++) {
		if (!row->has[i])
			continue;
		if (!is_newer(&row->version[i], version))
			row->has[i] = false;
		else if (i != FEATURE_LAST)
			late = true;
	}
	return late;
}

static int64_t merged(int feature, int64_t held, int64_t value)
{
	if (feature == FEATURE_SUM)
		return held + value;
	if (feature == FEATURE_MIN)
		return value < held ? value : held;
	return value;
}

static bool overflows(const struct oracle_row *row, const struct event *event)
{
	int64_t sum;
	return event->has[FEATURE_SUM] && row->has[FEATURE_SUM] &&
	       __builtin_add_overflow(row->value[FEATURE_SUM],
		       event->value[FEATURE_SUM], &sum);
}

/* True: it won. */
static bool contribute(struct oracle_row *row, const struct event *event,
	int feature, const struct oracle_version *version)
{
	struct oracle_version *held = &row->version[feature];
	bool newer = !row->has[feature] || is_newer(version, held);
	if (feature == FEATURE_LAST && !newer)
		return false;
	row->value[feature] = row->has[feature]
				      ? merged(feature, row->value[feature],
						event->value[feature])
				      : event->value[feature];
	if (newer)
		*held = *version;
	row->has[feature] = true;
	return true;
}

static enum oracle_fate upsert(struct oracle_row *row,
	const struct event *event, const struct oracle_version *version)
{
	bool won = false;
	if (overflows(row, event))
		return ORACLE_DEAD;
	for (int i = 0; i < EVENT_FEATURES; i++)
		if (event->has[i])
			won |= contribute(row, event, i, version);
	return won ? ORACLE_APPLIED : ORACLE_SUPERSEDED;
}

/* The update as it came in time. */
static enum oracle_fate merge(struct oracle_row *row, const struct event *event,
	const struct oracle_version *version, bool *late)
{
	if (row->has_floor && !is_newer(version, &row->floor))
		return ORACLE_SUPERSEDED;
	if (event->op == OP_UPSERT)
		return upsert(row, event, version);
	*late = unset_older(row, version);
	struct event rest = *event;
	for (int i = 0; i < EVENT_FEATURES; i++)
		if (event->op == OP_DELETE ||
			(i != FEATURE_LAST && row->has[i]))
			rest.has[i] = false;
	(void)upsert(row, &rest, version);
	return ORACLE_APPLIED;
}

/* Same key: view, place, id. The newest holder. */
static struct oracle_holder *find_holder(
	struct oracle *oracle, const struct event *event)
{
	for (size_t i = oracle->holder_count; i-- > 0;) {
		const struct event *held = oracle->holders[i].event;
		if (held != NULL && held->view == event->view &&
			held->place == event->place && held->id == event->id)
			return &oracle->holders[i];
	}
	return NULL;
}

static bool is_same_content(const struct event *a, const struct event *b)
{
	for (int i = 0; i < EVENT_FEATURES; i++)
		if (a->has[i] != b->has[i] ||
			(a->has[i] && a->value[i] != b->value[i]))
			return false;
	return a->op == b->op && a->entity == b->entity &&
	       a->time_us == b->time_us && a->broken == b->broken;
}

static long add_letter(
	struct oracle *oracle, const struct oracle_letter *letter)
{
	oracle->letters = grow(oracle->letters, oracle->letter_count,
		&oracle->letter_room, sizeof *oracle->letters);
	oracle->letters[oracle->letter_count] = *letter;
	return (long)oracle->letter_count++;
}

static void add_holder(
	struct oracle *oracle, const struct oracle_holder *holder)
{
	oracle->holders = grow(oracle->holders, oracle->holder_count,
		&oracle->holder_room, sizeof *oracle->holders);
	oracle->holders[oracle->holder_count++] = *holder;
}

static enum oracle_fate judge_content(struct oracle *oracle,
	const struct event *event, const struct oracle_version *version,
	struct oracle_letter *letter)
{
	bool late = false;
	if (event->view == VIEW_NOWHERE) {
		letter->reason = "unknown_view";
		letter->parked = true;
		return ORACLE_PARKED;
	}
	letter->reason = event->broken;
	if (event->broken != NULL)
		return ORACLE_DEAD;
	letter->reason = "overflow";
	enum oracle_fate fate = merge(&oracle->rows[event->view][event->entity],
		event, version, &late);
	account_of(oracle, version->log, version->incarnation)->late += late;
	return fate;
}

/* By retry a delete that would leave newer contributions whole is refused
 * (design section 5). */
static enum oracle_fate judge(struct oracle *oracle, const struct event *event,
	const struct oracle_version *version, struct oracle_letter *letter)
{
	int64_t *late =
		&account_of(oracle, letter->log, letter->incarnation)->late;
	int64_t before = *late;
	bool known = event->view != VIEW_NOWHERE;
	struct oracle_row *row =
		known ? &oracle->rows[event->view][event->entity] : NULL;
	struct oracle_row held = {0};
	if (known)
		held = *row;
	enum oracle_fate fate = judge_content(oracle, event, version, letter);
	if (!letter->retried || *late == before)
		return fate;
	*late = before;
	*row = held;
	letter->reason = "late_delete";
	return ORACLE_DEAD;
}

static bool counts(const struct oracle *oracle,
	const struct oracle_holder *held, const struct event_record *record)
{
	return held->stays ||
	       llabs(held->time_us - record->time_us) <= oracle->window_us;
}

/* Design section 4: the window is asked before the content is judged. `letter`
 * says why, where it is dead or parked; *holds: it has its key. */
static enum oracle_fate ask(struct oracle *oracle,
	const struct event_record *record, const struct event *event,
	struct oracle_letter *letter, bool *holds)
{
	struct oracle_holder *held = find_holder(oracle, event);
	*holds = false;
	if (held != NULL && counts(oracle, held, record)) {
		if (is_same_content(held->event, event))
			return ORACLE_DUPLICATE;
		if (held->letter < 0) {
			letter->reason = "key_reused";
			return ORACLE_DEAD;
		}
		oracle->letters[held->letter].overtaken = true;
	}
	/* One holder a key: whoever was it gives way. */
	if (held != NULL)
		*held = (struct oracle_holder){.letter = -1};
	*holds = true;
	struct oracle_version version = {event->time_us, letter->log,
		letter->incarnation, record->offset, event->place};
	return judge(oracle, event, &version, letter);
}

static enum oracle_fate take_event(struct oracle *oracle, int log,
	const struct event_record *record, const struct event *event)
{
	struct oracle_letter letter = {.log = log,
		.incarnation = oracle->incarnations[log],
		.offset = record->offset,
		.place = event->place};
	bool holds;
	enum oracle_fate fate = ask(oracle, record, event, &letter, &holds);
	struct oracle_holder holder = {event, record->time_us, -1, false};
	if (fate == ORACLE_DEAD || fate == ORACLE_PARKED) {
		long number = add_letter(oracle, &letter);
		holder.letter = fate == ORACLE_DEAD ? number : -1;
		holder.stays = true;
	}
	if (holds)
		add_holder(oracle, &holder);
	return fate;
}

static long find_letter(const struct oracle *oracle, int log, int incarnation,
	int64_t offset, int place)
{
	for (size_t i = 0; i < oracle->letter_count; i++) {
		const struct oracle_letter *letter = &oracle->letters[i];
		if (letter->log == log && letter->incarnation == incarnation &&
			letter->offset == offset && letter->place == place &&
			!letter->left)
			return (long)i;
	}
	return -1;
}

static void give_key_back(struct oracle *oracle, long letter)
{
	for (size_t i = 0; i < oracle->holder_count; i++)
		if (oracle->holders[i].letter == letter)
			oracle->holders[i] = (struct oracle_holder){
				.event = NULL, .letter = -1};
}

void oracle_retry(struct oracle *oracle, int log, int incarnation,
	const struct event_record *record, int place)
{
	long number =
		find_letter(oracle, log, incarnation, record->offset, place);
	oracle->decisions++;
	if (number < 0 || record->undecodable != NULL ||
		oracle->letters[number].overtaken)
		return;
	const struct event *event = &record->events[place];
	struct oracle_letter letter = oracle->letters[number];
	bool forced = strcmp(letter.reason, "key_reused") == 0, holds = false;
	const struct oracle_version version = {
		event->time_us, log, incarnation, record->offset, event->place};
	letter.retried = true;
	give_key_back(oracle, number);
	enum oracle_fate fate =
		forced ? judge(oracle, event, &version, &letter)
		       : ask(oracle, record, event, &letter, &holds);
	/* Its key stays another event's: never retried without force (design
	 * section 4), it can't wait. */
	if (forced && fate == ORACLE_PARKED)
		fate = ORACLE_DEAD;
	if (forced) {
		letter.reason = "key_reused";
		letter.parked = false;
	}
	bool dead = fate == ORACLE_DEAD;
	letter.retried = false;
	letter.left = !dead && fate != ORACLE_PARKED;
	oracle->letters[number] = letter;
	struct oracle_holder holder = {event, record->time_us,
		dead ? number : -1, dead || fate == ORACLE_PARKED};
	if (holds)
		add_holder(oracle, &holder);
	struct oracle_account *account = account_of(oracle, log, incarnation);
	account->fates[ORACLE_DEAD]--;
	account->fates[fate]++;
}

void oracle_clear(struct oracle *oracle, int log, int incarnation,
	int64_t offset, int place)
{
	long number = find_letter(oracle, log, incarnation, offset, place);
	oracle->decisions++;
	if (number < 0)
		return;
	give_key_back(oracle, number);
	oracle->letters[number].left = true;
	account_of(oracle, log, incarnation)->cleared++;
}

void oracle_accept_gap(struct oracle *oracle, int log, int64_t next_offset)
{
	struct oracle_account *account = newest_account(oracle, log);
	oracle->decisions++;
	account->lost += next_offset - account->next;
	account->next = next_offset;
}

void oracle_new_log(struct oracle *oracle, int log, int64_t first_offset)
{
	oracle->decisions++;
	assert(oracle->incarnations[log] + 1 < EVENT_INCARNATIONS);
	oracle->incarnations[log]++;
	struct oracle_account *account = newest_account(oracle, log);
	account->first = account->next = first_offset;
}

void oracle_take(
	struct oracle *oracle, int log, const struct event_record *record)
{
	struct oracle_account *account = newest_account(oracle, log);
	if (record->offset < account->next) {
		account->redelivered++;
		return;
	}
	account->gaps += record->offset - account->next;
	account->next = record->offset + 1;
	account->taken++;
	if (record->undecodable != NULL) {
		const struct oracle_letter letter = {.log = log,
			.incarnation = oracle->incarnations[log],
			.offset = record->offset,
			.reason = record->undecodable};
		(void)add_letter(oracle, &letter);
		account->updates++;
		account->fates[ORACLE_DEAD]++;
		return;
	}
	account->skipped += record->count == 0;
	for (size_t i = 0; i < record->count; i++) {
		account->updates++;
		account->fates[take_event(
			oracle, log, record, &record->events[i])]++;
	}
}

void oracle_end(struct oracle *oracle, int log, int64_t next_offset)
{
	struct oracle_account *account = newest_account(oracle, log);
	if (next_offset <= account->next)
		return;
	account->gaps += next_offset - account->next;
	account->next = next_offset;
}
