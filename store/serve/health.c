/* /livez and /readyz, in kube-apiserver's form. */
#include "schema/rfc3339.h"
#include "store/serve/endpoints.h"
#include "store/serve/errors.h"
#include "store/serve/figures.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"

/* Is `name` one of the query's members, with or without a value? */
static bool query_has(struct slice target, const char *name)
{
	const char *end = target.data + target.length;
	const char *query = target.length == 0
				    ? NULL
				    : memchr(target.data, '?', target.length);
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

static bool is_verbose(const struct exchange *exchange)
{
	return query_has(exchange->request.target, "verbose");
}

static int reply_text(struct exchange *exchange, unsigned status,
	const struct buffer *text, struct fault *fault)
{
	if (text->failed) {
		error_reply(exchange, ERROR_OUT_OF_MEMORY, "no memory");
		return fault_set(fault, FAULT_OOM, "no memory for a reply");
	}
	exchange->reply = (struct reply){
		.status = status,
		.content_type = TEXT_PLAIN,
		.body = buffer_content(text),
		.retry_after_s = status == 503 ? 1 : 0,
	};
	return EXCHANGE_REPLY;
}

int health_livez(struct exchange *exchange, struct fault *fault)
{
	struct buffer text = BUFFER_INIT(exchange->arena);
	if (is_verbose(exchange))
		buffer_text(&text, "[+]process ok\nlivez check passed\n");
	else
		buffer_text(&text, "ok\n");
	return reply_text(exchange, 200, &text, fault);
}

/* Can a lookup be answered? *why: or else why not. */
static int read_store(
	struct exchange *exchange, const char **why, struct fault *fault)
{
	uint32_t version = 0;
	*why = NULL;
	if (exchange->reader == NULL) {
		*why = exchange->why_unreadable == NULL
			       ? "it is not open"
			       : exchange->why_unreadable;
		return 0;
	}
	int rc = reader_data_version(exchange->reader, &version, fault);
	const struct damage *damage = reader_damage(exchange->reader);
	if (rc == 0 && damage->all)
		rc = damage_fault(damage, "the store", fault);
	if (rc < 0)
		*why = fault == NULL ? "it can't be read" : fault->text;
	return rc;
}

static void list_backup(struct buffer *text, const struct exchange *exchange)
{
	char time[RFC3339_SIZE];
	buffer_print(text,
		"[!]store degraded: lookups are answered from backup %s of %s, "
		"as their views say when behind: %s\n",
		reader_generation(exchange->reader),
		rfc3339_print(reader_backup_made_us(exchange->reader), time),
		exchange->why_unreadable == NULL ? "it can't be read"
						 : exchange->why_unreadable);
}

#define DAMAGE_SHOWN_US INT64_C(60000000) /* after it was met last */

static void list_damage(struct buffer *text, const struct exchange *exchange)
{
	char time[RFC3339_SIZE];
	int64_t met_us = atomic_load(&exchange->counters->damaged_us);
	if (met_us == 0 || exchange->now_us - met_us > DAMAGE_SHOWN_US)
		return;
	buffer_print(text,
		"[!]store degraded: damage was met at %s; what it keeps from "
		"being read is answered from the newest backup, if there is "
		"one: run `holdfast verify`, then restore\n",
		rfc3339_print(met_us, time));
}

/* Of some views, or of what no lookup reads. */
static void list_found(struct buffer *text, const struct damage *damage)
{
	char time[RFC3339_SIZE];
	buffer_print(text,
		"[!]store degraded: %s found damage at %s: %s: ", damage->by,
		rfc3339_print(damage->at_us, time), damage->text);
	if (damage->views[0] == '\0')
		buffer_text(text, "lookups don't read it");
	else
		buffer_print(text,
			"lookups of%sare answered from the newest backup, if "
			"there is one",
			damage->views);
	buffer_text(text, ": restore a backup, or rebuild\n");
}

static void list_store(
	struct buffer *text, const struct exchange *exchange, const char *why)
{
	if (why != NULL) {
		buffer_print(text, "[-]store failed: %s\n", why);
		return;
	}
	if (reader_backup_made_us(exchange->reader) == TIMESTAMP_NONE)
		buffer_print(text, "[+]store ok: generation %s\n",
			reader_generation(exchange->reader));
	else
		list_backup(text, exchange);
	const struct damage *damage = reader_damage(exchange->reader);
	if (damage->found)
		list_found(text, damage);
	else
		list_damage(text, exchange);
}

static void list_ingest(struct buffer *text, struct exchange *exchange)
{
	char time[RFC3339_SIZE];
	int64_t seen_us = atomic_load(&exchange->counters->ingest_seen_us);
	switch (figures_ingest(exchange)) {
	case INGEST_UP:
		buffer_text(text, "[+]ingest ok\n");
		return;
	case INGEST_UNKNOWN:
		buffer_text(text,
			"[+]ingest ok: not watched for 3 s yet, which takes "
			"to tell\n");
		return;
	case INGEST_STOPPED:
		buffer_text(text,
			"[!]ingest degraded: every partition is paused or "
			"stopped, and takes no records: `holdfast status` says "
			"why; lookups are answered as their views say when "
			"behind\n");
		return;
	case INGEST_DOWN:
		buffer_print(text,
			"[!]ingest degraded: nothing was stored %s%s; lookups "
			"are answered as their views say when behind\n",
			seen_us == 0 ? "since this server was started"
				     : "since ",
			seen_us == 0 ? "" : rfc3339_print(seen_us, time));
		return;
	}
}

int health_readyz(struct exchange *exchange, struct fault *fault)
{
	const char *why;
	struct buffer text = BUFFER_INIT(exchange->arena);
	int rc = read_store(exchange, &why, fault);
	if (why != NULL && !is_verbose(exchange)) {
		error_reply(exchange, ERROR_STORE_UNREADABLE, why);
		return rc;
	}
	if (is_verbose(exchange)) {
		list_store(&text, exchange, why);
		list_ingest(&text, exchange);
		buffer_print(&text, "readyz check %s\n",
			why == NULL ? "passed" : "failed");
	} else {
		buffer_text(&text, "ok\n");
	}
	int sent = reply_text(exchange, why == NULL ? 200 : 503, &text, fault);
	return rc < 0 ? rc : sent;
}
