/*
 * The schema: which feature views exist and how a topic's records become
 * updates of them. Immutable after loading; shared by all threads.
 *
 * Grammar of the file: design section 4. Names match [a-z][a-z0-9_]{0,62} and
 * do not start with `sqlite_`.
 */
#ifndef HOLDFAST_SCHEMA_SCHEMA_H
#define HOLDFAST_SCHEMA_SCHEMA_H

#include "schema/fault.h"
#include "schema/slice.h"
#include "schema/value.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SCHEMA_FEATURES_MAX 1900 /* SQLite's 2,000 columns less ours */
#define SCHEMA_KEYS_MAX 16	 /* join keys of one entity */
#define SCHEMA_UPDATES_MAX 1024	 /* updates of one record */
#define SCHEMA_IDS_MAX 16	 /* pointers that make one idempotency key */
#define SCHEMA_NAME_MAX 63

enum merge_kind { MERGE_LAST, MERGE_SUM, MERGE_MIN, MERGE_MAX };

/* What to answer instead of a plain value: design section 7. */
enum choice { CHOICE_SERVE, CHOICE_DEFAULT, CHOICE_FAIL, CHOICE_COUNT };

/* "serve", "default", "fail"; and back: false if it is none of them. */
const char *choice_name(enum choice choice);
bool choice_parse(struct slice name, enum choice *out);

struct feature {
	const char *name;
	struct type type;
	enum merge_kind merge;
	int64_t max_length; /* bytes of a string or bytes value; -1: no limit */
	struct value minimum; /* VALUE_UNSET: no bound */
	struct value maximum;
	const json_t *fallback;	    /* the `default` as written; NULL: none */
	struct value default_value; /* typed; VALUE_UNSET: none */
};

struct entity_key {
	const char *name;
	struct type type; /* TYPE_INT64 or TYPE_STRING */
};

struct view {
	const char *name;
	struct entity_key *keys; /* keys[0..key_count), the schema's order */
	size_t key_count;
	struct feature *features; /* features[0..feature_count) */
	size_t feature_count;
	size_t *by_name;    /* feature indices in bytewise order of name */
	bool accumulates;   /* some feature is not MERGE_LAST */
	int64_t ttl_us;	    /* 0: for ever */
	int64_t max_lag_us; /* -1: any */
	enum choice when_behind, when_expired, when_missing;
};

/* An RFC 6901 pointer, split and unescaped; tokens[0..count). */
struct pointer {
	const char *text; /* as written, for messages */
	const char **tokens;
	size_t count;
};

enum operation { OPERATION_UPSERT, OPERATION_REPLACE, OPERATION_DELETE };

/* Where a mapped feature's value comes from: a pointer, or a constant. */
struct mapped_feature {
	size_t feature;		/* index in the view; each once, ascending */
	struct pointer pointer; /* unused when `constant` is set */
	const json_t *constant; /* NULL: take the pointer */
	struct value value;	/* of `constant`, checked against bounds */
};

struct condition {
	struct pointer pointer;
	const json_t *const *values; /* values[0..count), scalars: one must be
					equal, numbers by value */
	size_t count;
};

struct mapping {
	size_t view;
	enum operation operation;
	struct pointer *entity; /* entity[0..view.key_count) */
	struct mapped_feature *features;
	size_t feature_count;
	struct condition *when; /* all must hold */
	size_t when_count;
};

enum missing_key { MISSING_KEY_REJECT, MISSING_KEY_POSITION };
enum unknown_feature {
	UNKNOWN_FEATURE_IGNORE,
	UNKNOWN_FEATURE_PARK,
	UNKNOWN_FEATURE_REJECT
};
enum time_unit { TIME_UNIT_NONE, TIME_UNIT_S, TIME_UNIT_MS, TIME_UNIT_US };

struct source_schema {
	const char *topic;
	bool envelope;	     /* no `updates`: holdfast's own envelope */
	bool compacted;	     /* its topic may be: schema/compaction.h */
	struct pointer *ids; /* ids[0..id_count); envelope: {"/id"} */
	size_t id_count;
	enum missing_key missing_key;
	bool has_event_time;
	struct pointer event_time;
	enum time_unit event_time_unit; /* NONE: RFC 3339 only */
	enum unknown_feature unknown_feature;
	struct mapping *updates; /* updates[0..update_count) */
	size_t update_count;
};

struct service {
	const char *name;
	struct service_feature {
		size_t view, feature;
	} * features;
	size_t feature_count;
};

struct schema {
	struct view *views;
	size_t view_count;
	struct source_schema *sources;
	size_t source_count;
	struct service *services;
	size_t service_count;
	const char *text; /* the file's JSON, comments gone, compact */
	void *memory;	  /* everything above; see schema_free() */
};

/*
 * Parse and validate `text`; `name` is the file for messages. On success the
 * caller owns *out and frees it with schema_free(); on failure *out is NULL
 * and the fault names place, view and feature. Nothing is kept of `text`.
 * Errors: FAULT_USAGE, FAULT_OOM.
 */
int schema_parse(struct schema **out, struct slice text, const char *name,
	struct fault *fault);

/* schema_parse() of a file's content. Errors: also FAULT_USAGE when the file
 * can't be read. */
int schema_load(struct schema **out, const char *path, struct fault *fault);

/* NULL is allowed. */
void schema_free(struct schema *schema);

/* NULL when there is none of that name. */
const struct view *schema_view(const struct schema *schema, struct slice name);
const struct source_schema *schema_source(
	const struct schema *schema, const char *topic);

/* The index of the feature of that name, or -1. */
int view_feature(const struct view *view, struct slice name);

#endif
