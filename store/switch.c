/* The switch: the owner turns from one generation to another. */
#include "store/carry.h"
#include "store/damage.h"
#include "store/decisions.h"
#include "store/failpoint.h"
#include "store/handover.h"
#include "store/tables.h"
#include "store/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* One change of a generation's own file, in a transaction. */
static int finish(struct store *store, int rc, struct fault *fault)
{
	if (rc == 0)
		rc = store_commit(store, fault);
	if (rc < 0)
		store_rollback(store);
	if (rc == STORE_OUTCOME_UNKNOWN)
		return fault_wrap(fault, FAULT_BUSY,
			"nobody knows whether generation %s took this: try "
			"again",
			store->layout.generation);
	return rc;
}

static int note_state(struct store *store, enum generation_state state,
	const char *peer, struct fault *fault)
{
	int rc = store_begin(store, fault);
	if (rc == 0)
		rc = generation_note(store->db, state, peer, fault);
	return finish(store, rc, fault);
}

int store_complete(struct store *store, struct fault *fault)
{
	assert(store->role == ROLE_BUILD);
	int rc = store_refresh(store, fault);
	return rc < 0 ? rc : note_state(store, GENERATION_COMPLETE, "", fault);
}

static int check_complete(struct store *store, struct fault *fault)
{
	enum generation_state state;
	const char *peer;
	arena_reset(&store->batch_arena);
	int rc = generation_read(
		store->db, &state, &peer, &store->batch_arena, fault);
	/* A live one that the link does not lead to was replaced when it could
	 * not be opened. */
	if (rc < 0 || state != GENERATION_BUILDING)
		return rc;
	return fault_set(fault, FAULT_REFUSED,
		"generation %s is not complete: `holdfast rebuild` goes on "
		"with it",
		store->layout.generation);
}

static int check_stands(const struct store *successor,
	const struct store_partition *live, struct fault *fault)
{
	const struct store_partition *there = partitions_find(
		&successor->partitions, live->log.topic, live->log.partition);
	if (there == NULL ||
		there->accounts.next_offset == live->accounts.next_offset)
		return 0;
	return fault_set(fault, FAULT_REFUSED,
		"%s:%" PRId32 ": generation %s is at offset %" PRId64
		", the live one at %" PRId64 ": take it there first",
		live->log.topic, live->log.partition,
		successor->layout.generation, there->accounts.next_offset,
		live->accounts.next_offset);
}

/* Nobody decided anything since. */
static int check_carried(
	struct store *live, struct store *successor, struct fault *fault)
{
	const char *now = "", *then = "";
	struct arena arena = ARENA_INIT;
	int rc = carry_stamp(live->db, &now, &arena, fault);
	if (rc == 0)
		rc = meta_get_text(
			successor->db, META_CARRIED, &then, &arena, fault);
	if (rc == 0 && strcmp(now, then) != 0)
		rc = fault_set(fault, FAULT_REFUSED,
			"what is live changed since generation %s took it over",
			successor->layout.generation);
	arena_finish(&arena);
	return rc;
}

static int check_exactly(
	struct store *live, struct store *successor, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < live->partitions.count; i++) {
		const struct store_partition *one = live->partitions.items[i];
		if (partitions_find(&live->partitions, one->log.topic,
			    one->log.partition) == one)
			rc = check_stands(successor, one, fault);
	}
	return rc < 0 ? rc : check_carried(live, successor, fault);
}

/* Only the newest incarnation takes records. Where somebody stopped it before,
 * that lasts: no resume of what was rolled back ends it. */
static int is_ours_to_stop(struct store *store,
	const struct store_partition *partition, struct fault *fault)
{
	const char *reason;
	const struct log *log = &partition->log;
	if (partitions_find(&store->partitions, log->topic, log->partition) !=
		partition)
		return 0;
	int rc = store_why_stopped(
		store, log, &store->batch_arena, &reason, fault);
	if (rc <= 0)
		return rc < 0 ? rc : 1;
	return strcmp(reason, STOP_PAUSED) != 0 &&
	       strcmp(reason, STOP_FLOOD) != 0;
}

static int stop_all(
	struct store *store, const struct store_switch *to, struct fault *fault)
{
	int64_t now_us = to->decision == NULL ? 0 : to->decision->at_us;
	int rc = 0;
	if (store->partitions.count == 0)
		return fault_set(fault, FAULT_REFUSED,
			"generation %s has taken no record of any partition: "
			"there is nothing to go back to",
			store->layout.generation);
	for (size_t i = 0; rc == 0 && i < store->partitions.count; i++) {
		const struct log *log = &store->partitions.items[i]->log;
		rc = is_ours_to_stop(store, store->partitions.items[i], fault);
		if (rc <= 0)
			continue;
		const struct store_stop stop = {.log = log,
			.reason = to->stop_reason,
			.detail = to->stop_detail,
			.since_us = now_us,
			.log_start = LOG_START_UNKNOWN};
		rc = store_put_stop(store, &stop, fault);
	}
	return rc;
}

static int take_over(struct store *successor,
	const struct handover_source *from, const struct store_switch *to,
	struct fault *fault)
{
	struct handover ignored;
	struct handover *out = to->handover == NULL ? &ignored : to->handover;
	return handover_take(successor, from, out, fault);
}

/* What it is from now on, with its stops and its record: one transaction.
 * `from` NULL: it has what was decided already. */
static int make_ready(struct store *successor, const char *live,
	const struct handover_source *from, const struct store_switch *to,
	struct fault *fault)
{
	int rc = store_begin(successor, fault);
	if (rc == 0)
		rc = generation_note(
			successor->db, GENERATION_READY, live, fault);
	if (rc == 0 && from != NULL)
		rc = take_over(successor, from, to, fault);
	if (rc == 0 && to->stop_reason != NULL)
		rc = stop_all(successor, to, fault);
	if (rc == 0)
		rc = store_note(successor, to->decision, live,
			successor->layout.generation, fault);
	return finish(successor, rc, fault);
}

static int open_successor(struct store **out,
	const struct store_options *options, int lock,
	const struct store_switch *to, struct fault *fault)
{
	const struct place place = {.generation = to->generation, .lock = lock};
	int rc = store_open_at(out, options, &place, fault);
	if (rc == 0)
		rc = check_complete(*out, fault);
	return rc;
}

/* The switch failed with `rc`: the live one goes on, unless it is sealed and
 * stays so. Then nobody may go on: the next start knows which of the two is
 * the live one, and this process does not. */
static int lift_seal(struct store *live, int rc, struct fault *fault)
{
	enum generation_state state;
	const char *peer;
	arena_reset(&live->batch_arena);
	int read = generation_read(
		live->db, &state, &peer, &live->batch_arena, NULL);
	if (read == 0 &&
		(state != GENERATION_SEALED ||
			note_state(live, GENERATION_LIVE, "", NULL) == 0))
		return rc;
	return fault_wrap(fault, FAULT_IO,
		"generation %s is sealed, its successor did not take its "
		"place, and the seal can't be lifted: the next start does "
		"either",
		live->layout.generation);
}

/* From here on a crash leaves the one or the other. */
static int turn(struct store *live, struct store *successor,
	const struct store_switch *to, struct fault *fault)
{
	const char *name = successor->layout.generation;
	struct damage damage;
	damage_read(live->layout.database, &damage);
	const struct handover_source from = {.db = live->db,
		.schema = damage.found ? NULL : live->identity.schema};
	int rc = make_ready(successor, live->layout.generation,
		to->exactly ? NULL : &from, to, fault);
	failpoint("switch_ready");
	if (rc < 0) /* a successor without a seal on its peer means nothing */
		return rc;
	rc = note_state(live, GENERATION_SEALED, name, fault);
	failpoint("switch_sealed");
	if (rc == 0)
		rc = layout_relink(&successor->layout, fault);
	failpoint("switch_linked");
	if (rc < 0)
		return rc == FAULT_IO ? rc : lift_seal(live, rc, fault);
	/* It is the live one already; where this fails, the next start notes
	 * it. */
	rc = note_state(successor, GENERATION_LIVE, "", fault);
	return rc == FAULT_IO ? rc : 0;
}

int store_switch(struct store **store, const struct store_switch *to,
	struct fault *fault)
{
	struct store *live = *store, *successor = NULL;
	int builders = -1;
	int rc = store_refresh(live, fault);
	if (rc == 0) /* a builder must not have it open */
		rc = layout_lock_build(&live->layout, &builders, fault);
	if (rc == 0)
		rc = open_successor(
			&successor, &live->options, live->lock, to, fault);
	if (rc == 0 && to->exactly)
		rc = check_exactly(live, successor, fault);
	if (rc == 0)
		rc = turn(live, successor, to, fault);
	if (rc == 0) {
		successor->role = ROLE_LIVE;
		successor->lock = live->lock;
		live->lock = -1;
		*store = successor;
		successor = live;
	}
	store_close(successor);
	if (builders >= 0)
		close(builders);
	return rc;
}

int store_reopen(struct store **store, struct fault *fault)
{
	struct store *old = *store;
	struct store_options options = old->options;
	char path[PATH_MAX];
	memcpy(path, old->layout.directory, sizeof path);
	options.path = path;
	const struct place place = {.lock = old->lock, .again = true};
	old->lock = -1;
	store_close(old);
	int rc = store_open_at(store, &options, &place, fault);
	if (rc < 0)
		close(place.lock);
	else
		(*store)->lock = place.lock;
	return rc;
}

/* The live one as far as it can be read: a file like any other to SQLite. */
static int open_unsound(
	const struct store_options *options, sqlite3 **db, struct fault *why)
{
	struct layout layout;
	bool exists = false;
	int rc = layout_find(&layout, options->path, &exists, why);
	if (rc == 0)
		rc = sql_open(db, layout.database, SQL_READ,
			options->busy_timeout_ms, why);
	return rc < 0 ? rc : tables_check(*db, layout.database, why);
}

static int make_ready_alone(struct store *successor,
	const struct store_options *options, const struct store_switch *to,
	struct fault *fault)
{
	sqlite3 *db = NULL;
	struct fault why = {0};
	bool opened = open_unsound(options, &db, &why) == 0;
	const struct handover_source from = {
		.db = opened ? db : NULL, .why = why.text};
	int rc = make_ready(successor, "", &from, to, fault);
	sqlite3_close(db);
	return rc;
}

int store_replace(const struct store_options *options,
	const struct store_switch *to, struct fault *fault)
{
	struct store *successor = NULL;
	int rc = open_successor(&successor, options, -1, to, fault);
	int builders = -1;
	if (rc == 0)
		rc = layout_lock_build(&successor->layout, &builders, fault);
	if (rc == 0)
		rc = make_ready_alone(successor, options, to, fault);
	failpoint("switch_ready");
	if (rc == 0)
		rc = layout_relink(&successor->layout, fault);
	failpoint("switch_linked");
	if (rc == 0)
		rc = note_state(successor, GENERATION_LIVE, "", fault);
	store_close(successor);
	if (builders >= 0)
		close(builders);
	return rc;
}
