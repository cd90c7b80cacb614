/*
 * Policies: what is done about an error, whoever reports it.
 *
 * Each room has one table of the errors that its outside world can give:
 * schema/disposition.h (events), store/sql_codes.h (SQLite),
 * store/file_codes.h (the file system), ingest/kafka/kafka_codes.h (Kafka).
 * The code asks these tables what to do, and `holdfast faults` prints them.
 * Only what an event itself holds is ever parked or made a dead letter: no
 * error of the infrastructure is.
 */
#ifndef HOLDFAST_SCHEMA_POLICY_H
#define HOLDFAST_SCHEMA_POLICY_H

#include <stdbool.h>
#include <stddef.h>

enum policy {
	POLICY_NONE,   /* an ordinary answer */
	POLICY_RETRY,  /* the same again, in place, after a pause */
	POLICY_WAIT,   /* ingest waits until it ends; serving goes on */
	POLICY_STOP,   /* this partition stops; the others go on */
	POLICY_PARK,   /* this update waits; those behind it don't */
	POLICY_DEAD,   /* this update becomes a dead letter */
	POLICY_EXIT,   /* the process exits, and starts clean */
	POLICY_REFUSE, /* it does not start, nor write */
	POLICY_COUNT
};

/* "retry", "stop_partition"; stable. */
const char *policy_name(enum policy policy);

/* One sentence for an operator. */
const char *policy_meaning(enum policy policy);

/* What a fault (enum fault_code) asks of whoever gets it. */
enum policy policy_of_fault(int code);

/* Does it pass if one waits, so that the same may be tried again? */
bool policy_passes(enum policy policy);

/* One line of a table. Texts live as long as the program. */
struct policy_entry {
	int code;	  /* 0 where the table goes by name */
	const char *name; /* SQLITE_FULL, ENOSPC, bad_json */
	enum policy policy;
	const char *meaning; /* what it says */
	const char *advice;  /* what to do; "" if nothing */
};

/* A table: entries 0, 1, … until at() gives false. */
struct policy_family {
	const char *name;
	const char *otherwise; /* what codes in no line mean */
	bool (*at)(size_t index, struct policy_entry *out);
};

/* The faults of schema/fault.h, which the other tables lead to. */
const struct policy_family *policy_faults(void);

#endif
