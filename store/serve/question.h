/*
 * A question while it is put together from a request's words: names become
 * views and features, texts become terms. However it is phrased (as a path, as
 * a lookup, as Feast's request), the same functions find the same mistakes.
 *
 * Functions return 0, COMPLAINED with the complaint filled in, or a fault
 * (FAULT_OOM).
 */
#ifndef HOLDFAST_STORE_SERVE_QUESTION_H
#define HOLDFAST_STORE_SERVE_QUESTION_H

#include "store/lookup.h"
#include "store/serve/errors.h"

#include <jansson.h>

/* Values of one reply: some 50 MB of memory at most, before it is printed. */
#define REPLY_VALUES_MAX 1000000

/* What is asked of a view, in order of mention. */
struct asked_view {
	const struct view *view;
	size_t *features; /* features[0..feature_count), room for all */
	bool *taken;	  /* taken[feature]: is it asked for? */
	size_t feature_count;
};

struct question {
	const struct schema *schema;
	struct arena *arena;
	const struct exchange_limits *limits;
	struct fault *fault;
	struct complaint complaint;
	struct asked_view *views; /* views[0..view_count) */
	size_t view_count, feature_count;
	struct terms terms;
	struct position position; /* at_least, where has_position */
	bool has_position;
	int64_t wait_us; /* how long it may wait for that */
	/* what reader_look_up() wants, parts[i] of views[i] */
	struct lookup_part *parts;
	size_t row_count;
};

/* Start a question to the exchange's reader, which there must be. */
int question_start(struct question *question, const struct exchange *exchange,
	struct fault *fault);

/* A fault to return. */
int question_no_memory(const struct question *question);

/* A text of the caller's for "%s", not too much of it. */
const char *question_echo(const struct question *question, struct slice text);

/* Find by name. */
int question_view(
	struct question *question, struct slice name, const struct view **out);
int question_feature(struct question *question, const struct view *view,
	struct slice name, size_t *out);

/* Ask for a feature; twice is a mistake. */
int question_ask(
	struct question *question, const struct view *view, size_t feature);

/* Ask for "view:feature". */
int question_ask_reference(struct question *question, struct slice reference);

/* Ask for each of a list of references by `ask_one`; `none` is said where there
 * are none. */
int question_ask_each(struct question *question, const json_t *references,
	int (*ask_one)(struct question *question, struct slice reference),
	const char *none);

/* Ask for every feature of a service. */
int question_ask_service(struct question *question, struct slice name);

/* One of the settings of a lookup: max_lag, ttl, when_behind, when_expired,
 * when_missing, at_least, wait. */
bool question_is_setting(const char *name);
int question_set(
	struct question *question, const char *name, struct slice text);

/* Complain about a member or parameter that is none of names[0..count). */
int question_unknown_member(struct question *question, const char *given,
	const char *const *names, size_t count);

/* Room for the entities of views[index]: rows of join keys. With entity_count
 * 1 they serve every row. */
int question_entities(struct question *question, size_t index,
	size_t entity_count, struct value **out);

/* Is the answer larger than the limits? To be asked before there is room made
 * for it. */
int question_check_size(struct question *question);

/* The finished question; borrows from `question`. */
struct lookup_question question_finish(
	const struct question *question, int64_t now_us);

#endif
