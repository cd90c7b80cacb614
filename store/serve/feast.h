/*
 * Feast's feature server, as far as it reads: POST /get-online-features.
 *
 * What differs from a lookup is the form alone: one list of values a feature,
 * statuses in Feast's words, errors as its clients read them. The terms are
 * those of the views; the truth about lag goes into headers.
 * Source: contracts.md A, B and K; feast-dev/feast,
 * sdk/python/feast/feature_server.py and infra/online_stores/remote.py.
 */
#ifndef HOLDFAST_STORE_SERVE_FEAST_H
#define HOLDFAST_STORE_SERVE_FEAST_H

#include "store/serve/question_read.h"

struct feast_request {
	struct question question;
	bool full_names; /* view__feature */
	/* Join keys to be given back, in the request's order: all that the
	 * schema knows, also of views that are not asked for. */
	struct key_column *keys;
	size_t key_count;
};

/* Read the body; request->question is started. Results: as question.h. */
int feast_read(struct feast_request *request, struct slice body);

void feast_write(struct buffer *out, const struct feast_request *request,
	const struct lookup_answer *answer);

/* Reply with an error, as Feast's clients know it: what is wrong with the
 * request's form as FastAPI says it, all else as one of feast.errors. */
void feast_complain(
	struct exchange *exchange, const struct complaint *complaint);
void feast_error(
	struct exchange *exchange, enum error error, const char *message);

/* What to say to those of Feast's endpoints that this store does not have;
 * NULL for any other path. */
const char *feast_absent(struct slice path);

#endif
