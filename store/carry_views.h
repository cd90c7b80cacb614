/*
 * Of a generation in which one view alone is to be another: what the live one
 * holds of all other views, taken over as it is. Internal to store/.
 */
#ifndef HOLDFAST_STORE_CARRY_VIEWS_H
#define HOLDFAST_STORE_CARRY_VIEWS_H

#include "store/carry.h"

/*
 * Rows of all views but carry->view that differ, and partitions of what was
 * loaded out of files (schema/load.h), of which their rows may be; before
 * carry_view_letters().
 * Errors: FAULT_CORRUPT (the live one's rows are damaged), FAULT_REFUSED (one
 * is of an older log), as sql_fault(), FAULT_OOM.
 */
int carry_views(struct carry *carry, struct fault *fault);

/*
 * Letters of all views but carry->view, before carry_letters(), which gives
 * them their ids: those that only the live one has are copied, those that only
 * the built one has are settled as they are there, and their keys and the
 * accounts follow. What became of a settled one, applied or superseded, is
 * known no more: it counts as applied. One that the live one let go is left to
 * carry_letters().
 * Errors: as sql_fault(), FAULT_OOM.
 */
int carry_view_letters(struct carry *carry, struct fault *fault);

#endif
