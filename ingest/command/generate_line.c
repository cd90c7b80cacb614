#include "ingest/command/generate_line.h"

#include "ingest/command/random.h"
#include "schema/rfc3339.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 2048	 /* any line but for its padding and features */
#define FEATURE_BYTES 64 /* one feature of the bench */
#define TOO_DEEP 80	 /* levels; ingest.depth_max is 64 */
#define TOKEN_BYTES 96

/* A buffer of generate_line_room() bytes: what is put always fits. */
struct text {
	char *data;
	size_t length, room;
};

static void put(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
	size_t room = text->room - text->length;
	va_list arguments;
	va_start(arguments, format);
	int length =
		vsnprintf(text->data + text->length, room, format, arguments);
	va_end(arguments);
	assert(length >= 0 && (size_t)length < room);
	text->length += (size_t)length;
}

static void put_repeated(struct text *text, char c, size_t count)
{
	assert(count < text->room - text->length);
	memset(text->data + text->length, c, count);
	text->length += count;
}

#define PICK(list, random)                                                     \
	((list)[random_below(random, sizeof(list) / sizeof((list)[0]))])

static void put_id(struct text *text, const struct generate_options *options,
	const struct ticket *ticket)
{
	if (ticket->poison == POISON_NO_KEY)
		return;
	uint32_t serial = ticket->poison == POISON_KEY_REUSED ? ticket->reused
							      : ticket->serial;
	struct random random =
		random_of((uint64_t)options->seed + UINT64_C(0x1d), serial);
	put(text, ",\"id\":\"%08" PRIx32 "-%016" PRIx64 "\"", serial,
		random_next(&random));
}

static int64_t event_time_us(
	const struct generate_options *options, const struct ticket *ticket)
{
	/* Two records of one slot differ by how far they lie back. */
	return options->base_time_us +
	       ((int64_t)ticket->serial - ticket->back) * GENERATE_SLOT_US +
	       ticket->back;
}

/* Without a timestamp of its own, a line of a file takes its event time's, and
 * is never in the future. */
static void put_timestamp(struct text *text,
	const struct generate_options *options, const struct ticket *ticket)
{
	char time[RFC3339_SIZE];
	if (ticket->poison == POISON_EVENT_TIME_IN_FUTURE)
		put(text, ",\"timestamp\":\"%s\"",
			rfc3339_print(event_time_us(options, ticket), time));
}

static void put_event_time(struct text *text,
	const struct generate_options *options, const struct ticket *ticket)
{
	char time[RFC3339_SIZE];
	const char *shown = rfc3339_print(event_time_us(options, ticket), time);
	if (ticket->poison == POISON_EVENT_TIME_UNREADABLE)
		shown = "yesterday";
	else if (ticket->poison == POISON_EVENT_TIME_IMPLAUSIBLE)
		shown = "1999-12-31T23:59:59Z";
	else if (ticket->poison == POISON_EVENT_TIME_IN_FUTURE)
		shown = "2099-01-01T00:00:00Z";
	put(text, ",\"at\":\"%s\"", shown);
}

static void put_card(struct text *text, const struct ticket *ticket)
{
	if (ticket->poison == POISON_BAD_ENTITY)
		put(text, ",\"card\":4.5");
	else if (ticket->poison != POISON_MISSING_ENTITY)
		put(text, ",\"card\":\"c%08" PRIu32 "\"", ticket->entity);
}

static void put_payment(struct text *text,
	const struct generate_options *options, const struct ticket *ticket,
	struct random *random)
{
	static const char *const countries[] = {"DE", "FR", "NL", "AT", "PL",
		"IT", "ES", "DK", "SE", "CZ", "BE", "PT"};
	static const char *const channels[] = {
		"chip", "contactless", "online", "wallet"};
	uint64_t merchant = random_below(random, generate_merchants(options));
	uint64_t cents = 100 + random_below(random, 50000);
	put(text, ",\"merchant\":\"m%06" PRIu64 "\"", merchant);
	if (ticket->poison == POISON_TYPE_MISMATCH)
		put(text, ",\"amount\":true");
	else
		put(text, ",\"amount\":%" PRIu64 ".%02" PRIu64, cents / 100,
			cents % 100);
	put(text, ",\"currency\":\"EUR\",\"country\":\"%s\",\"channel\":\"%s\"",
		PICK(countries, random), PICK(channels, random));
	put(text, ",\"terminal\":\"t-%04" PRIx64 "\"",
		random_below(random, 0x10000));
}

static void put_taste(
	struct text *text, const struct ticket *ticket, struct random *random)
{
	int length = ticket->poison == POISON_WRONG_LENGTH ? 3 : 4;
	put(text, ",\"taste\":[");
	/* Eighths: what a float32 holds exactly. */
	for (int i = 0; i < length; i++)
		put(text, "%s%.3f", i == 0 ? "" : ",",
			(double)random_below(random, 64) / 8 - 4);
	put(text, "]");
}

/* A profile names what changed, and always the tier. */
static void put_profile(
	struct text *text, const struct ticket *ticket, struct random *random)
{
	static const char *const tiers[] = {"basic", "silver", "gold", "metal"};
	static const char *const segments[] = {"\"student\"", "\"family\"",
		"\"business\"", "\"senior\"", "null"};
	bool all = ticket->poison != POISON_NONE;
	put(text, ",\"tier\":\"%s\"", PICK(tiers, random));
	if (ticket->poison == POISON_OUT_OF_RANGE)
		put(text, ",\"credit_limit\":9223372036854775808");
	else if (ticket->poison == POISON_OUT_OF_BOUNDS)
		put(text, ",\"credit_limit\":-1");
	else if (random_below(random, 10) < 6)
		put(text, ",\"credit_limit\":%" PRIu64,
			500 * (1 + random_below(random, 40)));
	if (random_below(random, 2) == 0)
		put(text, ",\"contactless\":%s",
			random_below(random, 2) == 0 ? "true" : "false");
	if (random_below(random, 2) == 0)
		put(text, ",\"segment\":%s", PICK(segments, random));
	if (all || random_below(random, 2) == 0)
		put_taste(text, ticket, random);
}

static void put_sum(struct text *text, const struct ticket *ticket, size_t i,
	struct random *random)
{
	if (i == 0 && ticket->poison == POISON_TYPE_MISMATCH)
		put(text, ",\"sum_0\":1.5");
	else if (i == 0 && ticket->poison == POISON_OUT_OF_RANGE)
		put(text, ",\"sum_0\":9223372036854775808");
	else if (i % 2 == 0)
		put(text, ",\"sum_%zu\":%" PRIu64, i,
			1 + random_below(random, 100));
	else
		put(text, ",\"sum_%zu\":%" PRIu64 ".%02" PRIu64, i,
			random_below(random, 1000), random_below(random, 100));
}

/* `last_N`: texts, real numbers and integers in turn, from the first on. */
static void put_last(
	struct text *text, size_t i, size_t turn, struct random *random)
{
	uint64_t number = random_next(random);
	if (turn % 3 == 0)
		put(text, ",\"last_%zu\":\"%016" PRIx64 "\"", i, number);
	else if (turn % 3 == 1)
		put(text, ",\"last_%zu\":%" PRIu64 ".%03" PRIu64, i,
			number % 10000, number / 10000 % 1000);
	else
		put(text, ",\"last_%zu\":%" PRIu64, i, number % 1000000000);
}

static void put_stats(struct text *text, const struct generate_options *options,
	const struct ticket *ticket, struct random *random)
{
	if (ticket->poison == POISON_BAD_ENTITY)
		put(text, ",\"entity\":\"none\"");
	else if (ticket->poison != POISON_MISSING_ENTITY)
		put(text, ",\"entity\":%" PRIu32, ticket->entity);
	size_t sums = (size_t)options->sums;
	for (size_t i = 0; i < (size_t)options->features; i++)
		if (i < sums)
			put_sum(text, ticket, i, random);
		else
			put_last(text, i, i - sums, random);
}

static void put_poison(struct text *text, enum poison poison)
{
	if (poison == POISON_NONE)
		return;
	put(text, ",\"poison\":\"%s\"", poison_name(poison));
	if (poison == POISON_BAD_UTF8)
		put(text, ",\"note\":\"caf\xe9\"");
	if (poison == POISON_DUPLICATE_MEMBER)
		put(text, ",\"note\":\"one\",\"note\":\"two\"");
	if (poison == POISON_TOO_DEEP) {
		put(text, ",\"note\":");
		put_repeated(text, '[', TOO_DEEP);
		put_repeated(text, ']', TOO_DEEP);
	}
}

static void put_padding(struct text *text, size_t begin, int64_t value_bytes)
{
	static const char around[] = ",\"pad\":\"\"}";
	size_t length = text->length - begin + 1;
	size_t wanted = (size_t)value_bytes;
	if (length >= wanted)
		return;
	size_t least = length + sizeof around - 2;
	put(text, ",\"pad\":\"");
	put_repeated(text, '.', wanted > least ? wanted - least : 0);
	put(text, "\"");
}

static void put_value(struct text *text, const struct generate_options *options,
	const struct ticket *ticket, int attempt)
{
	static const char *const types[] = {
		[EVENT_PAYMENT] = "payment",
		[EVENT_PROFILE_CHANGED] = "profile_changed",
		[EVENT_CARD_CLOSED] = "card_closed",
		[EVENT_STATS] = "stats",
	};
	struct random random =
		random_of((uint64_t)options->seed, ticket->serial);
	size_t begin = text->length;
	put(text, "{\"type\":\"%s\"", types[ticket->type]);
	put_id(text, options, ticket);
	put_event_time(text, options, ticket);
	if (ticket->type == EVENT_STATS)
		put_stats(text, options, ticket, &random);
	else
		put_card(text, ticket);
	if (ticket->type == EVENT_PAYMENT)
		put_payment(text, options, ticket, &random);
	if (ticket->type == EVENT_PROFILE_CHANGED)
		put_profile(text, ticket, &random);
	put(text, ",\"attempt\":%d", attempt);
	put_poison(text, ticket->poison);
	put_padding(text, begin, options->value_bytes);
	put(text, "}");
}

/* A value that is no JSON of ours can't stand inside a whole record. */
static bool is_bare(enum poison poison)
{
	return poison == POISON_BAD_JSON || poison == POISON_BAD_UTF8 ||
	       poison == POISON_DUPLICATE_MEMBER || poison == POISON_TOO_DEEP;
}

uint32_t generate_merchants(const struct generate_options *options)
{
	return (uint32_t)(options->entities < 20 ? 1 : options->entities / 20);
}

size_t generate_line_room(const struct generate_options *options)
{
	return LINE_BYTES + (size_t)options->value_bytes +
	       (size_t)options->features * FEATURE_BYTES;
}

size_t generate_line(const struct generate_options *options,
	const struct ticket *ticket, int attempt, char *out)
{
	struct text text = {out, 0, generate_line_room(options)};
	if (is_bare(ticket->poison)) {
		put_value(&text, options, ticket, attempt);
		if (ticket->poison == POISON_BAD_JSON)
			text.length--;
		return text.length;
	}
	if (ticket->type == EVENT_STATS)
		put(&text, "{\"key\":\"%" PRIu32 "\"", ticket->entity);
	else
		put(&text, "{\"key\":\"c%08" PRIu32 "\"", ticket->entity);
	put_timestamp(&text, options, ticket);
	put(&text, ",\"value\":");
	put_value(&text, options, ticket, attempt);
	put(&text, "}");
	return text.length;
}
