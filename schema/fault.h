/*
 * Faults: errors as values that the caller owns.
 *
 * One rule for results, everywhere: a function that can fail returns an int.
 * Negative is a fault: forward it unchanged, adding what you were doing with
 * fault_wrap(). Zero is success. Positive is an ordinary outcome that the
 * function's header names and its caller handles.
 */
#ifndef HOLDFAST_SCHEMA_FAULT_H
#define HOLDFAST_SCHEMA_FAULT_H

enum fault_code {
	FAULT_OOM = -1,	      /* memory is exhausted; nothing was changed */
	FAULT_USAGE = -2,     /* command line, configuration or schema file */
	FAULT_IO = -3,	      /* disk or file; after a failed fsync: exit */
	FAULT_FULL = -4,      /* disk full: wait, then try again */
	FAULT_BUSY = -5,      /* somebody holds the database; try again */
	FAULT_CORRUPT = -6,   /* the store's data is damaged */
	FAULT_REFUSED = -7,   /* foreign, newer: nothing was written */
	FAULT_FENCED = -8,    /* another process took this store over */
	FAULT_LOG = -9,	      /* the log changed or lost records */
	FAULT_BROKER = -10,   /* Kafka said no, for good */
	FAULT_INTERNAL = -11, /* SQLite or a library misused; a bug of ours */
	FAULT_LOCKED = -12    /* another process writes the store */
};

struct fault {
	int code;	 /* enum fault_code; 0 while nothing failed */
	char text[1024]; /* what was wrong, where, what to do */
};

/* Record a fault and return `code`, so that `return fault_set(…)` reads well.
 * `fault` may be NULL: then only the code travels. */
int fault_set(struct fault *fault, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Prefix the text with "<context>: " and return `code` unchanged. */
int fault_wrap(struct fault *fault, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The exit status of design section 10: 1 failed, 2 usage or configuration,
 * 3 the data is wrong, 4 refused. */
int fault_exit_status(int code);

#endif
