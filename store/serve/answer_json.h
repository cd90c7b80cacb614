/*
 * Answers as JSON: the reply of a lookup, and of one that is refused.
 * Source: design section 7; store/serve/API.md.
 */
#ifndef HOLDFAST_STORE_SERVE_ANSWER_JSON_H
#define HOLDFAST_STORE_SERVE_ANSWER_JSON_H

#include "schema/buffer.h"
#include "store/lookup.h"

/* More are counted, not listed: a refusal stays small. */
#define REFUSED_LISTED_MAX 100

/* {"generation": …, "views": {…}}, of `rows` rows. */
void answer_write(
	struct buffer *out, const struct lookup_answer *answer, size_t rows);

/* "generation": …, "as_of": …, "lag_ms": …, "position": … */
void answer_write_truth(struct buffer *out, const struct lookup_answer *answer);

/* {"error": {"code": "refused", …}, …, "refused": […], "refused_count": n} */
void answer_write_refusal(
	struct buffer *out, const struct lookup_answer *answer, size_t rows);

/* How much is refused, and of the first value why: one sentence. */
void answer_write_refusal_text(
	struct buffer *out, const struct lookup_answer *answer, size_t rows);

#endif
