/*
 * What store/reader.c, lookup.c, status.c and verify.c share: the reader's
 * insides.
 */
#ifndef HOLDFAST_STORE_READER_INSIDE_H
#define HOLDFAST_STORE_READER_INSIDE_H

#include "store/backups.h"
#include "store/feeds.h"
#include "store/holds.h"
#include "store/layout.h"
#include "store/meta.h"
#include "store/partitions.h"
#include "store/reader.h"
#include "store/view_rows.h"
#include "store/wal_watch.h"

#define READER_GENERATION_MAX (GENERATION_NAME_MAX + 1 + BACKUP_NAME_MAX + 1)

struct reader {
	struct layout layout;
	sqlite3 *db;
	struct identity identity;
	struct partitions partitions;
	struct feeds feeds;
	struct holds holds;
	struct view_rows *views; /* by index in the schema */
	struct arena memory;	 /* lives as long as the reader */
	sqlite3_stmt *anchor;	 /* stands on a row while a snapshot is open */
	sqlite3_stmt *list_partitions, *list_holds, *look;
	uint32_t data_version; /* partitions, feeds and holds are so */
	bool loaded;	       /* they are */
	bool sealed;	       /* as of the same snapshot */
	bool outdated;	       /* the schema is another one by now */
	int64_t edition;       /* of `identity.schema` */
	struct wal_watch watch;
	struct wal_state state; /* of the kept snapshot */
	bool keeps;		/* see reader_keep() */
	int64_t made_us;	/* of a backup; else TIMESTAMP_NONE */
	char generation[READER_GENERATION_MAX];
	struct damage damage;	  /* see reader_damage() */
	int64_t damage_looked_us; /* monotonic; 0: never */
};

/* One snapshot from here to reader_end(), partitions and feeds as it has them.
 * Errors: as sql_fault(). */
int reader_begin(struct reader *reader, struct fault *fault);
void reader_end(struct reader *reader);

/* FAULT_CORRUPT where damage is remembered that concerns lookups of `view`;
 * else 0. */
int reader_check_damage(
	struct reader *reader, const struct view *view, struct fault *fault);

/* An empty one, for the functions that open. NULL: out of memory. */
struct reader *reader_new(struct fault *fault);

/* Open reader->layout.database and read what stays the same.
 * Errors: as reader_open(). */
int reader_connect(struct reader *reader, enum sql_mode mode,
	uint32_t busy_timeout_ms, struct fault *fault);

#endif
