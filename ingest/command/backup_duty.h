/*
 * The owner's duty for backups: one is begun when it is due, copied while no
 * batches come (between batches the store does so itself), and told about when
 * it ended.
 *
 * Threads: that of the pipeline's `wants` and `attend`.
 */
#ifndef HOLDFAST_INGEST_COMMAND_BACKUP_DUTY_H
#define HOLDFAST_INGEST_COMMAND_BACKUP_DUTY_H

#include "ingest/clock.h"
#include "ingest/command/config.h"
#include "store/store.h"

struct backup_duty {
	struct store *store; /* borrowed, as are these */
	const struct config *config;
	struct clock *clock;
	int64_t due_us; /* wall clock; INT64_MAX: never by itself */
};

/* The next one is due `backup.every` after the newest that is there. */
void backup_duty_init(struct backup_duty *duty, struct store *store,
	const struct config *config, struct clock *clock);

/* Is there something to do? Cheap. */
bool backup_duty_wants(const struct backup_duty *duty);

/* Do it, in some milliseconds. What goes wrong with a backup is told, and ends
 * nothing. Returns 0. Errors: FAULT_IO, FAULT_FENCED (the store's own). */
int backup_duty_attend(struct backup_duty *duty, struct fault *fault);

#endif
