/*
 * What can be wrong with a request: a closed list, one spelling and one status
 * each, documented in store/serve/API.md. 4xx is the caller's mistake, and
 * sending it again changes nothing; 503 is ours, and passes.
 */
#ifndef HOLDFAST_STORE_SERVE_ERRORS_H
#define HOLDFAST_STORE_SERVE_ERRORS_H

#include "store/serve/exchange.h"

enum error {
	ERROR_BAD_HEADERS,  /* 400: unclear where the body ends */
	ERROR_BAD_PATH,	    /* 400: escapes, NUL, UTF-8; keys too few, many */
	ERROR_BAD_JSON,	    /* 400: the body is not JSON */
	ERROR_BAD_MEMBER,   /* 400: unknown, twice, of the wrong type */
	ERROR_BAD_FEATURES, /* 400: none, malformed, both kinds */
	ERROR_SAME_FEATURE, /* 400: twice, or two of one name */
	ERROR_BAD_ENTITY,   /* 400: join keys missing, extra, mistyped */
	ERROR_BAD_TERMS,    /* 400: max_lag, ttl, when_…, wait */
	ERROR_BAD_POSITION, /* 400: at_least is no position */
	ERROR_UNKNOWN_VIEW, /* 404 */
	ERROR_UNKNOWN_FEATURE,	  /* 404 */
	ERROR_UNKNOWN_SERVICE,	  /* 404 */
	ERROR_NO_ROUTE,		  /* 404 */
	ERROR_METHOD_NOT_ALLOWED, /* 405 */
	ERROR_REFUSED,		  /* 412: by the terms */
	ERROR_POSITION_NOT_TAKEN, /* 412: at_least, not within `wait` */
	ERROR_BODY_TOO_LARGE,	  /* 413 */
	ERROR_TOO_MANY,		  /* 413: rows, features or values */
	ERROR_INTERNAL,		  /* 500: a bug of ours */
	ERROR_STORE_UNREADABLE,	  /* 503 */
	ERROR_STORE_BUSY,	  /* 503 */
	ERROR_OUT_OF_MEMORY,	  /* 503 */
	ERROR_OVERLOADED,	  /* 503: more requests than the limits say */
	ERROR_COUNT
};

/* "unknown_view", 404. */
const char *error_name(enum error error);
unsigned error_status(enum error error);

/* A caller's mistake, found while reading a request. */
struct complaint {
	enum error error;
	const char *message; /* what was wrong, where, what to do */
	const char *place;   /* member of the body; NULL: the body itself */
	const char *name;    /* member of that member; NULL: none */
};

/* Of functions that read requests: the complaint is filled in. */
#define COMPLAINED 1

/* How much of the caller's text a message repeats. */
#define ECHO_BYTES_MAX 80

/* Print the message, in `arena`. Returns COMPLAINED. */
int complain(struct complaint *complaint, struct arena *arena, enum error error,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Fill in exchange->reply: {"error": {"code": …, "message": …}}. */
void error_reply(
	struct exchange *exchange, enum error error, const char *message);

/*
 * Answer a request that does not come to be run: the server is overloaded, the
 * body too large or too slow. Sets endpoint and reply, in the form of the
 * endpoint that the target names.
 */
void exchange_refuse(
	struct exchange *exchange, enum error error, const char *message);

/* What a fault of the store is to callers. */
enum error error_of_fault(int code);

/* The reply's body is what `out` holds; without memory a text that needs
 * none, and 503. */
void reply_json(
	struct exchange *exchange, unsigned status, const struct buffer *out);

#endif
