/* Where a generation is found, made and claimed: its writer's part. */
#include "store/generation_state.h"

#include "store/backup_seal.h"
#include "store/failpoint.h"
#include "store/file_codes.h"
#include "store/file_copy.h"
#include "store/tables.h"
#include "store/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* The identity of a store's file, which this process may have open: so it is
 * not opened by hand (tables_check_file). */
static int read_identity(const char *path, struct identity *out,
	struct arena *arena, struct fault *fault)
{
	sqlite3 *db = NULL;
	int rc = sql_open(&db, path, SQL_READ, 0, fault);
	if (rc == 0)
		rc = tables_check(db, path, fault);
	if (rc == 0)
		rc = meta_read_identity(db, out, arena, fault);
	sqlite3_close(db);
	return rc;
}

/* A backup's seal is no part of its database. */
static int finish_copy(int to, const char *base)
{
	struct backup_seal seal;
	if (backup_seal_read(base, &seal, NULL) == 1 &&
		ftruncate(to, (off_t)seal.bytes) != 0)
		return -1;
	return fsync(to);
}

/* A closed store's file, into the draft. */
static int copy_base(
	const struct layout *layout, const char *base, struct fault *fault)
{
	int rc = layout_clear_draft(layout, fault);
	if (rc < 0)
		return rc;
	int from = open(base, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return file_fault(fault, errno, "can't open", base);
	int to = open(
		layout->draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (to < 0 || file_copy(from, to) < 0 || finish_copy(to, base) < 0)
		rc = file_fault(fault, errno, "can't copy to", layout->draft);
	if (to >= 0)
		close(to);
	close(from);
	return rc;
}

/* What the draft was copied from may have been live: a crash before it is
 * opened as what it is must not leave a generation that looks complete. */
static int note_unfinished(struct store *store, struct fault *fault)
{
	sqlite3 *db = NULL;
	int rc = sql_open(&db, store->layout.draft, SQL_WRITE, 0, fault);
	if (rc == 0) /* a rename takes no WAL along */
		rc = sql_execute(db, "PRAGMA journal_mode = DELETE", fault);
	if (rc == 0)
		rc = generation_note(db, GENERATION_BUILDING, "", fault);
	sqlite3_close(db);
	return rc;
}

static int copy_unfinished(
	struct store *store, const char *base, struct fault *fault)
{
	int rc = copy_base(&store->layout, base, fault);
	return rc < 0 ? rc : note_unfinished(store, fault);
}

static int check_base(const struct identity *live, const char *base,
	struct arena *arena, struct fault *fault)
{
	struct identity identity = {0};
	int rc = tables_check_file(base, fault);
	if (rc == 0)
		rc = read_identity(base, &identity, arena, fault);
	schema_free(identity.schema);
	if (rc == 0 && live->schema != NULL &&
		strcmp(identity.store_id, live->store_id) != 0)
		rc = fault_set(fault, FAULT_REFUSED,
			"%s is of store %s, this one is %s: name a backup of "
			"this store",
			base, identity.store_id, live->store_id);
	return rc;
}

/* Its file, made as a draft and renamed: a crash leaves no half one. */
static int make(struct store *store, const char *live_path,
	const struct store_build *build, struct fault *fault)
{
	struct identity live = {0};
	int rc = read_identity(live_path, &live, &store->memory, fault);
	/* From a base also where the live one can't be read any more. */
	if (rc < 0 && build->base != NULL)
		rc = 0;
	const struct schema *schema = store->options.schema != NULL
					      ? store->options.schema
					      : live.schema;
	if (rc == 0 && build->base != NULL)
		rc = check_base(&live, build->base, &store->memory, fault);
	if (rc == 0)
		rc = build->base != NULL
			     ? copy_unfinished(store, build->base, fault)
			     : store_draft(store, schema, &live, fault);
	if (rc == 0)
		rc = layout_place(&store->layout, fault);
	failpoint("generation_placed");
	schema_free(live.schema);
	return rc;
}

static int found(const struct layout *layout, const char *base, int *lock,
	struct fault *fault)
{
	struct layout again;
	bool exists = false;
	int rc = layout_make(layout, fault);
	if (rc == 0)
		rc = layout_lock(layout, lock, fault);
	if (rc == 0) /* somebody may have made one before the lock was ours */
		rc = layout_find(&again, layout->directory, &exists, fault);
	if (rc == 0 && exists)
		rc = fault_set(fault, FAULT_REFUSED, "%s holds a store",
			layout->directory);
	if (rc == 0)
		rc = copy_base(layout, base, fault);
	return rc < 0 ? rc : layout_publish(layout, fault);
}

int store_found(const struct store_options *options, const char *base,
	struct fault *fault)
{
	struct layout layout;
	struct identity nobody = {0};
	struct arena arena = ARENA_INIT;
	bool exists = false;
	int lock = -1;
	int rc = layout_find(&layout, options->path, &exists, fault);
	if (rc == 0 && exists)
		rc = fault_set(fault, FAULT_REFUSED, "%s holds a store",
			options->path);
	if (rc == 0)
		rc = check_base(&nobody, base, &arena, fault);
	if (rc == 0)
		rc = found(&layout, base, &lock, fault);
	if (lock >= 0)
		close(lock);
	arena_finish(&arena);
	return rc;
}

static int find_build(struct store *store, const struct store_build *build,
	struct fault *fault)
{
	struct layout *layout = &store->layout;
	char next[GENERATION_NAME_MAX], live_path[PATH_MAX];
	memcpy(live_path, layout->database, sizeof live_path);
	int rc = 0;
	if (build->generation == NULL)
		rc = layout_next_generation(layout, next, fault);
	if (rc == 0)
		rc = layout_turn_to(layout,
			build->generation == NULL ? next : build->generation,
			fault);
	if (rc == 0 && build->generation == NULL)
		rc = make(store, live_path, build, fault);
	return rc < 0 ? rc : layout_turn_to(layout, layout->generation, fault);
}

int generation_check_there(
	const struct layout *layout, const char *live, struct fault *fault)
{
	if (strcmp(layout->generation, live) == 0)
		return fault_set(fault, FAULT_REFUSED,
			"generation %s is the live one", live);
	return access(layout->database, F_OK) == 0
		       ? 0
		       : fault_set(fault, FAULT_USAGE,
				 "there is no generation %s: `holdfast "
				 "generations` lists them",
				 layout->generation);
}

static int find_live(struct layout *layout, const char *path,
	char live[GENERATION_NAME_MAX], struct fault *fault)
{
	bool exists = false;
	int rc = layout_find(layout, path, &exists, fault);
	memcpy(live, layout->generation, sizeof layout->generation);
	return rc < 0 || exists
		       ? rc
		       : fault_set(fault, FAULT_REFUSED,
				 "%s holds no store: check store.path", path);
}

int generation_find(
	struct store *store, const struct place *place, struct fault *fault)
{
	struct layout *layout = &store->layout;
	const char *path = store->options.path;
	char live[GENERATION_NAME_MAX];
	int rc = find_live(layout, path, live, fault);
	if (rc == 0 && place->build != NULL)
		rc = layout_lock_build(layout, &store->lock, fault);
	else if (rc == 0 && place->lock < 0)
		rc = layout_lock(layout, &store->lock, fault);
	if (rc == 0) /* another may be it since, until the lock was ours */
		rc = find_live(layout, path, live, fault);
	if (rc < 0)
		return rc;
	rc = place->build != NULL
		     ? find_build(store, place->build, fault)
		     : layout_turn_to(layout, place->generation, fault);
	return rc < 0 ? rc : generation_check_there(layout, live, fault);
}

/* Is the sealed generation's successor ready for its place? Where nobody can
 * tell, it is not: then the sealed one is whole. */
static bool is_ready(struct store *store, const char *peer, struct fault *fault)
{
	struct layout layout = store->layout;
	enum generation_state state = GENERATION_BUILDING;
	const char *of = "";
	sqlite3 *db = NULL;
	int rc = layout_turn_to(&layout, peer, fault);
	if (rc == 0)
		rc = tables_check_file(layout.database, fault);
	if (rc == 0)
		rc = sql_open(&db, layout.database, SQL_READ,
			store->options.busy_timeout_ms, fault);
	if (rc == 0)
		rc = generation_read(db, &state, &of, &store->memory, fault);
	bool ready = rc == 0 && state == GENERATION_READY &&
		     strcmp(of, store->layout.generation) == 0;
	sqlite3_close(db);
	return ready;
}

static int claim_live(struct store *store, struct fault *fault)
{
	enum generation_state state;
	const char *peer;
	int rc = generation_read(
		store->db, &state, &peer, &store->memory, fault);
	if (rc < 0)
		return rc;
	if (state == GENERATION_SEALED && is_ready(store, peer, NULL)) {
		(void)snprintf(
			store->successor, sizeof store->successor, "%s", peer);
		return GENERATION_MOVED;
	}
	return state == GENERATION_LIVE
		       ? 0
		       : generation_note(store->db, GENERATION_LIVE, "", fault);
}

static int claim_build(struct store *store, struct fault *fault)
{
	enum generation_state state;
	const char *peer;
	int rc = generation_read(
		store->db, &state, &peer, &store->memory, fault);
	if (rc < 0)
		return rc;
	bool stays = store->stays_complete && state != GENERATION_BUILDING;
	return generation_note(store->db,
		stays ? GENERATION_COMPLETE : GENERATION_BUILDING, "", fault);
}

int generation_claim(struct store *store, struct fault *fault)
{
	switch (store->role) {
	case ROLE_LIVE:
		return claim_live(store, fault);
	case ROLE_BUILD:
		return claim_build(store, fault);
	default:
		return 0; /* store_switch() says what it is */
	}
}

int generation_follow(struct store *store, struct fault *fault)
{
	int rc = layout_turn_to(&store->layout, store->successor, fault);
	if (rc == 0)
		rc = layout_relink(&store->layout, fault);
	return rc < 0 ? fault_wrap(fault, rc, "finishing the switch to %s",
				store->successor)
		      : GENERATION_MOVED;
}
