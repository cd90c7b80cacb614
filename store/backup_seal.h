/*
 * The seal of a backup: behind the last page of its database stand what it is
 * a copy of, when it was made, and a hash over all of it. A file without one
 * is no backup; one flipped byte anywhere, in a free page too, is found.
 *
 * SQLite takes the size of a database from its first page and does not look
 * at what is behind (btree.c, lockBtree()): a sealed file opens as any other.
 */
#ifndef HOLDFAST_STORE_BACKUP_SEAL_H
#define HOLDFAST_STORE_BACKUP_SEAL_H

#include "store/layout.h"

#include <stdint.h>

#define BACKUP_SEAL_BYTES 80

struct backup_seal {
	char generation[GENERATION_NAME_MAX]; /* it is a copy of */
	int64_t made_us; /* wall clock: of the moment it holds */
	int64_t bytes;	 /* of the database */
};

/* Hash the file of `fd`, all of it a database, and append the seal;
 * seal->bytes is filled in. Errors: FAULT_IO, FAULT_FULL. */
int backup_seal_put(int fd, struct backup_seal *seal, struct fault *fault);

/* Read the seal alone. 1: found. 0: the file has none: it is no backup, or not
 * whole. Errors: file_fault(). */
int backup_seal_read(
	const char *path, struct backup_seal *out, struct fault *fault);

/* Read it, and the whole file: is it as it was when it was sealed?
 * Errors: FAULT_CORRUPT (it is not), file_fault(). */
int backup_seal_check(
	const char *path, struct backup_seal *out, struct fault *fault);

#endif
