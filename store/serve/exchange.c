/*
 * From a request to its reply: which endpoint, which question, which form.
 */
#include "store/serve/exchange.h"

#include "store/serve/answer_json.h"
#include "store/serve/endpoints.h"
#include "store/serve/feast.h"
#include "store/serve/path.h"
#include "store/serve/question_read.h"

#define VIEWS_PATH "v1/views"

struct route {
	const char *path; /* without slashes around it */
	enum endpoint endpoint;
	const char *allow;
	int (*run)(struct exchange *exchange, struct fault *fault);
};

/* The path of a fixed route: slashes at its end are not looked at. */
static struct slice fixed_path(struct slice path)
{
	while (path.length > 0 && path.data[path.length - 1] == '/')
		path.length--;
	return path;
}

/* Which of the two forms a reply has. */
static bool is_feast(const struct exchange *exchange)
{
	struct target target = target_split(exchange->request.target);
	return exchange->endpoint == ENDPOINT_FEAST ||
	       feast_absent(fixed_path(target.path)) != NULL;
}

static void reply_error(
	struct exchange *exchange, enum error error, const char *message)
{
	if (is_feast(exchange))
		feast_error(exchange, error, message);
	else
		error_reply(exchange, error, message);
}

static void reply_complaint(
	struct exchange *exchange, const struct complaint *complaint)
{
	if (is_feast(exchange))
		feast_complain(exchange, complaint);
	else
		error_reply(exchange, complaint->error, complaint->message);
}

static const char *text_of_error(enum error error)
{
	switch (error) {
	case ERROR_OUT_OF_MEMORY:
		return "no memory for this: ask for less, or try again";
	case ERROR_STORE_BUSY:
		return "the store is busy: try again";
	default:
		return "a mistake of this server's; its log says more";
	}
}

/* Reply with what went wrong; the code goes on to the server. */
static int reply_fault(
	struct exchange *exchange, int code, const struct fault *fault)
{
	enum error error = error_of_fault(code);
	const char *text = error == ERROR_STORE_UNREADABLE
				   ? arena_print(exchange->arena,
					     "the store can't be read: %s",
					     fault == NULL ? "" : fault->text)
				   : text_of_error(error);
	reply_error(exchange, error, text);
	return code;
}

static int reply_unreadable(struct exchange *exchange)
{
	reply_error(exchange, ERROR_STORE_UNREADABLE,
		arena_print(exchange->arena, "the store can't be read: %s",
			exchange->why_unreadable == NULL
				? "it is not open"
				: exchange->why_unreadable));
	return EXCHANGE_REPLY;
}

/* For the server's counters. */
static void count(struct exchange *exchange, const struct lookup_answer *answer)
{
	for (size_t i = 0; i < answer->part_count; i++) {
		const struct lookup_part_answer *part = &answer->parts[i];
		size_t values =
			part->part->entity_count * part->part->feature_count;
		exchange->entities += part->part->entity_count;
		for (size_t j = 0; j < values; j++)
			exchange->values[part->values[j].verdict.status]++;
	}
}

/* Ask the store. *out is in the exchange's arena. Results: reader_look_up().
 */
static int look_up(struct exchange *exchange, const struct question *question,
	struct lookup_answer **out, struct fault *fault)
{
	struct lookup_question asked =
		question_finish(question, exchange->now_us);
	*out = arena_take(exchange->arena, sizeof **out);
	if (*out == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for an answer");
	int rc = reader_look_up(
		exchange->reader, &asked, exchange->arena, *out, fault);
	if (rc == LOOKUP_ANSWERED)
		count(exchange, *out);
	return rc;
}

/* The result of an exchange whose reply is what `out` holds. */
static int sent(const struct buffer *out, struct fault *fault)
{
	return out->failed
		       ? fault_set(fault, FAULT_OOM, "no memory for a reply")
		       : EXCHANGE_REPLY;
}

static int not_yet(struct exchange *exchange, const struct question *question)
{
	exchange->wait_us = question->wait_us;
	if (exchange->waited_us < question->wait_us)
		return EXCHANGE_WAIT;
	error_reply(exchange, ERROR_POSITION_NOT_TAKEN,
		"this store has not taken at_least's position yet: try again, "
		"with a longer wait, or ask without it");
	return EXCHANGE_REPLY;
}

/* Answer a question that was read with `rc`. */
static int answer_question(struct exchange *exchange,
	const struct question *question, int rc, struct fault *fault)
{
	struct lookup_answer *answer = NULL;
	struct buffer out = BUFFER_INIT(exchange->arena);
	if (rc == COMPLAINED) {
		reply_complaint(exchange, &question->complaint);
		return EXCHANGE_REPLY;
	}
	if (rc == 0)
		rc = look_up(exchange, question, &answer, fault);
	if (rc < 0)
		return reply_fault(exchange, rc, fault);
	if (rc > 0)
		return not_yet(exchange, question);
	if (answer->refused > 0)
		answer_write_refusal(&out, answer, question->row_count);
	else
		answer_write(&out, answer, question->row_count);
	reply_json(exchange,
		answer->refused > 0 ? error_status(ERROR_REFUSED) : 200, &out);
	return sent(&out, fault);
}

static int run_lookup(struct exchange *exchange, struct fault *fault)
{
	struct question question;
	if (exchange->reader == NULL)
		return reply_unreadable(exchange);
	int rc = question_start(&question, exchange, fault);
	if (rc == 0)
		rc = question_read_lookup(&question, exchange->request.body);
	return answer_question(exchange, &question, rc, fault);
}

/* What follows "v1/views/"; absent where nothing does. */
static struct slice behind_route(struct slice path)
{
	size_t length = sizeof VIEWS_PATH;
	if (path.length < length)
		return (struct slice){NULL, 0};
	return (struct slice){path.data + length, path.length - length};
}

static int run_view(struct exchange *exchange, struct fault *fault)
{
	struct question question;
	struct target target = target_split(exchange->request.target);
	if (exchange->reader == NULL)
		return reply_unreadable(exchange);
	int rc = question_start(&question, exchange, fault);
	if (rc == 0)
		rc = question_read_path(
			&question, behind_route(target.path), target.query);
	return answer_question(exchange, &question, rc, fault);
}

static void reply_refusal_feast(struct exchange *exchange,
	const struct lookup_answer *answer, size_t rows)
{
	struct buffer text = BUFFER_INIT(exchange->arena);
	answer_write_refusal_text(&text, answer, rows);
	buffer_byte(&text, '\0');
	feast_error(exchange, ERROR_REFUSED,
		text.failed ? NULL : buffer_content(&text).data);
}

static int run_feast(struct exchange *exchange, struct fault *fault)
{
	struct feast_request request = {0};
	struct lookup_answer *answer = NULL;
	struct buffer out = BUFFER_INIT(exchange->arena);
	if (exchange->reader == NULL)
		return reply_unreadable(exchange);
	int rc = question_start(&request.question, exchange, fault);
	if (rc == 0)
		rc = feast_read(&request, exchange->request.body);
	if (rc == COMPLAINED) {
		reply_complaint(exchange, &request.question.complaint);
		return EXCHANGE_REPLY;
	}
	if (rc == 0)
		rc = look_up(exchange, &request.question, &answer, fault);
	if (rc != 0)
		return reply_fault(exchange, rc, fault);
	exchange->reply.truth = answer;
	if (answer->refused > 0) {
		reply_refusal_feast(
			exchange, answer, request.question.row_count);
		return EXCHANGE_REPLY;
	}
	feast_write(&out, &request, answer);
	reply_json(exchange, 200, &out);
	return sent(&out, fault);
}

static const struct route views_route = {
	VIEWS_PATH, ENDPOINT_VIEW, "GET, HEAD", run_view};

static const struct route routes[] = {
	{"v1/lookup", ENDPOINT_LOOKUP, "POST", run_lookup},
	{"get-online-features", ENDPOINT_FEAST, "POST", run_feast},
	{"livez", ENDPOINT_LIVEZ, "GET, HEAD", health_livez},
	{"readyz", ENDPOINT_READYZ, "GET, HEAD", health_readyz},
	{"health", ENDPOINT_READYZ, "GET, HEAD", health_readyz},
	{"metrics", ENDPOINT_METRICS, "GET, HEAD", metrics_write},
	{"", ENDPOINT_PAGE, "GET, HEAD", page_write},
};

static bool starts_with(struct slice text, struct slice start)
{
	return text.length >= start.length &&
	       slice_equal((struct slice){text.data, start.length}, start);
}

/* NULL: there is none. Behind /v1/views/ each slash counts. */
static const struct route *find_route(const struct target *target)
{
	struct slice path = target->path;
	if (!target->rooted)
		return NULL;
	if (starts_with(path, slice_of(VIEWS_PATH "/")) ||
		slice_equal(path, slice_of(VIEWS_PATH)))
		return &views_route;
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		if (slice_equal(slice_of(routes[i].path), fixed_path(path)))
			return &routes[i];
	return NULL;
}

static int reply_no_route(
	struct exchange *exchange, const struct target *target)
{
	const char *text = feast_absent(fixed_path(target->path));
	reply_error(exchange, ERROR_NO_ROUTE,
		text != NULL ? text
			     : "there is nothing here: lookups are GET "
			       "/v1/views/{view}/{key}, POST /v1/lookup and "
			       "POST /get-online-features");
	return EXCHANGE_REPLY;
}

static int reply_method(struct exchange *exchange, const struct route *route)
{
	reply_error(exchange, ERROR_METHOD_NOT_ALLOWED,
		arena_print(exchange->arena, "/%s takes %s only", route->path,
			route->allow));
	exchange->reply.allow = route->allow;
	return EXCHANGE_REPLY;
}

static bool allows(const struct route *route, enum http_method method)
{
	bool post = strcmp(route->allow, "POST") == 0;
	return post ? method == HTTP_POST
		    : method == HTTP_GET || method == HTTP_HEAD;
}

/* Where the request goes; sets the endpoint. */
static const struct route *route_to(
	struct exchange *exchange, struct target *target)
{
	*target = target_split(exchange->request.target);
	const struct route *route = find_route(target);
	exchange->endpoint = route == NULL ? ENDPOINT_NONE : route->endpoint;
	return route;
}

int exchange_run(struct exchange *exchange, struct fault *fault)
{
	struct target target;
	exchange->reply = (struct reply){0};
	exchange->entities = 0;
	memset(exchange->values, 0, sizeof exchange->values);
	const struct route *route = route_to(exchange, &target);
	if (route == NULL)
		return reply_no_route(exchange, &target);
	if (!allows(route, exchange->request.method))
		return reply_method(exchange, route);
	return route->run(exchange, fault);
}

void exchange_refuse(
	struct exchange *exchange, enum error error, const char *message)
{
	struct target target;
	exchange->reply = (struct reply){0};
	route_to(exchange, &target);
	reply_error(exchange, error, message);
}
