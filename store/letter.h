/*
 * Letters: updates that could not be applied, kept whole. Dead ones wait for a
 * person, parked ones for their time.
 */
#ifndef HOLDFAST_STORE_LETTER_H
#define HOLDFAST_STORE_LETTER_H

#include "schema/record.h"
#include "schema/update.h"

enum letter_kind { LETTER_DEAD, LETTER_PARKED };

enum letter_state {
	LETTER_OPEN,
	LETTER_OVERTAKEN /* its key went to the producer's correction */
};

struct letter {
	enum letter_kind kind;
	int64_t id;	   /* its row; 0 while not written */
	int64_t record;	   /* its payload's row in _record */
	struct slice view; /* as the event named it; "" where it did not */
	uint32_t place;
	enum reason reason;
	struct slice detail;
	bool has_key;
	unsigned char key[KEY_BYTES];
	enum letter_state state; /* of a dead one */
	int64_t acknowledged_us; /* wall clock, or TIMESTAMP_NONE */
	int64_t attempts;	 /* of a parked one: retries so far */
	int64_t due_us;		 /* wall clock; TIMESTAMP_NONE: unknown */
};

/* With the record that it came in. */
struct letter_whole {
	struct letter letter;
	struct record record;
};

#endif
