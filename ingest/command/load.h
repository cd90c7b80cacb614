/*
 * holdfast load: what the command and the store's owner share.
 */
#ifndef HOLDFAST_INGEST_COMMAND_LOAD_H
#define HOLDFAST_INGEST_COMMAND_LOAD_H

/* Lines of one piece, which is one transaction: some 50 ms. */
#define LOAD_AT_ONCE 5000

#endif
