/*
 * A record that ends the process: HOLDFAST_CRASH_AT=TEXT aborts when one whose
 * key or value holds TEXT is decoded. Linked with --wrap=decode_record.
 */
#include "schema/decode.h"

#include <stdlib.h>
#include <string.h>

int __real_decode_record(const struct decoder *decoder,
	const struct source_schema *source, const struct record *record,
	struct arena *arena, struct decoded *out, struct fault *fault);
int __wrap_decode_record(const struct decoder *decoder,
	const struct source_schema *source, const struct record *record,
	struct arena *arena, struct decoded *out, struct fault *fault);

static bool holds(struct slice bytes, const char *text)
{
	return bytes.data != NULL &&
	       memmem(bytes.data, bytes.length, text, strlen(text)) != NULL;
}

int __wrap_decode_record(const struct decoder *decoder,
	const struct source_schema *source, const struct record *record,
	struct arena *arena, struct decoded *out, struct fault *fault)
{
	const char *text = getenv("HOLDFAST_CRASH_AT");
	if (text != NULL &&
		(holds(record->key, text) || holds(record->value, text)))
		abort();
	return __real_decode_record(decoder, source, record, arena, out, fault);
}
