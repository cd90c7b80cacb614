#include "store/decisions.h"

#include "store/holds.h"
#include "store/meta.h"
#include "store/writer.h"

#include <inttypes.h>
#include <stdio.h>

#define HOLD_COLUMNS 4
#define STOP_COLUMNS 5
#define TARGET_BYTES (2 * SCHEMA_NAME_MAX + 2)
#define LETTERS_AT_ONCE 1000

/* What a change needs: run between BEGIN and COMMIT. Positive: there was
 * nothing to do. */
struct change {
	int (*run)(struct store *store, struct change *change,
		struct fault *fault);
	const struct decision *decision; /* NULL: nobody's */
	const char *before, *after;	 /* for the record */
	/* of the one or the other */
	const char *target;
	enum choice choice;
	const struct log *log;
	const struct store_stop *stop;
	const int64_t *ids; /* ids[0..id_count) */
	size_t id_count;
	int found;
	struct store_partition *partition; /* as it is to be */
};

static int put_row(struct store *store, const char *sql, const char *table,
	const struct column *row, size_t count, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(store->db, &statement, sql, fault);
	if (rc == 0 && !sql_bind_row(statement, table, row, count))
		rc = fault_set(fault, FAULT_OOM,
			"table %s: no memory for a row", table);
	if (rc == 0)
		rc = sql_run(statement, fault);
	sqlite3_finalize(statement);
	return rc;
}

/* The row of its key, row.columns[0]. 0: there is none. */
static int get_row(struct store *store, const char *sql, const char *table,
	struct row_room row, struct arena *arena, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(store->db, &statement, sql, fault);
	if (rc == 0)
		rc = sql_find_row(statement, table, row, arena, fault);
	sqlite3_finalize(statement);
	return rc;
}

static int delete_row(struct store *store, const char *sql,
	const struct column *key, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(store->db, &statement, sql, fault);
	if (rc == 0) {
		sql_bind(statement, key, 1);
		rc = sql_run(statement, fault);
	}
	sqlite3_finalize(statement);
	return rc;
}

int store_note(struct store *store, const struct decision *decision,
	const char *before, const char *after, struct fault *fault)
{
	int64_t id = 0;
	if (decision == NULL)
		return 0;
	int rc = sql_integer(store->db,
		"SELECT coalesce(max(id), 0) + 1 FROM _decision", &id, fault);
	if (rc < 0)
		return rc;
	const struct column row[] = {
		column_integer(id),
		column_integer(decision->at_us),
		column_text(slice_of(decision->who)),
		column_text(slice_of(decision->what)),
		column_text(slice_of(decision->target)),
		column_text(slice_of(before)),
		column_text(slice_of(after)),
		column_text(slice_of(decision->because)),
	};
	return put_row(store,
		"INSERT INTO _decision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"_decision", row, sizeof row / sizeof row[0], fault);
}

/* The change and its record, in one transaction. */
static int make(struct store *store, struct change *change, struct fault *fault)
{
	int rc = store_refresh(store, fault);
	if (rc < 0)
		return rc;
	arena_reset(&store->batch_arena);
	change->before = change->after = "";
	rc = store_begin(store, fault);
	if (rc < 0)
		return rc;
	int done = change->run(store, change, fault);
	rc = done == 0 ? store_note(store, change->decision, change->before,
				 change->after, fault)
		       : done;
	if (rc == 0)
		rc = store_commit(store, fault);
	if (rc < 0 || done != 0) {
		store_rollback(store);
		return rc;
	}
	if (rc == STORE_OUTCOME_UNKNOWN)
		return fault_wrap(fault, FAULT_BUSY,
			"nobody knows whether this is done: look at `holdfast "
			"status`, then try again");
	return rc;
}

static int check_target(struct store *store, const char *view,
	const char *feature, char out[TARGET_BYTES], struct fault *fault)
{
	const struct view *found =
		schema_view(store->identity.schema, slice_of(view));
	if (found == NULL)
		return fault_set(fault, FAULT_USAGE,
			"there is no view %s: `holdfast status` lists them",
			view);
	if (feature != NULL && view_feature(found, slice_of(feature)) < 0)
		return fault_set(fault, FAULT_USAGE,
			"view %s has no feature %s", view, feature);
	(void)snprintf(out, TARGET_BYTES, "%s%s%s", view,
		feature == NULL ? "" : ":", feature == NULL ? "" : feature);
	return 0;
}

/* What is held on change->target now: its choice's name, "" for nothing. */
static int held_now(struct store *store, const struct change *change,
	const char **out, struct fault *fault)
{
	struct column row[HOLD_COLUMNS] = {
		column_text(slice_of(change->target))};
	int rc = get_row(store, "SELECT * FROM _hold WHERE target = ?", "_hold",
		(struct row_room){row, HOLD_COLUMNS}, &store->batch_arena,
		fault);
	*out = rc == 1 ? column_as_bytes(&row[1]).data : "";
	return rc;
}

static int run_hold(
	struct store *store, struct change *change, struct fault *fault)
{
	int rc = held_now(store, change, &change->before, fault);
	if (rc < 0)
		return rc;
	change->after = choice_name(change->choice);
	const struct column row[HOLD_COLUMNS] = {
		column_text(slice_of(change->target)),
		column_text(slice_of(change->after)),
		column_text(slice_of(change->decision->because)),
		column_integer(change->decision->at_us),
	};
	return put_row(store, "REPLACE INTO _hold VALUES (?, ?, ?, ?, ?)",
		"_hold", row, HOLD_COLUMNS, fault);
}

static int run_release(
	struct store *store, struct change *change, struct fault *fault)
{
	int rc = held_now(store, change, &change->before, fault);
	if (rc <= 0)
		return rc < 0 ? rc : 1;
	const struct column key = column_text(slice_of(change->target));
	return delete_row(
		store, "DELETE FROM _hold WHERE target = ?", &key, fault);
}

int store_hold(struct store *store, const char *view, const char *feature,
	enum choice choice, const struct decision *decision,
	struct fault *fault)
{
	char target[TARGET_BYTES];
	int rc = check_target(store, view, feature, target, fault);
	struct change change = {.run = run_hold,
		.decision = decision,
		.target = target,
		.choice = choice};
	return rc < 0 ? rc : make(store, &change, fault);
}

int store_release(struct store *store, const char *view, const char *feature,
	const struct decision *decision, struct fault *fault)
{
	char target[TARGET_BYTES];
	int rc = check_target(store, view, feature, target, fault);
	struct change change = {
		.run = run_release, .decision = decision, .target = target};
	return rc < 0 ? rc : make(store, &change, fault);
}

/* 1: stopped, for *out; where its log starts in *log_start, if not NULL. */
static int stopped_now(struct store *store, const struct log *log,
	struct arena *arena, const char **out, int64_t *log_start,
	struct fault *fault)
{
	struct column row[STOP_COLUMNS] = {column_integer(log->id)};
	int rc = get_row(store, "SELECT * FROM _stop WHERE log = ?", "_stop",
		(struct row_room){row, STOP_COLUMNS}, arena, fault);
	*out = rc == 1 ? column_as_bytes(&row[1]).data : "";
	if (rc == 1 && log_start != NULL)
		*log_start = column_as_integer(&row[4]);
	return rc;
}

int store_put_stop(
	struct store *store, const struct store_stop *stop, struct fault *fault)
{
	const struct column row[STOP_COLUMNS] = {
		column_integer(stop->log->id),
		column_text(slice_of(stop->reason)),
		column_text(slice_of(stop->detail)),
		column_integer(stop->since_us),
		column_integer(stop->log_start),
	};
	return put_row(store, "REPLACE INTO _stop VALUES (?, ?, ?, ?, ?, ?)",
		"_stop", row, STOP_COLUMNS, fault);
}

static int run_stop(
	struct store *store, struct change *change, struct fault *fault)
{
	int rc = stopped_now(store, change->log, &store->batch_arena,
		&change->before, NULL, fault);
	if (rc < 0)
		return rc;
	change->after = change->stop->reason;
	return store_put_stop(store, change->stop, fault);
}

static int delete_stop(
	struct store *store, const struct log *log, struct fault *fault)
{
	const struct column key = column_integer(log->id);
	return delete_row(
		store, "DELETE FROM _stop WHERE log = ?", &key, fault);
}

static int run_resume(
	struct store *store, struct change *change, struct fault *fault)
{
	int rc = stopped_now(store, change->log, &store->batch_arena,
		&change->before, NULL, fault);
	if (rc <= 0)
		return rc < 0 ? rc : 1;
	return delete_stop(store, change->log, fault);
}

static const char *offset_print(struct store *store, int64_t offset)
{
	const char *text = arena_print(&store->batch_arena, "%" PRId64, offset);
	return text == NULL ? "" : text;
}

/* Where the log of a partition starts that is stopped for `reason`. 1: it is
 * not, or nobody knows. */
static int find_log_start(struct store *store, const struct log *log,
	const char *reason, int64_t *out, struct fault *fault)
{
	const char *now = NULL;
	int rc = stopped_now(store, log, &store->batch_arena, &now, out, fault);
	if (rc < 0)
		return rc;
	return rc == 1 && strcmp(now, reason) == 0 && *out >= 0 ? 0 : 1;
}

/* Entities whose deletes were missed stay. 1: it is not stopped for that. */
static int accept_ghosts(
	struct store *store, struct change *change, struct fault *fault)
{
	struct store_partition *moved = change->partition;
	const char *now = NULL;
	int rc = stopped_now(
		store, change->log, &store->batch_arena, &now, NULL, fault);
	if (rc < 0)
		return rc;
	if (rc == 0 || strcmp(now, STOP_DELETES) != 0)
		return 1;
	moved->at_end_us = change->decision->at_us;
	moved->end_offset = STORE_NO_END;
	change->before = STOP_DELETES;
	change->after = "accepted";
	rc = partition_update(store->update_partition, moved,
		moved->accounts.next_offset, fault);
	return rc < 0 ? rc : delete_stop(store, change->log, fault);
}

static int run_accept_gap(
	struct store *store, struct change *change, struct fault *fault)
{
	struct store_accounts *accounts = &change->partition->accounts;
	int64_t from = accounts->next_offset, to = 0;
	int rc = accept_ghosts(store, change, fault);
	if (rc <= 0)
		return rc;
	rc = find_log_start(store, change->log, STOP_LOST, &to, fault);
	if (rc != 0 || to <= from)
		return rc < 0 ? rc : 1;
	accounts->lost += to - from;
	accounts->next_offset = to;
	change->before = offset_print(store, from);
	change->after = offset_print(store, to);
	rc = partition_update(
		store->update_partition, change->partition, from, fault);
	return rc < 0 ? rc : delete_stop(store, change->log, fault);
}

static int run_new_log(
	struct store *store, struct change *change, struct fault *fault)
{
	struct store_partition *added = change->partition;
	int64_t start = 0;
	int rc =
		find_log_start(store, change->log, STOP_CHANGED, &start, fault);
	if (rc != 0)
		return rc;
	added->accounts.first_offset = added->accounts.next_offset = start;
	change->before = offset_print(store, change->log->incarnation);
	change->after = offset_print(store, added->log.incarnation);
	rc = partition_insert(store->db, added, fault);
	return rc < 0 ? rc : delete_stop(store, change->log, fault);
}

int store_stop_partition(struct store *store, const struct store_stop *stop,
	const struct decision *decision, struct fault *fault)
{
	struct change change = {
		.run = run_stop,
		.decision = decision,
		.log = stop->log,
		.stop = stop,
	};
	int rc = make(store, &change, fault);
	if (rc == 0)
		store_stopped(store, stop->log, true);
	return rc;
}

int store_resume_partition(struct store *store, const struct log *log,
	const struct decision *decision, struct fault *fault)
{
	struct change change = {
		.run = run_resume, .decision = decision, .log = log};
	int rc = make(store, &change, fault);
	if (rc >= 0)
		store_stopped(store, log, false);
	return rc;
}

int store_why_stopped(struct store *store, const struct log *log,
	struct arena *arena, const char **reason, struct fault *fault)
{
	int rc = store_refresh(store, fault);
	return rc < 0 ? rc
		      : stopped_now(store, log, arena, reason, NULL, fault);
}

int store_accept_gap(struct store *store, const struct log *log,
	const struct decision *decision, struct fault *fault)
{
	int rc = store_refresh(store, fault);
	if (rc < 0)
		return rc;
	struct store_partition *held = store->partitions.items[log->id - 1];
	struct store_partition moved = *held;
	struct change change = {.run = run_accept_gap,
		.decision = decision,
		.log = log,
		.partition = &moved};
	rc = make(store, &change, fault);
	if (rc == 0) {
		held->accounts = moved.accounts;
		held->at_end_us = moved.at_end_us;
		held->end_offset = moved.end_offset;
	}
	return rc;
}

int store_new_log(struct store *store, const struct log *log,
	const struct decision *decision, struct fault *fault)
{
	int rc = store_refresh(store, fault);
	if (rc < 0)
		return rc;
	struct store_partition *added = partition_new(
		&store->partitions, log->topic, log->partition, 0);
	if (added == NULL || !store_grow_moods(store, 1)) {
		partition_free(added);
		return fault_set(
			fault, FAULT_OOM, "no memory for %s", log->topic);
	}
	added->log.incarnation = log->incarnation + 1;
	struct change change = {.run = run_new_log,
		.decision = decision,
		.log = log,
		.partition = added};
	rc = make(store, &change, fault);
	if (rc == 0 && partitions_join(&store->partitions, added))
		return 0;
	partition_free(added);
	if (rc == 0) /* it is there: memory learns of it when it has room */
		store->stale = true;
	return rc;
}

static int run_nothing(
	struct store *store, struct change *change, struct fault *fault)
{
	(void)store;
	(void)change;
	(void)fault;
	return 0;
}

int store_decide(struct store *store, const struct decision *decision,
	struct fault *fault)
{
	struct change change = {.run = run_nothing, .decision = decision};
	return make(store, &change, fault);
}

static int run_acknowledge(
	struct store *store, struct change *change, struct fault *fault)
{
	struct letters *letters = &store->letters;
	int rc = 0;
	change->before = "open";
	change->after = "acknowledged";
	for (size_t i = 0; rc >= 0 && i < change->id_count; i++) {
		struct letter letter;
		rc = letters_get(letters, LETTER_DEAD, change->ids[i],
			&store->batch_arena, &letter, fault);
		if (rc != 1)
			continue;
		letter.acknowledged_us = change->decision->at_us;
		rc = letters_put(letters, &letter, fault);
		change->found++;
	}
	return rc < 0 ? rc : 0;
}

int store_acknowledge(struct store *store, const int64_t *ids, size_t count,
	const struct decision *decision, struct fault *fault)
{
	struct change change = {.run = run_acknowledge,
		.decision = decision,
		.ids = ids,
		.id_count = count};
	int rc = make(store, &change, fault);
	return rc < 0 ? rc : change.found;
}

static int run_export(
	struct store *store, struct change *change, struct fault *fault)
{
	const struct column id = column_integer(change->ids[0]);
	int64_t noted = 0;
	int rc = sql_integer(store->db,
		"SELECT coalesce((SELECT value FROM _meta"
		" WHERE name = '" META_EXPORTED "'), 0)",
		&noted, fault);
	if (rc < 0 || change->ids[0] <= noted)
		return rc < 0 ? rc : 1;
	/* The cursor would pass over letters to come. */
	if (change->ids[0] >= store->letters.next.dead)
		return fault_set(fault, FAULT_USAGE,
			"no dead letter had the id %" PRId64 " so far",
			change->ids[0]);
	return meta_put(store->db, META_EXPORTED, &id, fault);
}

int store_note_export(struct store *store, int64_t id, struct fault *fault)
{
	struct change change = {.run = run_export, .ids = &id, .id_count = 1};
	int rc = make(store, &change, fault);
	return rc < 0 ? rc : 0;
}
