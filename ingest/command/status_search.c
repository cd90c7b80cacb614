#include "ingest/command/status_search.h"

#include "ingest/command/value_text.h"

#include <inttypes.h>
#include <stdio.h>

void search_print(const struct reader_search *search)
{
	if (search->batch_records == 0 || search->log == NULL)
		return;
	printf("the process ended %" PRId64 " times without a clean stop, the "
	       "last time at %s:%" PRId32 " offset %" PRId64
	       ": a record that ends it is searched for, %" PRId64
	       " at a time, and parked as crash_loop when it is found; start "
	       "the process again where nothing else does\n\n",
		search->ends, search->log->topic, search->log->partition,
		search->offset, search->batch_records);
}

void search_print_json(const struct reader_search *search)
{
	fputs("\"search\": ", stdout);
	if (search->batch_records == 0 || search->log == NULL) {
		fputs("null", stdout);
		return;
	}
	fputs("{\"topic\": ", stdout);
	string_print_json(slice_of(search->log->topic), stdout);
	printf(", \"partition\": %" PRId32 ", \"offset\": %" PRId64
	       ", \"unclean_ends\": %" PRId64 ", \"batch_records\": %" PRId64
	       ", \"alone_ends\": %" PRId64 "}",
		search->log->partition, search->offset, search->ends,
		search->batch_records, search->alone_ends);
}
