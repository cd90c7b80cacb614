/* holdfast dead list, show: letters for people and programs. */
#include "ingest/command/command.h"
#include "ingest/command/dead.h"
#include "ingest/command/reading.h"
#include "ingest/command/table.h"
#include "schema/buffer.h"
#include "schema/json_write.h"
#include "schema/rfc3339.h"
#include "schema/utf8.h"

#include <inttypes.h>

#define LIST_DEFAULT "100"

static const char *time_print(int64_t us, char out[RFC3339_SIZE])
{
	return us == TIMESTAMP_NONE ? "-" : rfc3339_print(us, out);
}

/* "open", "overtaken", "acknowledged"; of a parked one how often it was tried.
 */
static const char *state_of(const struct letter *letter)
{
	if (letter->kind == LETTER_PARKED)
		return "parked";
	if (letter->state == LETTER_OVERTAKEN)
		return "overtaken";
	return letter->acknowledged_us == TIMESTAMP_NONE ? "open"
							 : "acknowledged";
}

/* Control characters, C1 among them, and what is no UTF-8, are not for a
 * terminal. */
static bool is_plain(const unsigned char *at, size_t length)
{
	if (length == 1)
		return at[0] >= ' ' && at[0] != 0x7f;
	return length > 0 && !(at[0] == 0xc2 && at[1] < 0xa0);
}

/* Text for people: of no more than `most` bytes, \xNN for what is not plain. */
static const char *shown(struct slice text, size_t most, struct arena *arena)
{
	struct buffer out = BUFFER_INIT(arena);
	const unsigned char *at = (const unsigned char *)text.data;
	size_t left = text.length < most ? text.length : most;
	while (left > 0) {
		size_t length = utf8_character(at, left);
		if (is_plain(at, length))
			buffer_bytes(&out, at, length);
		else
			buffer_print(&out, "\\x%02x", *at);
		length = is_plain(at, length) ? length : 1;
		at += length;
		left -= length;
	}
	buffer_text(&out, text.length > most ? "…" : "");
	buffer_byte(&out, '\0');
	return out.failed ? "(no memory)" : buffer_content(&out).data;
}

static void add_row(struct table *table, const struct letter_whole *one,
	struct arena *arena)
{
	const struct letter *letter = &one->letter;
	const struct record *record = &one->record;
	char time[RFC3339_SIZE];
	bool parked = letter->kind == LETTER_PARKED;
	table_add(table, "%" PRId64, letter->id);
	table_add(table, "%s", reason_name(letter->reason));
	table_add(table, "%s",
		letter->view.length == 0 ? "-"
					 : shown(letter->view, 64, arena));
	table_add(table, "%s:%" PRId32 " @%" PRId64, record->log->topic,
		record->log->partition, record->offset);
	table_add(table, "%s", time_print(record->timestamp_us, time));
	if (parked)
		table_add(table, "tried %" PRId64, letter->attempts);
	else
		table_add(table, "%s", state_of(letter));
	table_add(table, "%s", shown(letter->detail, 100, arena));
}

static int list_people(const struct letter_whole *letters, size_t count,
	struct arena *arena, struct fault *fault)
{
	static const struct column columns[] = {{"id", true}, {"reason", false},
		{"view", false}, {"record", false}, {"record time", false},
		{"state", false}, {"detail", false}};
	struct table *table =
		table_new(columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; table != NULL && i < count; i++)
		add_row(table, &letters[i], arena);
	bool printed = table != NULL && table_print(table, stdout);
	table_free(table);
	return printed ? 0 : fault_set(fault, FAULT_OOM, "out of memory");
}

static void write_name(struct buffer *out, const char *name)
{
	buffer_text(out, ", ");
	json_write_text(out, name);
	buffer_text(out, ": ");
}

/* Bytes as a string where they are UTF-8, else base64 under another name. */
static void write_bytes(struct buffer *out, const char *name,
	const char *base64_name, struct slice bytes)
{
	static const struct type type = {.kind = TYPE_BYTES};
	bool text = bytes.data == NULL || utf8_is(bytes);
	const struct value value = {.state = VALUE_SET, .as.bytes = bytes};
	write_name(out, text ? name : base64_name);
	if (bytes.data == NULL)
		buffer_text(out, "null");
	else if (text)
		json_write_string(out, bytes);
	else
		json_write_value(out, &type, &value);
}

static void write_headers(struct buffer *out, const struct record *record)
{
	write_name(out, "headers");
	buffer_byte(out, '[');
	for (size_t i = 0; i < record->header_count; i++) {
		const struct header *header = &record->headers[i];
		buffer_text(out, i == 0 ? "{\"name\": " : ", {\"name\": ");
		json_write_string(out, header->name);
		write_bytes(out, "value", "value_base64", header->value);
		buffer_byte(out, '}');
	}
	buffer_byte(out, ']');
}

static void write_letter(struct buffer *out, const struct letter_whole *one)
{
	const struct letter *letter = &one->letter;
	const struct record *record = &one->record;
	buffer_print(out, "{\"id\": %" PRId64 ", \"state\": \"%s\"", letter->id,
		state_of(letter));
	write_name(out, "reason");
	json_write_text(out, reason_name(letter->reason));
	write_name(out, "detail");
	json_write_string(out, letter->detail);
	write_name(out, "view");
	json_write_string(out, letter->view);
	buffer_print(out, ", \"place\": %" PRIu32, letter->place);
	write_name(out, "topic");
	json_write_text(out, record->log->topic);
	buffer_print(out,
		", \"partition\": %" PRId32 ", \"incarnation\": %" PRIu32
		", \"offset\": %" PRId64,
		record->log->partition, record->log->incarnation,
		record->offset);
	write_name(out, "record_time");
	json_write_time(out, record->timestamp_us);
	if (letter->kind == LETTER_PARKED) {
		buffer_print(out, ", \"attempts\": %" PRId64, letter->attempts);
		write_name(out, "due");
		json_write_time(out, letter->due_us);
	} else {
		write_name(out, "acknowledged");
		json_write_time(out, letter->acknowledged_us);
	}
}

/* With its record, or without. */
static int print_letter(const struct letter_whole *one, bool whole,
	struct arena *arena, struct fault *fault)
{
	struct buffer out = BUFFER_INIT(arena);
	write_letter(&out, one);
	if (whole) {
		write_bytes(&out, "key", "key_base64", one->record.key);
		write_bytes(&out, "value", "value_base64", one->record.value);
		write_headers(&out, &one->record);
	}
	buffer_byte(&out, '}');
	if (out.failed)
		return fault_set(fault, FAULT_OOM, "out of memory");
	struct slice text = buffer_content(&out);
	(void)fwrite(text.data, 1, text.length, stdout);
	return 0;
}

/* A list under way. */
struct listing {
	struct reading *reading;
	const struct dead_options *own;
	struct letter_filter filter; /* after_id: the last one printed */
	int64_t printed;
};

static int print_page(struct listing *listing,
	const struct letter_whole *letters, size_t count, struct fault *fault)
{
	struct arena *arena = &listing->reading->arena;
	int rc = 0;
	if (!listing->reading->options.json)
		return list_people(letters, count, arena, fault);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (listing->printed > 0 || i > 0)
			fputs(",\n", stdout);
		rc = print_letter(&letters[i], false, arena, fault);
	}
	return rc;
}

/* 0: there are no more. */
static int list_page(struct listing *listing, struct fault *fault)
{
	struct letter_whole letters[LETTER_PAGE_MAX];
	int64_t left = listing->own->limit - listing->printed;
	arena_reset(&listing->reading->arena);
	int count = reader_letters(listing->reading->reader, &listing->filter,
		&listing->reading->arena, letters,
		left < LETTER_PAGE_MAX ? (size_t)left : LETTER_PAGE_MAX, fault);
	if (count <= 0)
		return count;
	int rc = print_page(listing, letters, (size_t)count, fault);
	listing->printed += count;
	listing->filter.after_id = letters[count - 1].letter.id;
	return rc < 0 ? rc : count;
}

static void list_end(const struct listing *listing, bool is_all)
{
	int64_t after = listing->filter.after_id;
	if (listing->reading->options.json && is_all)
		fputs("], \"next_after\": null}\n", stdout);
	else if (listing->reading->options.json)
		printf("], \"next_after\": %" PRId64 "}\n", after);
	else if (listing->printed == 0)
		printf("no %s there\n", listing->own->parked ? "parked updates"
							     : "dead letters");
	else if (!is_all)
		printf("\nthere may be more: --after %" PRId64 "\n", after);
}

static int list(struct reading *reading, struct fault *fault)
{
	struct listing listing = {
		.reading = reading, .own = reading->options.own};
	int64_t ids[TEXTS_MAX];
	int rc = dead_filter(listing.own, ids, &listing.filter, fault);
	if (rc < 0)
		return rc;
	if (reading->options.json)
		fputs("{\"letters\": [", stdout);
	do {
		rc = list_page(&listing, fault);
	} while (rc > 0 && listing.printed < listing.own->limit);
	if (rc < 0)
		return rc;
	list_end(&listing, rc == 0);
	return STATUS_GOOD;
}

int dead_list(int argc, char **argv)
{
	static const struct field fields[] = {
		DEAD_PARKED_FIELD,
		DEAD_FILTER_FIELDS,
		{"limit", FIELD_COUNT, offsetof(struct dead_options, limit),
			LIST_DEFAULT, 1, INT64_C(1000000000), "COUNT",
			"so many at most"},
		{"after", FIELD_COUNT, offsetof(struct dead_options, after),
			"0", 0, INT64_MAX, "ID", "go on behind this one"},
	};
	static const struct options_spec spec = {
		.usage = "dead list [--parked] [--reason REASON] [--view VIEW] "
			 "[--topic TOPIC] …",
		.summary = "Shows letters by id, the order in which they "
			   "became what they are; those that fit all that is "
			   "given.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.configured = true,
		.json = true,
	};
	struct dead_options own = {0};
	return reading_run(&spec, &own, argc, argv, list);
}

static void show_text(const char *name, struct slice text, struct arena *arena)
{
	if (text.data == NULL)
		printf("%-12s null\n", name);
	else
		printf("%-12s %s\n", name, shown(text, INT32_MAX, arena));
}

static void show_people(const struct letter_whole *one, struct arena *arena)
{
	const struct letter *letter = &one->letter;
	const struct record *record = &one->record;
	char time[RFC3339_SIZE];
	printf("%s %" PRId64 ", %s\n",
		letter->kind == LETTER_DEAD ? "dead letter" : "parked update",
		letter->id, state_of(letter));
	printf("%-12s %s: %s\n", "reason", reason_name(letter->reason),
		reason_advice(letter->reason));
	show_text("detail", letter->detail, arena);
	show_text("view", letter->view, arena);
	printf("%-12s %s:%" PRId32 " @%" PRId64 ", update %" PRIu32
	       " of the record, timestamp %s\n",
		"record", record->log->topic, record->log->partition,
		record->offset, letter->place,
		time_print(record->timestamp_us, time));
	if (letter->kind == LETTER_PARKED)
		printf("%-12s %" PRId64 " times, due %s\n", "tried",
			letter->attempts, time_print(letter->due_us, time));
	for (size_t i = 0; i < record->header_count; i++)
		printf("%-12s %s: %s\n", "header",
			shown(record->headers[i].name, 256, arena),
			record->headers[i].value.data == NULL
				? "null"
				: shown(record->headers[i].value, INT32_MAX,
					  arena));
	show_text("key", record->key, arena);
	show_text("value", record->value, arena);
}

static int show_one(
	struct reading *reading, int64_t id, bool first, struct fault *fault)
{
	const struct dead_options *own = reading->options.own;
	const struct letter_filter filter = {
		.kind = own->parked ? LETTER_PARKED : LETTER_DEAD,
		.since_us = TIMESTAMP_NONE,
		.until_us = TIMESTAMP_NONE,
		.ids = &id,
		.id_count = 1,
	};
	struct letter_whole one;
	arena_reset(&reading->arena);
	int rc = reader_letters(
		reading->reader, &filter, &reading->arena, &one, 1, fault);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		fprintf(stderr, "holdfast: there is no %s %" PRId64 "\n",
			own->parked ? "parked update" : "dead letter", id);
		return STATUS_FAILED;
	}
	if (!first)
		fputs(reading->options.json ? ",\n" : "\n", stdout);
	if (reading->options.json)
		return print_letter(&one, true, &reading->arena, fault);
	show_people(&one, &reading->arena);
	return STATUS_GOOD;
}

static int show(struct reading *reading, struct fault *fault)
{
	int64_t ids[TEXTS_MAX];
	const struct options *options = &reading->options;
	int worst = STATUS_GOOD;
	bool first = true;
	int rc = dead_ids(
		options->arguments, options->argument_count, ids, fault);
	if (rc < 0)
		return rc;
	if (options->json)
		fputc('[', stdout);
	for (size_t i = 0; rc >= 0 && i < options->argument_count; i++) {
		rc = show_one(reading, ids[i], first, fault);
		first &= rc != STATUS_GOOD;
		worst = rc > worst ? rc : worst;
	}
	if (options->json)
		fputs("]\n", stdout);
	return rc < 0 ? rc : worst;
}

int dead_show(int argc, char **argv)
{
	static const struct field fields[] = {DEAD_PARKED_FIELD};
	static const struct options_spec spec = {
		.usage = "dead show [--parked] ID…",
		.summary = "Shows all that is kept of these letters: why they "
			   "failed, and the record with its key, value and\n"
			   "headers. Bytes that are not to be printed are "
			   "shown as \\xNN; --json has what is not UTF-8\n"
			   "in base64. Exit status 1 where one is not there.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.arguments_min = 1,
		.arguments_max = TEXTS_MAX,
		.configured = true,
		.json = true,
	};
	struct dead_options own = {0};
	return reading_run(&spec, &own, argc, argv, show);
}
