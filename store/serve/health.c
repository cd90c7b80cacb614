/* /livez and /readyz, in kube-apiserver's form. */
#include "schema/buffer.h"
#include "store/serve/endpoints.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"

/* Is `name` one of the query's members, with or without a value? */
static bool query_has(struct slice target, const char *name)
{
	const char *query = target.length == 0
				    ? NULL
				    : memchr(target.data, '?', target.length);
	const char *end = target.data + target.length;
	size_t length = strlen(name);
	while (query != NULL) {
		const char *word = query + 1;
		query = memchr(word, '&', (size_t)(end - word));
		size_t left = (size_t)((query == NULL ? end : query) - word);
		if (left >= length && memcmp(word, name, length) == 0 &&
			(left == length || word[length] == '='))
			return true;
	}
	return false;
}

static int reply(struct exchange *exchange, unsigned status,
	const struct buffer *text, struct fault *fault)
{
	if (text->failed) {
		exchange->reply = (struct reply){.status = 503,
			.content_type = TEXT_PLAIN,
			.body = slice_of("out of memory\n"),
			.retry_after_s = 1};
		return fault_set(fault, FAULT_OOM, "no memory for a reply");
	}
	exchange->reply = (struct reply){
		.status = status,
		.content_type = TEXT_PLAIN,
		.body = buffer_content(text),
		.retry_after_s = status == 503 ? 1 : 0,
	};
	return 0;
}

int health_livez(struct exchange *exchange, struct fault *fault)
{
	struct buffer text = BUFFER_INIT(exchange->arena);
	if (query_has(exchange->request.target, "verbose"))
		buffer_text(&text, "[+]process ok\nlivez check passed\n");
	else
		buffer_text(&text, "ok\n");
	return reply(exchange, 200, &text, fault);
}

static void list_store(struct buffer *text, const struct exchange *exchange)
{
	if (exchange->reader == NULL)
		buffer_print(text, "[-]store failed: %s\n",
			exchange->why_unreadable);
	else
		buffer_text(text, "[+]store ok\n");
}

static void list_ingest(struct buffer *text, const struct exchange *exchange)
{
	switch (counters_ingest(exchange->counters, exchange->now_us)) {
	case INGEST_UP:
		buffer_text(text, "[+]ingest ok\n");
		break;
	case INGEST_UNKNOWN:
		buffer_text(text, "[!]ingest unknown: watched for less than "
				  "3 s\n");
		break;
	case INGEST_DOWN:
		buffer_text(text,
			"[!]ingest degraded: stored nothing for more than 3 s; "
			"lookups are answered as their views say\n");
		break;
	}
}

int health_readyz(struct exchange *exchange, struct fault *fault)
{
	struct buffer text = BUFFER_INIT(exchange->arena);
	bool ready = exchange->reader != NULL;
	if (query_has(exchange->request.target, "verbose")) {
		list_store(&text, exchange);
		list_ingest(&text, exchange);
		buffer_print(&text, "readyz check %s\n",
			ready ? "passed" : "failed");
	} else {
		buffer_text(&text, ready ? "ok\n" : "not ready\n");
	}
	return reply(exchange, ready ? 200 : 503, &text, fault);
}
