/*
 * Damage that libFuzzer would seldom hit upon: lines that mean something, most
 * of them within a row, and who meets it, in proportion to what that costs.
 */
#include "tests/lib/chance.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CHANGES_MAX 4
#define TEXT_BYTES 1024
#define LINE_BYTES 32
#define PAGES 64
#define PAGE 4096

/* libFuzzer's own (llvm.org/docs/LibFuzzer.html), and what it looks for. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(
	uint8_t *data, size_t size, size_t max_size, unsigned seed);

struct text {
	char bytes[TEXT_BYTES];
	size_t length;
};

static unsigned below(struct chance *chance, unsigned limit)
{
	return (unsigned)chance_below(chance, limit);
}

/* One bit of a byte, or any. */
static unsigned bits(struct chance *chance)
{
	return below(chance, 4) == 0 ? below(chance, 256)
				     : 1U << below(chance, 8);
}

/* Half of them where a page's header and its list of cells are. */
static unsigned place(struct chance *chance)
{
	unsigned within = below(chance, 2) == 0 ? 64 : PAGE;
	return below(chance, PAGES) * PAGE + below(chance, within);
}

static void random_line(struct chance *chance, char line[LINE_BYTES])
{
	unsigned kind = below(chance, 20);
	if (kind < 11)
		(void)snprintf(line, LINE_BYTES, "c %u %u %x\n",
			below(chance, 256), below(chance, 512), bits(chance));
	else if (kind < 14)
		(void)snprintf(line, LINE_BYTES, "f %u %x\n", place(chance),
			bits(chance));
	else if (kind < 17)
		(void)snprintf(line, LINE_BYTES, "w %u %x\n", place(chance),
			bits(chance));
	else if (kind < 19)
		(void)snprintf(line, LINE_BYTES, "%c %u %u\n",
			kind == 17 ? 'p' : 'q', below(chance, PAGES),
			below(chance, PAGES));
	else
		(void)snprintf(line, LINE_BYTES,
			below(chance, 2) == 0 ? "F %u\n" : "W %u\n",
			place(chance));
}

static void add(struct text *text, const char *line)
{
	size_t length = strlen(line);
	if (text->length + length > sizeof text->bytes)
		return;
	memcpy(text->bytes + text->length, line, length);
	text->length += length;
}

/* What it says of damage, not of who meets it; one line fewer where `without`
 * is the number of one. */
static void take_lines(
	struct text *text, const uint8_t *data, size_t size, unsigned without)
{
	for (size_t at = 0, next; at < size; at = next) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		next = end == NULL ? size : (size_t)(end - data) + 1;
		size_t length = next - at;
		if (strchr("vot\n", data[at]) != NULL || without-- == 0 ||
			text->length + length + 1 > sizeof text->bytes)
			continue;
		memcpy(text->bytes + text->length, data + at, length);
		text->length += length;
		if (end == NULL)
			text->bytes[text->length++] = '\n';
	}
}

static void add_who(struct text *text, struct chance *chance)
{
	unsigned who = below(chance, 1024);
	if (who < 32)
		add(text, "s\n");
	if (who == 0)
		add(text, "t\n");
	else if (who < 9)
		add(text, "o\n");
	else if (who < 25)
		add(text, "v\n");
}

size_t LLVMFuzzerCustomMutator(
	uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct chance chance = {.state = seed};
	struct text text = {.length = 0};
	if (below(&chance, 8) == 0)
		size = LLVMFuzzerMutate(data, size, max_size);
	bool fewer = below(&chance, 3) == 0;
	take_lines(&text, data, size, fewer ? below(&chance, 8) : UINT32_MAX);
	unsigned more = fewer ? 0 : 1 + below(&chance, CHANGES_MAX);
	for (unsigned i = 0; i < more; i++) {
		char line[LINE_BYTES];
		random_line(&chance, line);
		add(&text, line);
	}
	add_who(&text, &chance);
	if (text.length > max_size)
		text.length = max_size;
	memcpy(data, text.bytes, text.length);
	return text.length;
}
