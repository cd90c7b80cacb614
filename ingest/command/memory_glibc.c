#include "ingest/command/memory.h"

#include <malloc.h>

/*
 * The allocator moves its limit for what is mapped, and unmapped when it is
 * freed, up to the largest piece that was ever freed, at most 32 MiB: what a
 * broker sends at once, and long records, then lie among short ones, and the
 * holes they leave stay resident (with values of 1 MB half as much again as
 * is in use). A limit that was set stays. Source: mallopt(3), M_MMAP_THRESHOLD.
 */
#define MAPPED_FROM_BYTES (256 * 1024)
/* Setting the former alone brings back this one's small default, and with it
 * system calls for each batch. */
#define KEPT_AT_TOP_BYTES (8 * 1024 * 1024)

void memory_give_back(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_AT_TOP_BYTES);
}
