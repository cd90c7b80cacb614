/*
 * How `holdfast status` tells of the search for a record that ends the process.
 */
#ifndef HOLDFAST_INGEST_COMMAND_STATUS_SEARCH_H
#define HOLDFAST_INGEST_COMMAND_STATUS_SEARCH_H

#include "store/reader.h"

/* A paragraph for people; nothing where there is no search. */
void search_print(const struct reader_search *search);

/* "search": and what there is to say, or null. */
void search_print_json(const struct reader_search *search);

#endif
