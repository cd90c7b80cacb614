#include "ingest/command/memory.h"

/* Other C libraries have no such limits to set. */
void memory_give_back(void)
{
}
