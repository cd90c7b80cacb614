/*
 * How this process gives memory back that it no longer needs.
 */
#ifndef HOLDFAST_INGEST_COMMAND_MEMORY_H
#define HOLDFAST_INGEST_COMMAND_MEMORY_H

/* Before the first thread starts. */
void memory_give_back(void);

#endif
