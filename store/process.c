#include "store/process.h"

#include <sqlite3.h>

void store_process_init(void)
{
	/* Refused where SQLite is at work already: then it counts on. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
