/*
 * libholdfast: features, looked up in process.
 *
 * Opens a store that holdfast writes and reads it, beside the live writer in
 * its own process: no network, no server. It serves on while ingest or Kafka
 * is down, and each answer says how far the pipeline is behind and each value
 * whether it can be trusted. Nothing here writes features.
 *
 *     struct holdfast *store;
 *     struct holdfast_query *query;
 *     const struct holdfast_answer *answer;
 *     struct holdfast_error error;
 *     const char *features[] = {"card:txns", "card:country"};
 *     int64_t card = 4711;
 *
 *     if (holdfast_open(&store, "/var/lib/holdfast",
 *                 HOLDFAST_BUSY_TIMEOUT_MS, &error) < 0 ||
 *         holdfast_query_new(&query, store, features, 2, NULL, &error) < 0)
 *         ...
 *     holdfast_bind_int64(query, 0, &card, 1);
 *     if (holdfast_lookup(query, &answer, &error) == HOLDFAST_OK)
 *         use(answer->values[0].as.integer);
 *
 * A store that can't be read, or that is known to be damaged, is an error here,
 * and no backup is looked at: `holdfast serve` answers from one meanwhile, and
 * says so. After a restore or a rollback lookups go on within a second.
 *
 * Results: negative is an error (enum holdfast_code) and the caller's
 * holdfast_error says what was wrong, where, and what to do; 0 is success;
 * positive is an ordinary outcome that the function names.
 *
 * Threads: a store and its queries belong to one thread at a time; open one a
 * thread. Not across fork(): open again in the child.
 *
 * Files: a reader needs write permission on the store's `-shm` file (the same
 * user or group as holdfast). This process must not open the store's files in
 * any way of its own, and not hold a second copy of SQLite on them: closing
 * would drop the locks of the first (sqlite.org/howtocorrupt.html).
 *
 * Times are microseconds since 1970-01-01T00:00:00Z, by the wall clock.
 */
#ifndef HOLDFAST_H
#define HOLDFAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct holdfast;       /* an open store */
struct holdfast_query; /* features asked for, names resolved once */

/* "0.1.0", of the library that is linked. */
const char *holdfast_version(void);

enum holdfast_code {
	HOLDFAST_OK = 0,
	HOLDFAST_NOT_YET = 1, /* the position asked for is not taken yet */
	HOLDFAST_REFUSED = 2, /* the terms say `fail`: nothing is served */
	HOLDFAST_REOPENED = 3,

	HOLDFAST_ERROR_MEMORY = -1,
	HOLDFAST_ERROR_USAGE = -2,    /* a wrong name, type, count or text */
	HOLDFAST_ERROR_IO = -3,	      /* disk, file or permission */
	HOLDFAST_ERROR_FULL = -4,     /* no room for the WAL's index */
	HOLDFAST_ERROR_BUSY = -5,     /* somebody holds the file: try again */
	HOLDFAST_ERROR_CORRUPT = -6,  /* damaged: it is never served */
	HOLDFAST_ERROR_NO_STORE = -7, /* none there, foreign, or newer */
	HOLDFAST_ERROR_INTERNAL = -11 /* a bug: report it */
};

/* Owned by the caller, filled on errors only. Every function takes NULL for
 * it: then only the code travels. */
struct holdfast_error {
	int code; /* enum holdfast_code, negative */
	char text[1024];
};

/* A good limit for waiting for a lock. Readers hardly ever wait: while another
 * process recovers the file after a crash. */
#define HOLDFAST_BUSY_TIMEOUT_MS 1000

/*
 * Open the store in directory `path` (copied). On success the caller owns
 * *out; on failure it is NULL. Errors: HOLDFAST_ERROR_NO_STORE, _CORRUPT, _IO,
 * _FULL, _BUSY, _MEMORY.
 */
int holdfast_open(struct holdfast **out, const char *path,
	uint32_t busy_timeout_ms, struct holdfast_error *error);

/* Free the store and the queries it still has. NULL is allowed. */
void holdfast_close(struct holdfast *store);

/*
 * Read the live generation from now on. Lookups see to it by themselves once a
 * second: call this where a switched generation or a replaced store must be
 * seen at once, or where failure to open it matters. HOLDFAST_OK: it was read
 * already. HOLDFAST_REOPENED: it is from now on. On errors (as holdfast_open())
 * what was read is still read.
 */
int holdfast_refresh(struct holdfast *store, struct holdfast_error *error);

/*
 * Keep a lookup's snapshot for the next lookup, which goes on with it exactly
 * as long as it is the newest: the same answers, at half the price. Off at
 * first, since a kept snapshot holds the writer's WAL back while nobody asks:
 * who turns it on calls holdfast_rest() when there was no lookup for
 * HOLDFAST_REST_US, and before doing something else for long.
 */
#define HOLDFAST_REST_US 20000
void holdfast_keep(struct holdfast *store, bool keep);
void holdfast_rest(struct holdfast *store);

/* 16 hexadecimal digits, made with the store, and its schema's JSON text:
 * valid until the next call with this store or a query of it. */
const char *holdfast_store_id(const struct holdfast *store);
const char *holdfast_schema(const struct holdfast *store);

/* ---- Queries ---------------------------------------------------------- */

#define HOLDFAST_FEATURES_MAX 10000 /* of a query; beyond, a mistake */

/* What to do with a value that is not plainly there. In order of strictness. */
enum holdfast_choice {
	HOLDFAST_CHOICE_SERVE = 0,   /* serve it and say so */
	HOLDFAST_CHOICE_DEFAULT = 1, /* the schema's default instead */
	HOLDFAST_CHOICE_FAIL = 2     /* serve nothing at all */
};

/*
 * Terms of a query. Each view has terms of its own, in the schema; these can
 * only tighten them: the smaller limit and the stricter choice win. All zero
 * tightens nothing.
 */
struct holdfast_terms {
	int64_t max_lag_us; /* the pipeline's lag; 0: no limit */
	int64_t ttl_us;	    /* now minus a value's event time; 0: no limit */
	enum holdfast_choice when_behind;  /* lag beyond max_lag_us */
	enum holdfast_choice when_expired; /* age beyond ttl_us */
	enum holdfast_choice when_missing; /* never set, or deleted */
};

/*
 * Prepare to ask for features[0..count), each "view:feature", of any views;
 * answers have them in this order. `terms` may be NULL. Everything is copied.
 * On success *out belongs to the caller, who frees it; on failure it is NULL.
 * Errors: HOLDFAST_ERROR_USAGE (names what there is not), _MEMORY.
 */
int holdfast_query_new(struct holdfast_query **out, struct holdfast *store,
	const char *const *features, size_t count,
	const struct holdfast_terms *terms, struct holdfast_error *error);

/* The same of the features that the schema's service of that name lists. */
int holdfast_query_service(struct holdfast_query **out, struct holdfast *store,
	const char *service, const struct holdfast_terms *terms,
	struct holdfast_error *error);

/* With its bindings and its answer. NULL is allowed. */
void holdfast_query_free(struct holdfast_query *query);

enum holdfast_type {
	HOLDFAST_TYPE_NONE = 0, /* no value: missing or refused */
	HOLDFAST_TYPE_NULL = 1, /* null, which is a value */
	HOLDFAST_TYPE_BOOL = 2, /* integer: 0 or 1 */
	HOLDFAST_TYPE_INT64 = 3,
	HOLDFAST_TYPE_FLOAT64 = 4,   /* real: finite */
	HOLDFAST_TYPE_DECIMAL = 5,   /* integer: the number times 10^scale */
	HOLDFAST_TYPE_STRING = 6,    /* text: UTF-8 without NUL within */
	HOLDFAST_TYPE_BYTES = 7,     /* bytes */
	HOLDFAST_TYPE_TIMESTAMP = 8, /* integer: microseconds, see above */
	HOLDFAST_TYPE_VECTOR = 9     /* vector: float32, all finite */
};

/* "decimal", of an enum holdfast_type; "none" for what is none. */
const char *holdfast_type_name(int type);

struct holdfast_feature {
	const char *view, *name;
	enum holdfast_type type; /* neither NONE nor NULL */
	uint32_t scale;		 /* of a decimal: digits behind the point */
	uint32_t length;	 /* of a vector: its elements */
};

/* A join key that the query's views need, to be bound. */
struct holdfast_key {
	const char *name;
	enum holdfast_type type; /* INT64 or STRING */
};

/*
 * What the query asks for, in the order of its answers, and the keys it needs:
 * those of its first view in the schema's order, then what other views need
 * beside them (a key of one name counts once). Valid as long as the query.
 */
const struct holdfast_feature *holdfast_query_features(
	const struct holdfast_query *query, size_t *count);
const struct holdfast_key *holdfast_query_keys(
	const struct holdfast_query *query, size_t *count);

/* ---- Lookups ---------------------------------------------------------- */

#define HOLDFAST_ROWS_MAX 100000       /* of a lookup, which is one snapshot */
#define HOLDFAST_KEY_BYTES_MAX 1048576 /* no event holds a longer key */

/*
 * Bind key number `key` of holdfast_query_keys() to values[0..count), one a
 * row; they are copied. A count of 1 is the same for every row: one user, 500
 * items. Keys stay bound until they are bound again. Texts are UTF-8; with
 * `lengths` NULL they end at their NUL.
 * What is wrong with a binding is told by the next lookup, and then all keys
 * are to be bound again.
 */
void holdfast_bind_int64(struct holdfast_query *query, size_t key,
	const int64_t *values, size_t count);
void holdfast_bind_text(struct holdfast_query *query, size_t key,
	const char *const *values, const size_t *lengths, size_t count);

enum holdfast_status {
	HOLDFAST_STATUS_FRESH = 0,
	HOLDFAST_STATUS_BEHIND = 1,  /* stored; the pipeline is behind */
	HOLDFAST_STATUS_EXPIRED = 2, /* stored; older than its ttl */
	HOLDFAST_STATUS_DEFAULT = 3, /* the schema's default stands in */
	HOLDFAST_STATUS_MISSING = 4, /* there is none, and no default */
	HOLDFAST_STATUS_REFUSED = 5  /* the terms say `fail` */
};

/* Why a value is not fresh. */
enum holdfast_reason {
	HOLDFAST_REASON_NONE = 0,
	HOLDFAST_REASON_MISSING = 1, /* never set, or an unknown entity */
	HOLDFAST_REASON_DELETED = 2, /* the entity was deleted */
	HOLDFAST_REASON_TTL = 3,     /* older than the ttl */
	HOLDFAST_REASON_MAX_LAG = 4, /* the lag is beyond max_lag */
	HOLDFAST_REASON_HOLD = 5,    /* an operator holds it back */
	HOLDFAST_REASON_BACKUP = 6   /* of a backup: `holdfast serve` alone */
};

/* "fresh" of an enum holdfast_status, "max_lag" of an enum holdfast_reason
 * (HOLDFAST_REASON_NONE: ""): the words of HTTP replies. "unknown" for what is
 * none. */
const char *holdfast_status_name(int status);
const char *holdfast_reason_name(int reason);

#define HOLDFAST_TIME_NONE INT64_MIN
#define HOLDFAST_LAG_UNKNOWN INT64_MAX

struct holdfast_value {
	uint8_t type;	 /* enum holdfast_type, which member of `as` counts */
	uint8_t status;	 /* enum holdfast_status */
	uint8_t reason;	 /* enum holdfast_reason */
	uint8_t scale;	 /* of a decimal */
	uint32_t length; /* bytes of text and bytes, elements of a vector */
	int64_t event_time_us; /* of the stored value, also where a default
				  stands in; HOLDFAST_TIME_NONE: none */
	union {
		int64_t integer;
		double real;
		const char *text; /* a NUL stands behind it */
		const void *bytes;
		const float *vector; /* aligned, in this machine's byte order */
	} as;
};

/* How far the pipeline is behind for one view. */
struct holdfast_view {
	const char *name;
	int64_t as_of_us; /* all up to here is taken; HOLDFAST_TIME_NONE: some
			     source was never read */
	int64_t lag_us;	  /* now minus as_of_us, never negative; then
			     HOLDFAST_LAG_UNKNOWN */
	bool behind;	  /* beyond max_lag_us */
};

/* Later versions may add members at the end. */
struct holdfast_answer {
	/* values[0..row_count * feature_count), row by row */
	const struct holdfast_value *values;
	size_t row_count, feature_count;
	size_t refused;		  /* how many have HOLDFAST_STATUS_REFUSED */
	int64_t as_of_us, lag_us; /* of the view that is furthest behind */
	const char *generation;	  /* the build of the store, "g1" */
	const char *position;	  /* opaque; for holdfast_lookup_at_least() */
	const struct holdfast_view *views; /* views[0..view_count) */
	size_t view_count;
};

/*
 * Answer from one snapshot: all rows and views as of one moment between two
 * batches. *out and all it points to are borrowed until the next lookup with
 * this query, or its end; on errors and HOLDFAST_NOT_YET it is NULL.
 * Memory is kept from one lookup to the next: none is allocated but what SQLite
 * may want. HOLDFAST_OK; HOLDFAST_REFUSED: the answer says which values are
 * refused, and none has a value.
 * Errors: HOLDFAST_ERROR_USAGE (a binding is wrong or lacks; the store was
 * replaced by one whose schema does not fit the query), _CORRUPT, _IO, _FULL,
 * _BUSY, _MEMORY, _INTERNAL.
 */
int holdfast_lookup(struct holdfast_query *query,
	const struct holdfast_answer **out, struct holdfast_error *error);

/*
 * The same from a snapshot that holds at least what the answer that gave
 * `position` held: read your write, and never go back, also from one replica
 * to another. Waits for it for wait_ms at most, then HOLDFAST_NOT_YET.
 */
int holdfast_lookup_at_least(struct holdfast_query *query, const char *position,
	uint32_t wait_ms, const struct holdfast_answer **out,
	struct holdfast_error *error);

/* A bool, int64, float64, decimal or timestamp (its microseconds) as a double,
 * as models want it: the nearest one. `otherwise` for all else. */
double holdfast_number(const struct holdfast_value *value, double otherwise);

#ifdef __cplusplus
}
#endif

#endif
