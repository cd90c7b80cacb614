/*
 * The status page's sentence about damage that is remembered of the store
 * (store/reader.h, reader_damage()).
 */
#ifndef HOLDFAST_STORE_SERVE_PAGE_DAMAGE_H
#define HOLDFAST_STORE_SERVE_PAGE_DAMAGE_H

#include "schema/buffer.h"
#include "store/reader.h"

/* What was found, what it keeps from being done, and what to run. */
void page_damage(struct buffer *out, const struct damage *damage);

#endif
