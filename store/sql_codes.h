/*
 * SQLite's result codes, extended ones too, and what is done about each.
 * Source: sqlite.org/rescode.html; faults.md S4 to S8.
 */
#ifndef HOLDFAST_STORE_SQL_CODES_H
#define HOLDFAST_STORE_SQL_CODES_H

#include "schema/policy.h"

/* The fault for a result code; 0 for one that is no error. An extended code
 * that the table does not have counts as its primary code (code & 0xff), and
 * that, where it is unknown too, as FAULT_INTERNAL. */
int sql_fault_code(int code);

/* What SQLite's own words leave open: what to do. "": nothing. */
const char *sql_advice(int code);

const struct policy_family *sql_codes(void);

#endif
