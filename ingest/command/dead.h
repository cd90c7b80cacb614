/*
 * holdfast dead: what its verbs have in common. dead.c picks the verb and reads
 * which letters are meant, dead_list.c shows them, dead_change.c has the owner
 * take them up or lets them go, which is dead_action.c.
 */
#ifndef HOLDFAST_INGEST_COMMAND_DEAD_H
#define HOLDFAST_INGEST_COMMAND_DEAD_H

#include "ingest/command/options.h"
#include "store/letter_list.h"

/* What an owner is asked to do at once: well under a second. */
#define DEAD_AT_ONCE 5000

#define DEAD_TIME_MAX INT64_C(253402300799999999) /* the year 9999 ends */

/* Options of all verbs; one that a verb does not take stays unset. */
struct dead_options {
	bool parked;
	char *reason, *view, *topic;
	int64_t since_us, until_us; /* 0: unset */
	struct texts ids;
	bool all;
	int64_t limit, after;
	bool dry_run, force;
	char *because;
};

/* Rows of a verb's table of options: which letters. */
#define DEAD_FILTER_FIELDS                                                     \
	{"reason", FIELD_TEXT, offsetof(struct dead_options, reason), NULL, 0, \
		0, "REASON", "as `holdfast status` names it"},                 \
		{"view", FIELD_TEXT, offsetof(struct dead_options, view),      \
			NULL, 0, 0, "VIEW", "as the event named it"},          \
		{"topic", FIELD_TEXT, offsetof(struct dead_options, topic),    \
			NULL, 0, 0, "TOPIC", "that the record is of"},         \
		{"since", FIELD_TIME, offsetof(struct dead_options, since_us), \
			NULL, 1, DEAD_TIME_MAX, "TIME",                        \
			"the record's timestamp, RFC 3339, or later"},         \
		{"until", FIELD_TIME, offsetof(struct dead_options, until_us), \
			NULL, 1, DEAD_TIME_MAX, "TIME", "before it"},          \
	{                                                                      \
		"id", FIELD_TEXTS, offsetof(struct dead_options, ids), NULL,   \
			0, 0, "ID", "this one; may be given again"             \
	}
#define DEAD_PARKED_FIELD                                                      \
	{                                                                      \
		"parked", FIELD_FLAG, offsetof(struct dead_options, parked),   \
			NULL, 0, 0, NULL,                                      \
			"of what is parked, not of what is dead; ids of "      \
			"their own"                                            \
	}

/* Which letters the options mean; ids[0..TEXTS_MAX) is the room for theirs.
 * Borrows from both. Errors: FAULT_USAGE. */
int dead_filter(const struct dead_options *options, int64_t *ids,
	struct letter_filter *out, struct fault *fault);

/* Ids of texts[0..count). Errors: FAULT_USAGE. */
int dead_ids(
	char *const *texts, size_t count, int64_t *ids, struct fault *fault);

/* The verbs; argv[0] is the verb. Each returns the exit status. */
int dead_list(int argc, char **argv);
int dead_show(int argc, char **argv);
int dead_retry(int argc, char **argv);
int dead_drop(int argc, char **argv);
int dead_export(int argc, char **argv);

#endif
