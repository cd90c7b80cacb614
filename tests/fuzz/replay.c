/* replay ROUNDS FILE…: the kept requests, and what chance makes of them, the
 * same each time. For every build, without libFuzzer. */
#include "tests/fuzz/fuzz_exchange.h"
#include "tests/lib/chance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX 4096
#define CHANGES_MAX 4

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

/* Words that mean something, to be put anywhere. */
static const char *const words[] = {"\"", "{", "}", "[", "]", ",", ":", "null",
	"true", "1", "-1", "0", "42", "1.0", "1e999", "9223372036854775808",
	"\"a\"", "\"\"", "%00", "%2F", "%", "/", "//", "..", "?", "&", "=", "+",
	"\xff", "\\u0000", "\\ud800", "num", "text", "pair", "strict", "n", "s",
	"n_own", "s_own", "num:n_own", "text:s_own", "pair:n_own",
	"\"wait\":\"0s\"", "\"at_least\":\"log:0:1\"", "when_missing=fail",
	"@latest", "@v2", "/v1/lookup", "/get-online-features", "/v1/views/",
	"\n"};
#define WORDS (sizeof words / sizeof words[0])

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

static void change(
	struct chance *chance, struct input *input, const struct input *other)
{
	size_t at = chance_below(chance, input->size + 1);
	size_t from = chance_below(chance, other->size + 1);
	const char *word = words[chance_below(chance, WORDS)];
	uint8_t byte = (uint8_t)chance_below(chance, 256);
	switch (chance_below(chance, 5)) {
	case 0:
		remove_some(input, at, 1 + chance_below(chance, 8));
		break;
	case 1:
		put_in(input, at, &byte, 1);
		break;
	case 2:
		put_in(input, at, (const uint8_t *)word, strlen(word));
		break;
	case 3:
		remove_some(input, at, 1 + chance_below(chance, 8));
		put_in(input, at < input->size ? at : input->size,
			(const uint8_t *)word, strlen(word));
		break;
	default:
		put_in(input, at, other->bytes + from,
			chance_below(chance, other->size - from + 1));
		break;
	}
}

int main(int argc, char **argv)
{
	struct chance chance = {.state = 1};
	struct input input, other;
	if (argc < 3) {
		fprintf(stderr, "replay ROUNDS FILE…\n");
		return 2;
	}
	fuzz_start();
	for (int i = 2; i < argc; i++) {
		read_input(argv[i], &input);
		fuzz_one(input.bytes, input.size);
	}
	long rounds = strtol(argv[1], NULL, 10);
	for (long i = 0; i < rounds; i++) {
		size_t files = (size_t)argc - 2;
		read_input(argv[2 + chance_below(&chance, files)], &input);
		read_input(argv[2 + chance_below(&chance, files)], &other);
		size_t changes = 1 + chance_below(&chance, CHANGES_MAX);
		for (size_t j = 0; j < changes; j++)
			change(&chance, &input, &other);
		fuzz_one(input.bytes, input.size);
	}
	printf("%d requests kept, %ld made of them\n", argc - 2, rounds);
	return 0;
}
