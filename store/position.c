#include "store/position.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_plain(unsigned char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' ||
	       byte == '-';
}

static void print_topic(struct buffer *out, const char *topic)
{
	static const char hex[] = "0123456789ABCDEF";
	for (const char *at = topic; *at != '\0'; at++) {
		unsigned char byte = (unsigned char)*at;
		if (is_plain(byte)) {
			buffer_byte(out, byte);
			continue;
		}
		buffer_byte(out, '%');
		buffer_byte(out, (unsigned char)hex[byte >> 4]);
		buffer_byte(out, (unsigned char)hex[byte & 15]);
	}
}

static void print_number(struct buffer *out, char before, int64_t number)
{
	char text[32];
	int length = snprintf(text, sizeof text, "%c%" PRId64, before, number);
	size_t skipped = before == '\0' ? 1 : 0;
	buffer_bytes(out, text + skipped, (size_t)length - skipped);
}

void position_print(struct buffer *out, const struct store_partition *partition,
	const struct store_partition *previous)
{
	const struct log *log = &partition->log;
	if (previous != NULL)
		buffer_byte(out, ',');
	if (previous == NULL || strcmp(previous->log.topic, log->topic) != 0) {
		print_topic(out, log->topic);
		buffer_byte(out, ':');
	}
	print_number(out, '\0', log->partition);
	if (log->incarnation != 0)
		print_number(out, '@', log->incarnation);
	print_number(out, ':', partition->accounts.next_offset);
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Decode `text` in place of a copy. False: not the form. */
static bool decode_topic(struct slice text, char *out, size_t *length)
{
	*length = 0;
	for (size_t i = 0; i < text.length; i++) {
		char byte = text.data[i];
		if (byte == '%') {
			if (text.length - i < 3)
				return false;
			int high = hex_digit(text.data[i + 1]);
			int low = hex_digit(text.data[i + 2]);
			if (high < 0 || low < 0)
				return false;
			byte = (char)(high << 4 | low);
			i += 2;
		} else if (!is_plain((unsigned char)byte)) {
			return false;
		}
		out[(*length)++] = byte;
	}
	return *length > 0;
}

/* What stands before the first `mark` of *text, which is cut off with it; all
 * of *text where there is none. */
static struct slice cut(struct slice *text, char mark)
{
	const char *found = memchr(text->data, mark, text->length);
	size_t length =
		found == NULL ? text->length : (size_t)(found - text->data);
	struct slice before = {text->data, length};
	size_t gone = found == NULL ? length : length + 1;
	*text = (struct slice){text->data + gone, text->length - gone};
	return before;
}

/* Digits alone, up to `maximum`. */
static bool parse_number(struct slice text, int64_t maximum, int64_t *out)
{
	if (text.length == 0)
		return false;
	int64_t number = 0;
	for (size_t i = 0; i < text.length; i++) {
		int digit = text.data[i] - '0';
		if (digit < 0 || digit > 9 || number > (maximum - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*out = number;
	return true;
}

/* "3" or "3@1", then ":182". */
static bool parse_offsets(struct slice text, struct position_entry *out)
{
	struct slice partition = cut(&text, ':');
	struct slice number = cut(&partition, '@');
	bool has_incarnation = partition.data != number.data + number.length;
	int64_t value, incarnation = 0;
	if (!parse_number(number, INT32_MAX, &value) ||
		!parse_number(text, INT64_MAX, &out->next_offset))
		return false;
	if (has_incarnation &&
		!parse_number(partition, UINT32_MAX, &incarnation))
		return false;
	out->partition = (int32_t)value;
	out->incarnation = (uint32_t)incarnation;
	return true;
}

static size_t count_of(struct slice text, char mark)
{
	size_t count = 0;
	for (size_t i = 0; i < text.length; i++)
		count += text.data[i] == mark;
	return count;
}

/* `topic` is the one of the entry before, and becomes this one's. */
static bool parse_entry(struct slice text, char *room, struct slice *topic,
	struct position_entry *out)
{
	if (count_of(text, ':') == 2) {
		size_t length;
		if (!decode_topic(cut(&text, ':'), room, &length))
			return false;
		*topic = (struct slice){room, length};
	}
	out->topic = *topic;
	return topic->data != NULL && count_of(text, ':') == 1 &&
	       parse_offsets(text, out);
}

static int refuse(struct slice text, struct fault *fault)
{
	size_t shown = text.length < 100 ? text.length : 100;
	return fault_set(fault, FAULT_USAGE,
		"\"%.*s\" is no position: give back what an earlier answer "
		"said, or write topic:partition:next_offset",
		(int)shown, text.data);
}

int position_parse(struct slice text, struct arena *arena, struct position *out,
	struct fault *fault)
{
	*out = (struct position){NULL, 0};
	if (text.length == 0)
		return 0;
	size_t count = count_of(text, ',') + 1;
	if (count > POSITION_ENTRIES_MAX)
		return refuse(text, fault);
	struct position_entry *entries =
		arena_take(arena, count * sizeof *entries);
	char *room = arena_take(arena, text.length);
	if (entries == NULL || room == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a position");
	struct slice rest = text, topic = {NULL, 0};
	for (size_t i = 0; i < count; i++) {
		struct slice entry = cut(&rest, ',');
		char *place = room + (entry.data - text.data);
		if (!parse_entry(entry, place, &topic, &entries[i]))
			return refuse(text, fault);
	}
	*out = (struct position){entries, count};
	return 0;
}

static bool same_partition(
	const struct position_entry *entry, const struct log *log)
{
	return entry->partition == log->partition &&
	       slice_equal(entry->topic, slice_of(log->topic));
}

static bool entry_taken(const struct position_entry *entry,
	struct store_partition *const *partitions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct log *log = &partitions[i]->log;
		if (!same_partition(entry, log))
			continue;
		if (log->incarnation > entry->incarnation ||
			(log->incarnation == entry->incarnation &&
				partitions[i]->accounts.next_offset >=
					entry->next_offset))
			return true;
	}
	return false;
}

bool position_taken(const struct position *position,
	struct store_partition *const *partitions, size_t count)
{
	for (size_t i = 0; i < position->count; i++)
		if (!entry_taken(&position->entries[i], partitions, count))
			return false;
	return true;
}
