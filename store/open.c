#include "store/writer.h"

#include "store/backups.h"
#include "store/coherence.h"
#include "store/damage.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#define HOUR_US (3600 * INT64_C(1000000))

#define OPEN_AGAIN 2 /* the disk was full, and the ballast was given up */

struct store_options store_options_default(void)
{
	return (struct store_options){
		.key_window_us = HOUR_US,
		.key_window_keys = 1000000,
		.key_window_max_bytes = UINT64_C(8) << 30,
		.wal_max_bytes = UINT64_C(200) << 20,
		/* pages of some 500,000 rows of 250 bytes */
		.cache_bytes = UINT64_C(128) << 20,
		.ballast_bytes = UINT64_C(200) << 20,
		.reader_max_us = 30 * INT64_C(1000000),
		.busy_timeout_ms = 5000,
	};
}

static int check_pragma(
	sqlite3 *db, const char *sql, const char *expected, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(db, &statement, sql, fault);
	if (rc == 0)
		rc = sql_step(statement, fault);
	if (rc == 1) {
		const char *text =
			(const char *)sqlite3_column_text(statement, 0);
		rc = 0;
		if (text == NULL) /* for the one reason that there is */
			rc = sql_fault(NULL, SQLITE_NOMEM, fault, sql);
		else if (strcmp(text, expected) != 0)
			rc = fault_set(fault, FAULT_IO,
				"%s gave %s, not %s: this file system can't "
				"keep the store's promises",
				sql, text, expected);
	}
	sqlite3_finalize(statement);
	return rc;
}

/* The writer's own settings, each read back (faults.md S2, S3). */
static int configure(
	sqlite3 *db, const struct store_options *options, struct fault *fault)
{
	char sizes[128];
	sqlite3_snprintf(sizeof sizes, sizes,
		"PRAGMA cache_size = -%lld; PRAGMA journal_size_limit = %lld",
		(long long)(options->cache_bytes / 1024),
		(long long)options->wal_max_bytes);
	int on = 1;
	int rc = check_pragma(db, "PRAGMA journal_mode = WAL", "wal", fault);
	if (rc == 0)
		rc = check_pragma(db, "PRAGMA synchronous", "2", fault);
	if (rc == 0)
		rc = sql_execute(db, sizes, fault);
	if (rc == 0 && sqlite3_file_control(db, "main",
			       SQLITE_FCNTL_PERSIST_WAL, &on) != SQLITE_OK)
		rc = fault_set(fault, FAULT_INTERNAL,
			"SQLite refuses a persistent WAL");
	return rc;
}

/* `of`: whose store a generation is of; NULL: a new store's. */
static int fill_new(struct store *store, sqlite3 *db,
	const struct schema *schema, const struct identity *of,
	struct fault *fault)
{
	char header[128];
	sqlite3_snprintf(sizeof header, header,
		"PRAGMA application_id = %d; PRAGMA user_version = %d;",
		STORE_APPLICATION_ID, STORE_FORMAT);
	int rc = sql_execute(db, "BEGIN IMMEDIATE", fault);
	if (rc == 0)
		rc = tables_create(db, schema, &store->memory, fault);
	if (rc == 0)
		rc = meta_write_identity(db, schema, of, fault);
	if (rc == 0 && of != NULL)
		rc = generation_note(db, GENERATION_BUILDING, "", fault);
	for (size_t i = 0; rc == 0 && i < schema->view_count; i++) {
		struct view_totals totals = {0};
		rc = view_totals_write(
			db, schema->views[i].name, &totals, fault);
	}
	if (rc == 0)
		rc = sql_execute(db, header, fault);
	if (rc == 0)
		rc = sql_execute(db, "COMMIT", fault);
	return rc;
}

/* Made as a draft and renamed when complete: a crash leaves no half store. */
int store_draft(struct store *store, const struct schema *schema,
	const struct identity *of, struct fault *fault)
{
	sqlite3 *db = NULL;
	int rc = layout_clear_draft(&store->layout, fault);
	if (rc == 0)
		rc = sql_open(&db, store->layout.draft, SQL_CREATE, 0, fault);
	if (rc == 0)
		rc = fill_new(store, db, schema, of, fault);
	sqlite3_close(db);
	return rc;
}

static int create(
	struct store *store, const struct schema *schema, struct fault *fault)
{
	int rc = 0;
	if (access(store->layout.database, F_OK) != 0)
		rc = store_draft(store, schema, NULL, fault);
	if (rc == 0)
		rc = layout_publish(&store->layout, fault);
	return rc < 0 ? fault_wrap(fault, rc, "making a new store in %s",
				store->layout.directory)
		      : 0;
}

static int on_commit(void *payload, sqlite3 *db, const char *name, int pages)
{
	struct store *store = payload;
	(void)db;
	(void)name;
	store->wal_pages = pages;
	return SQLITE_OK;
}

static int prepare(struct store *store, struct fault *fault)
{
	sqlite3 *db = store->db;
	const struct schema *schema = store->identity.schema;
	int rc = sql_prepare(db, &store->begin, "BEGIN IMMEDIATE", fault);
	if (rc == 0)
		rc = sql_prepare(db, &store->commit, "COMMIT", fault);
	if (rc == 0)
		rc = sql_prepare(db, &store->rollback, "ROLLBACK", fault);
	if (rc == 0)
		rc = partition_update_prepare(
			db, &store->update_partition, fault);
	store->views = arena_take(
		&store->memory, schema->view_count * sizeof *store->views);
	if (rc == 0 && store->views == NULL)
		rc = fault_set(fault, FAULT_OOM, "no memory for views");
	if (store->views != NULL)
		memset(store->views, 0,
			schema->view_count * sizeof *store->views);
	const struct view_rows_home home = {
		db, &store->partitions, true, &store->memory};
	for (size_t i = 0; rc == 0 && i < schema->view_count; i++)
		rc = view_rows_init(
			&store->views[i], &home, &schema->views[i], fault);
	return rc;
}

static int load(struct store *store, struct fault *fault)
{
	int rc = partitions_load(&store->partitions, store->db, fault);
	size_t count = store->partitions.count + 1;
	store->moods = calloc(count, sizeof *store->moods);
	if (rc == 0 && store->moods == NULL)
		rc = fault_set(fault, FAULT_OOM, "no memory for partitions");
	if (rc == 0)
		rc = letters_init(&store->letters, store->db, fault);
	if (rc == 0)
		rc = letter_bytes_load(&store->letters.bytes, store->db, fault);
	if (rc == 0)
		rc = keys_init(&store->keys, store->db, fault);
	if (rc == 0 && !store->options.keys_later)
		rc = keys_load(&store->keys, fault);
	if (rc == 0)
		rc = coherence_check(store->db, fault);
	return rc;
}

/* Raise the owner epoch: a durable commit of our own, which syncs the whole
 * WAL, and which fences whoever else believes to be the owner. */
static int claim(struct store *store, struct fault *fault)
{
	int rc = sql_execute(store->db, "BEGIN IMMEDIATE", fault);
	if (rc == 0)
		rc = meta_read_epoch(store->db, &store->owner_epoch, fault);
	if (rc == 0)
		rc = meta_write_epoch(store->db, ++store->owner_epoch, fault);
	if (rc == 0)
		rc = meta_read_commits(store->db, &store->commits, fault);
	if (rc == 0)
		rc = meta_write_commits(store->db, ++store->commits, fault);
	if (rc == 0)
		rc = generation_claim(store, fault);
	if (rc == 0)
		rc = sql_execute(store->db, "COMMIT", fault);
	return rc < 0 ? fault_wrap(fault, rc, "taking ownership of %s",
				store->layout.directory)
		      : rc;
}

/* May this process have the file open already, and so hold SQLite's locks on
 * it, which closing any descriptor of it drops? Not at a start. A successor may
 * be the generation that its readers were on before. Both were opened for
 * writing since whatever failed: the kernel's pages are the disk's. */
static bool may_be_open(const struct store *store, const struct place *place)
{
	return place->again || store->role == ROLE_SUCCESSOR ||
	       store->options.beside_readers;
}

static int check_by_hand(
	struct store *store, int64_t *copied, struct fault *fault)
{
	int rc = tables_check_file(store->layout.database, fault);
	if (rc == 0) {
		layout_drop_cache(&store->layout);
		*copied = coherence_copied(store->layout.database);
	}
	return rc;
}

static int connect_database(
	struct store *store, const struct place *place, struct fault *fault)
{
	const char *path = store->layout.database;
	int64_t copied = -1;
	int rc = may_be_open(store, place)
			 ? 0
			 : check_by_hand(store, &copied, fault);
	if (rc < 0)
		return rc;
	rc = sql_open(&store->db, path, SQL_WRITE,
		store->options.busy_timeout_ms, fault);
	if (rc == 0)
		rc = tables_check(store->db, path, fault);
	if (rc == 0)
		rc = coherence_check_copied(store->db, copied, fault);
	if (rc == 0)
		rc = configure(store->db, &store->options, fault);
	if (rc == 0)
		rc = store_empty_wal(store, fault);
	if (rc == 0)
		rc = claim(store, fault);
	if (rc == 0)
		rc = sql_integer(store->db, "PRAGMA page_size",
			&store->page_bytes, fault);
	if (rc == 0)
		sqlite3_wal_hook(store->db, on_commit, store);
	return rc;
}

static int open_directory(
	struct store *store, const struct place *place, struct fault *fault)
{
	bool exists = false;
	if (place->generation != NULL || place->build != NULL)
		return generation_find(store, place, fault);
	if (place->again)
		return layout_find(
			&store->layout, store->options.path, &exists, fault);
	const struct store_options *options = &store->options;
	int rc = layout_find(&store->layout, options->path, &exists, fault);
	if (rc == 0 && !exists && options->schema == NULL)
		rc = fault_set(fault, FAULT_USAGE,
			"%s holds no store, and no schema was given to make "
			"one: set `schema` in the configuration",
			options->path);
	if (rc == 0 && !exists)
		rc = layout_make(&store->layout, fault);
	if (rc == 0)
		rc = layout_lock(&store->layout, &store->lock, fault);
	if (rc == 0) /* somebody may have made one before the lock was ours */
		rc = layout_find(&store->layout, options->path, &exists, fault);
	if (rc == 0 && !exists)
		rc = create(store, options->schema, fault);
	return rc;
}

/* Whoever builds meanwhile has not left anything. */
static void clear_left(const struct store *store)
{
	int builders = -1;
	backups_clear_unfinished(store->layout.directory);
	if (layout_lock_build(&store->layout, &builders, NULL) == 0)
		(void)layout_clear_left(&store->layout, NULL);
	if (builders >= 0)
		close(builders);
}

static int open_all(
	struct store *store, const struct place *place, struct fault *fault)
{
	int rc = open_directory(store, place, fault);
	if (rc == 0 &&
		!(store->role == ROLE_LIVE && store->options.damaged_too))
		rc = store_check_damage(store, fault);
	if (rc == 0)
		rc = connect_database(store, place, fault);
	if (rc == 0) /* what is missing since: now it is known to be ours */
		rc = layout_make(&store->layout, fault);
	if (rc == 0 && store->role == ROLE_LIVE) /* nobody else makes one */
		clear_left(store);
	if (rc == 0)
		rc = meta_read_identity(
			store->db, &store->identity, &store->memory, fault);
	if (rc == 0)
		rc = prepare(store, fault);
	if (rc == 0)
		rc = load(store, fault);
	if (rc == 0)
		rc = suspect_open(store, fault);
	return rc;
}

static int open_once(struct store **out, const struct store_options *options,
	const struct place *place, struct fault *fault)
{
	*out = NULL;
	struct store *store = calloc(1, sizeof *store);
	if (store == NULL || sodium_init() < 0) {
		free(store);
		return fault_set(fault, FAULT_OOM, "no memory for the store");
	}
	store->lock = -1;
	store->suspect = (struct suspect)SUSPECT_INIT;
	store->options = *options;
	store->role = place->build != NULL	  ? ROLE_BUILD
		      : place->generation != NULL ? ROLE_SUCCESSOR
						  : ROLE_LIVE;
	store->stays_complete =
		place->build != NULL && place->build->stays_complete;
	if (store->role != ROLE_BUILD)
		ballast_init(
			&store->ballast, options->path, options->ballast_bytes);
	int rc = open_all(store, place, fault);
	/* Only who holds the lock may give it up. */
	bool again = rc == FAULT_FULL && store->lock >= 0 &&
		     ballast_give_up(&store->ballast);
	if (rc == GENERATION_MOVED)
		rc = generation_follow(store, fault);

	/* What is opened from here on in its stead is ready at once. */
	store->options.keys_later = false;
	store->options.schema = NULL;
	store->options.path = store->layout.directory;
	if (rc != 0)
		store_close(store);
	else
		*out = store;
	return again ? OPEN_AGAIN : rc;
}

int store_open_at(struct store **out, const struct store_options *options,
	const struct place *place, struct fault *fault)
{
	int rc = open_once(out, options, place, fault);
	if (rc == GENERATION_MOVED)
		rc = open_once(out, options, place, fault);
	bool gave_up = rc == OPEN_AGAIN;
	if (gave_up)
		rc = open_once(out, options, place, fault);
	struct store *store = *out;
	if (store == NULL)
		return rc;
	store->ballast.given_up |= gave_up && options->ballast_bytes > 0;
	(void)ballast_make(&store->ballast);
	return 0;
}

int store_open(struct store **out, const struct store_options *options,
	struct fault *fault)
{
	return store_open_at(out, options, &PLACE_LIVE, fault);
}

int store_load_keys(struct store *store, size_t rows, struct fault *fault)
{
	int rc = store_refresh(store, fault);
	if (rc == 0 && !store->keys.loaded)
		rc = keys_load_more(&store->keys, rows, fault);
	return rc;
}

static int check_damage(const struct layout *layout, struct fault *fault)
{
	struct damage damage;
	damage_read(layout->database, &damage);
	return damage.found ? damage_fault(&damage, layout->database, fault)
			    : 0;
}

int store_check_damage(const struct store *store, struct fault *fault)
{
	return check_damage(&store->layout, fault);
}

int store_check_live_damage(const char *path, struct fault *fault)
{
	struct layout layout;
	bool exists = false;
	int rc = layout_find(&layout, path, &exists, fault);
	return rc == 0 && exists ? check_damage(&layout, fault) : 0;
}

/* The last connection to close checkpoints. One who lost the store to another
 * process, or can't read it, writes nothing more: not that either. Nor does one
 * whose write or fsync failed: what is there is the next start's to judge. */
int store_leave(struct store *store, struct fault *fault)
{
	int64_t epoch = 0;
	int rc = 0;
	if (store == NULL || store->db == NULL || store->left)
		return 0;
	store->left = true;
	store_backup_close(store);
	bool ours = !store->broken &&
		    meta_read_epoch(store->db, &epoch, NULL) == 0 &&
		    epoch == store->owner_epoch;
	if (ours)
		rc = store_leave_wal(store, fault);
	if (!ours || rc < 0)
		(void)sqlite3_db_config(
			store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return rc;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	store_backup_close(store);
	for (size_t i = 0;
		store->views != NULL && i < store->identity.schema->view_count;
		i++)
		view_rows_finish(&store->views[i]);
	sqlite3_finalize(store->begin);
	sqlite3_finalize(store->commit);
	sqlite3_finalize(store->rollback);
	sqlite3_finalize(store->update_partition);
	letters_finish(&store->letters);
	keys_finish(&store->keys);
	suspect_finish(&store->suspect);
	(void)store_leave(store, NULL);
	int code = sqlite3_close(store->db);
	assert(code == SQLITE_OK); /* else a statement was left open */
	partitions_finish(&store->partitions);
	schema_free(store->identity.schema);
	free(store->moods);
	arena_finish(&store->memory);
	arena_finish(&store->batch_arena);
	arena_finish(&store->row_arena);
	if (store->lock >= 0)
		close(store->lock);
	free(store);
}

const struct schema *store_schema(const struct store *store)
{
	return store->identity.schema;
}

const char *store_id(const struct store *store)
{
	return store->identity.store_id;
}

const unsigned char *store_secret(const struct store *store)
{
	return store->identity.secret;
}

struct digest store_digest(const struct store *store)
{
	struct digest sum = DIGEST_ZERO;
	for (size_t i = 0; i < store->identity.schema->view_count; i++)
		sum = digest_add(sum, store->views[i].totals.digest);
	return sum;
}

struct digest store_view_digest(const struct store *store, const char *view)
{
	const struct view *found =
		schema_view(store->identity.schema, slice_of(view));
	assert(found != NULL);
	return store->views[store_view_index(store, found)].totals.digest;
}
