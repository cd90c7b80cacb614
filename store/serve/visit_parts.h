/*
 * What visit.c (a request from its beginning to its end), visit_body.c (what
 * comes in) and visit_reply.c (what goes out) share.
 */
#ifndef HOLDFAST_STORE_SERVE_VISIT_PARTS_H
#define HOLDFAST_STORE_SERVE_VISIT_PARTS_H

#include "store/serve/errors.h"
#include "store/serve/serving.h"

/* False when out of memory. */
bool bytes_reserve(struct bytes *bytes, size_t capacity);
void bytes_free(struct bytes *bytes);

/* Not NULL, also where there are none. */
static inline struct slice bytes_slice(const struct bytes *bytes)
{
	return (struct slice){
		bytes->data == NULL ? "" : bytes->data, bytes->length};
}

struct request_line {
	const char *method, *url, *version; /* as libmicrohttpd gives them */
};

/* The headers are there: what says that it is too long is refused before it
 * comes. The result is for libmicrohttpd, as with those below. */
enum MHD_Result visit_take_headers(struct visit *visit,
	struct MHD_Connection *connection, const struct request_line *line);

/* Take data[0..*size), or refuse. */
enum MHD_Result visit_take_body(
	struct visit *visit, const char *data, size_t *size);
void visit_release_body(struct visit *visit);

/* The arena of the request's reply, made empty. NULL: no memory. */
struct arena *visit_fresh_arena(struct visit *visit);

/* The reply is there: what was needed to make it is let go, and what it holds
 * itself is charged to what all replies share; where that is too much it
 * becomes a refusal. */
void visit_charge_reply(struct visit *visit);
void visit_release_reply(struct visit *visit);

/* What the server itself refuses: becomes the exchange's reply. */
void visit_refuse(struct visit *visit, enum error error, const char *message);

/* Send the exchange's reply, which stays as it is until visit_complete(). */
enum MHD_Result visit_send_reply(
	struct visit *visit, struct MHD_Connection *connection);

/* Send it while the body still comes, and end the connection. */
enum MHD_Result visit_refuse_midway(struct visit *visit);

#endif
