/*
 * `_meta`: facts about the store itself, by name.
 *
 * store_id, secret, schema, owner_epoch, commits; schema_edition and
 * schema_offsets once it was changed; forgotten_before once deletes were
 * forgotten;
 * exported_dead once there was an export; state, peer, origin, beside, carried
 * and carried_view of a generation (store/generations.h); backup_… once there
 * was a backup (store/backup_record.h).
 */
#ifndef HOLDFAST_STORE_META_H
#define HOLDFAST_STORE_META_H

#include "schema/decode.h"
#include "store/sql.h"

/* Dead letters up to this id were exported. */
#define META_EXPORTED "exported_dead"

/* How often the schema was changed; none: never. Readers look at it. */
#define META_EDITION "schema_edition"

/* "LOG:OFFSET …": where each log stood when the schema was last changed in
 * place; a generation that took the log under it has none. */
#define META_SCHEMA_OFFSETS "schema_offsets"

/* The latest time before which deletes were forgotten. */
#define META_FORGOTTEN "forgotten_before"

#define STORE_ID_SIZE 17 /* 16 hexadecimal digits and a NUL */

struct identity {
	char store_id[STORE_ID_SIZE];
	unsigned char secret[SECRET_BYTES];
	struct schema *schema; /* owned: schema_free() */
};

int meta_put(sqlite3 *db, const char *name, const struct column *value,
	struct fault *fault);

/* The value in `arena`. 1: found. 0: there is none, and it is NULL.
 * Errors: as sql_read_row(), sql_step(). */
int meta_find(sqlite3 *db, const char *name, struct column *value,
	struct arena *arena, struct fault *fault);

/* The same of what must be there. Errors: FAULT_CORRUPT when it is not. */
int meta_get(sqlite3 *db, const char *name, struct column *value,
	struct arena *arena, struct fault *fault);

/* Who a store is: what it was given when it was made. */
int meta_read_identity(sqlite3 *db, struct identity *out, struct arena *arena,
	struct fault *fault);

/* Of a new store: the schema's text; id and secret those of `of`, or, where
 * that is NULL, by chance. */
int meta_write_identity(sqlite3 *db, const struct schema *schema,
	const struct identity *of, struct fault *fault);

/* A text in `arena`; "" where there is none. Errors: as meta_get(). */
int meta_get_text(sqlite3 *db, const char *name, const char **out,
	struct arena *arena, struct fault *fault);

/* Of the schema. Errors: as meta_find(). */
int meta_read_edition(sqlite3 *db, int64_t *edition, struct fault *fault);

int meta_read_epoch(sqlite3 *db, int64_t *epoch, struct fault *fault);
int meta_write_epoch(sqlite3 *db, int64_t epoch, struct fault *fault);

/* How many transactions there were: each writes it, and so its page, which
 * tells of what age the file and its WAL are (store/coherence.h). */
int meta_read_commits(sqlite3 *db, int64_t *commits, struct fault *fault);
int meta_write_commits(sqlite3 *db, int64_t commits, struct fault *fault);

#endif
