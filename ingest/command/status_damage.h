/*
 * What `holdfast status` says of damage that was found (store/damage.h).
 */
#ifndef HOLDFAST_INGEST_COMMAND_STATUS_DAMAGE_H
#define HOLDFAST_INGEST_COMMAND_STATUS_DAMAGE_H

#include "store/reader.h"

/* Some lines; nothing where none is remembered. */
void damage_print(struct reader *reader);

/* "\"damage\": {…}, ", or null. */
void damage_print_json(struct reader *reader);

#endif
