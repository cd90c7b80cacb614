/*
 * What a program that owns its process sets up before it touches a store.
 */
#ifndef HOLDFAST_STORE_PROCESS_H
#define HOLDFAST_STORE_PROCESS_H

/*
 * SQLite counts its memory no more, which would take a lock of the whole
 * process at each allocation: a seventh of the time of lookups on two threads
 * (sqlite.org/c3ref/c_config_getmalloc.html, SQLITE_CONFIG_MEMSTATUS). Once,
 * before anything else of this room. Not for a library: its host may have
 * another mind.
 */
void store_process_init(void);

#endif
