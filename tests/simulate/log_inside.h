/* What log.c (giving), log_identity.c (is it the same log?) and log_trouble.c
 * (what happens to it) share. */
#ifndef HOLDFAST_TESTS_SIMULATE_LOG_INSIDE_H
#define HOLDFAST_TESTS_SIMULATE_LOG_INSIDE_H

#include "tests/simulate/log.h"

/* The first record at `offset` or behind it. */
size_t log_find(const struct event_log *events, int64_t offset);

/* As it stands in the log. */
struct record log_record(
	const struct event_record *record, const struct log *log);

/* Of what was given and told so far, go on at the first record that is still
 * there. */
void log_reposition(struct log_source *log, int i);

/* By chance, something happens to one of the logs, or to the clock. */
void log_meddle(struct log_source *log);

/* A started partition in doubt is judged: SOURCE_STOPPED, SOURCE_NOTICE, or
 * SOURCE_IDLE where nothing is wrong. */
int log_judge(struct log_source *log, struct source_event *event);

/* The store says that it took what lies below position->next_offset: its trail
 * must tell of the last record that it did take. */
void log_check_trail(
	struct log_source *log, int i, const struct source_position *position);

#endif
