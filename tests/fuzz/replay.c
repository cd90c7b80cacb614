/* replay ROUNDS WORDS FILE…: the kept inputs, and what chance makes of them
 * with the dictionary WORDS, the same each time. For every build, without
 * libFuzzer.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/lib/chance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX 4096
#define CHANGES_MAX 4
#define WORDS_MAX 256
#define WORD_LINE_MAX 256

struct input {
	uint8_t bytes[INPUT_BYTES_MAX];
	size_t size;
};

static void read_input(const char *path, struct input *out)
{
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		perror(path);
		exit(1);
	}
	out->size = fread(out->bytes, 1, sizeof out->bytes, file);
	(void)fclose(file);
}

/* Words that mean something, to be put anywhere: a libFuzzer dictionary. */
struct words {
	struct input items[WORDS_MAX];
	size_t count;
};

/* One word: what a line has within its quotes, \xHH, \\ and \" undone. */
static void read_word(const char *line, struct input *out)
{
	unsigned byte;
	const char *at = line + 1;
	const char *end = strrchr(line, '"');
	for (out->size = 0; at < end; out->size++)
		if (sscanf(at, "\\x%2x", &byte) == 1) {
			out->bytes[out->size] = (uint8_t)byte;
			at += 4;
		} else {
			at += *at == '\\';
			out->bytes[out->size] = (uint8_t)*at++;
		}
}

static void read_words(const char *path, struct words *out)
{
	char line[WORD_LINE_MAX];
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		perror(path);
		exit(1);
	}
	while (out->count < WORDS_MAX && fgets(line, sizeof line, file) != NULL)
		if (line[0] == '"')
			read_word(line, &out->items[out->count++]);
	(void)fclose(file);
	if (out->count == 0) {
		fprintf(stderr, "%s: no words\n", path);
		exit(1);
	}
}

static void remove_some(struct input *input, size_t at, size_t count)
{
	if (count > input->size - at)
		count = input->size - at;
	memmove(input->bytes + at, input->bytes + at + count,
		input->size - at - count);
	input->size -= count;
}

static void put_in(
	struct input *input, size_t at, const uint8_t *bytes, size_t count)
{
	if (count > sizeof input->bytes - input->size)
		return;
	memmove(input->bytes + at + count, input->bytes + at, input->size - at);
	memcpy(input->bytes + at, bytes, count);
	input->size += count;
}

static void change(struct chance *chance, const struct words *words,
	struct input *input, const struct input *other)
{
	size_t at = chance_below(chance, input->size + 1);
	size_t from = chance_below(chance, other->size + 1);
	const struct input *word =
		&words->items[chance_below(chance, words->count)];
	uint8_t byte = (uint8_t)chance_below(chance, 256);
	switch (chance_below(chance, 5)) {
	case 0:
		remove_some(input, at, 1 + chance_below(chance, 8));
		break;
	case 1:
		put_in(input, at, &byte, 1);
		break;
	case 2:
		put_in(input, at, word->bytes, word->size);
		break;
	case 3:
		remove_some(input, at, 1 + chance_below(chance, 8));
		put_in(input, at < input->size ? at : input->size, word->bytes,
			word->size);
		break;
	default:
		put_in(input, at, other->bytes + from,
			chance_below(chance, other->size - from + 1));
		break;
	}
}

int main(int argc, char **argv)
{
	static struct words words;
	static struct input input, other;
	struct chance chance = {.state = 1};
	if (argc < 4) {
		fprintf(stderr, "replay ROUNDS WORDS FILE…\n");
		return 2;
	}
	read_words(argv[2], &words);
	char **kept = argv + 3;
	size_t files = (size_t)argc - 3;
	fuzz_start();
	for (size_t i = 0; i < files; i++) {
		read_input(kept[i], &input);
		fuzz_one(input.bytes, input.size);
	}
	long rounds = strtol(argv[1], NULL, 10);
	for (long i = 0; i < rounds; i++) {
		read_input(kept[chance_below(&chance, files)], &input);
		read_input(kept[chance_below(&chance, files)], &other);
		size_t changes = 1 + chance_below(&chance, CHANGES_MAX);
		for (size_t j = 0; j < changes; j++)
			change(&chance, &words, &input, &other);
		fuzz_one(input.bytes, input.size);
	}
	printf("%zu inputs kept, %ld made of them\n", files, rounds);
	return 0;
}
