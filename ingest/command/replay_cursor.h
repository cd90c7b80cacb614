/*
 * Where an interrupted replay goes on: a small file beside the store, which
 * counts only for the same question. It is gone when the replay is done.
 */
#ifndef HOLDFAST_INGEST_COMMAND_REPLAY_CURSOR_H
#define HOLDFAST_INGEST_COMMAND_REPLAY_CURSOR_H

#include "ingest/replay.h"

#define REPLAY_CURSOR_NAME "replay.json" /* in the store's directory */

struct replay_cursor {
	struct replay_before before;
	struct replay_place *places; /* places[0..count), owned */
	size_t count;
};

/* `question` is what was asked, as text. 1: *out is where it goes on. 0: it was
 * not asked, or what is there can't be read: from the beginning. In any case
 * the caller calls replay_cursor_finish(). */
int replay_cursor_read(
	struct replay_cursor *out, const char *directory, const char *question);
void replay_cursor_finish(struct replay_cursor *cursor);

/* `before` is where the replay itself went on: partitions of it that it did not
 * come to yet stay as they were. Errors: FAULT_IO, FAULT_OOM. */
int replay_cursor_write(const struct replay *replay,
	const struct replay_cursor *before, const char *directory,
	const char *question, struct fault *fault);
void replay_cursor_remove(const char *directory);

#endif
