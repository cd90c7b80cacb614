/*
 * Why a rebuilt generation differs from the live one, where decisions are the
 * reason: letters that only one of the two has, since somebody forced them in,
 * or what judged them changed, or they end the process; gaps that were accepted
 * though the log holds them again; and, with --partial, what the log lost.
 */
#ifndef HOLDFAST_INGEST_COMMAND_REBUILD_CAUSES_H
#define HOLDFAST_INGEST_COMMAND_REBUILD_CAUSES_H

#include "schema/decode.h"
#include "store/generation_diff.h"

struct causes; /* opaque */

/*
 * While both stand at the same offsets. `limits` are the pipeline's; its schema
 * is not looked at. The readers stay open until causes_free(), which the caller
 * calls. Errors: as reader_letters(), FAULT_OOM.
 */
int causes_find(struct causes **out, struct reader *live, struct reader *built,
	const struct decoder *limits, struct fault *fault);

/* NULL is allowed. */
void causes_free(struct causes *causes);

/*
 * What explains a difference (left: the live one's), in words that are valid
 * until the next call. NULL: nothing that is known.
 *
 * A letter explains the features that its update has, of its entity. A gap
 * explains values that are of a record in it: not a sum to which records beyond
 * it came.
 */
const char *causes_of(struct causes *causes, const struct difference *one);

#endif
