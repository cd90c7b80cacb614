/*
 * Who reads from a store's WAL, by process. While a snapshot is held the WAL
 * can't be emptied.
 *
 * Source: sqlite.org/walformat.html section 2.3: a reader holds a shared lock
 * on one of the bytes 123 to 127 of the -shm file; proc(5), /proc/locks. A
 * process of another PID namespace is not shown there.
 */
#ifndef HOLDFAST_STORE_WAL_READERS_H
#define HOLDFAST_STORE_WAL_READERS_H

#include <stddef.h>

/* "process 4711 (python3), process 4712 (sqlite3)" into out[0..size), without
 * this process; as many as fit. Returns how many there are. */
size_t wal_readers_name(const char *database, char *out, size_t size);

/* The same for the live generation of the store in `directory`. */
size_t wal_readers_of(const char *directory, char *out, size_t size);

#endif
