/*
 * The file system's errors, and what is done about each. SQLite's own calls
 * are judged by store/sql_codes.h.
 */
#ifndef HOLDFAST_STORE_FILE_CODES_H
#define HOLDFAST_STORE_FILE_CODES_H

#include "schema/fault.h"
#include "schema/policy.h"

/* The fault for an errno; FAULT_IO for one that the table does not have. */
int file_fault_code(int error);

/* Record that fault: "<what> <path>: <the system's words>: <what to do>". */
int file_fault(
	struct fault *fault, int error, const char *what, const char *path);

const struct policy_family *file_codes(void);

#endif
