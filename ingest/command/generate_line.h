/*
 * What the generator decided of a record, and how that is written down. The
 * line follows from options and ticket alone, so a copy needs the ticket only.
 */
#ifndef HOLDFAST_INGEST_COMMAND_GENERATE_LINE_H
#define HOLDFAST_INGEST_COMMAND_GENERATE_LINE_H

#include "ingest/command/generate.h"

enum event_type {
	EVENT_PAYMENT,
	EVENT_PROFILE_CHANGED,
	EVENT_CARD_CLOSED,
	EVENT_STATS /* the bench's one type */
};

struct ticket {
	uint32_t serial; /* number of the record, copies not counted */
	uint32_t entity;
	uint32_t back;	 /* slots its event time lies back; 0: in order */
	uint32_t reused; /* serial of the record whose id it takes, under
			    POISON_KEY_REUSED */
	enum event_type type;
	enum poison poison;
};

/* Merchants, out of the number of cards. */
uint32_t generate_merchants(const struct generate_options *options);

/* Room that any line of these options fits in. */
size_t generate_line_room(const struct generate_options *options);

/* Write the line of `attempt` 1 (the record) or 2 (a copy) to out[0..room);
 * returns its length. */
size_t generate_line(const struct generate_options *options,
	const struct ticket *ticket, int attempt, char *out);

#endif
