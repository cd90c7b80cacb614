/*
 * One request and its reply, apart from sockets and threads: what is asked, of
 * which reader, under which limits; what to answer. Everything between the
 * two is a function of these, and is tested and fuzzed as such.
 */
#ifndef HOLDFAST_STORE_SERVE_EXCHANGE_H
#define HOLDFAST_STORE_SERVE_EXCHANGE_H

#include "schema/arena.h"
#include "schema/slice.h"
#include "store/lookup.h"
#include "store/serve/counters.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OTHER };

struct request {
	enum http_method method;
	struct slice target; /* as it came: path and query, still encoded */
	struct slice body;
};

/* The headers a reply may carry beside its type and length. */
struct reply {
	unsigned status;
	const char *content_type;
	struct slice body;	/* in the exchange's arena */
	unsigned retry_after_s; /* 0: no such header */
	const char *allow;	/* of a 405; NULL: no such header */
	/* Of Feast's reply, whose body has no place for the truth about lag:
	 * the headers Holdfast-Generation, -As-Of, -Lag-Ms, -Position. NULL:
	 * none. */
	const struct lookup_answer *truth;
};

struct exchange_limits {
	size_t entities_max, features_max;
	int64_t wait_time_us;
};

struct exchange {
	/* in */
	struct request request;
	struct reader *reader;	    /* NULL: the store can't be opened */
	const char *why_unreadable; /* then */
	struct exchange_limits limits;
	int64_t now_us;
	int64_t waited_us;   /* since this request first had to wait */
	struct arena *arena; /* for all that the exchange makes */
	const struct counters *counters; /* of the server, for its metrics */
	/* out */
	struct reply reply;
	enum endpoint endpoint;
	size_t entities; /* looked up */
	uint64_t values[VALUE_STATUS_COUNT];
	int64_t wait_us; /* of EXCHANGE_WAIT: how long in all it may wait */
};

enum exchange_outcome {
	EXCHANGE_REPLY = 0,
	/* `at_least` is not taken yet and there is time left: run it again,
	 * as it was, a little later. */
	EXCHANGE_WAIT = 1
};

/*
 * Fill in exchange->reply: always something that can be sent, also for what
 * went wrong. A fault of the store is a reply as well (503), and tells the
 * caller by its code that the reader is not to be trusted any more.
 * Errors, with a reply: FAULT_CORRUPT, FAULT_IO, FAULT_BUSY, FAULT_OOM,
 * FAULT_INTERNAL.
 */
int exchange_run(struct exchange *exchange, struct fault *fault);

#endif
