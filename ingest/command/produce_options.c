#include "ingest/command/produce_options.h"

#include "ingest/clock.h"
#include "schema/nearest.h"

#include <string.h>

#define HOUR_US (3600 * INT64_C(1000000))
#define RATE_MAX 10000000   /* nobody paces beyond */
#define ZIPF_EXPONENT_MAX 5 /* one entity has all of it by then */

#define PLACE(member) offsetof(struct produce_options, member)

static const struct field fields[] = {
	{"topic", FIELD_TEXT, PLACE(topic), NULL, 0, 0, "NAME",
		"send there, each record to its key's partition"},
	{"to-file", FIELD_TEXT, PLACE(to_file), NULL, 0, 0, "FILE",
		"write lines there instead; no broker is needed"},
	{"tee", FIELD_TEXT, PLACE(tee), NULL, 0, 0, "FILE",
		"write what was sent there, too"},
	{"as-is", FIELD_FLAG, PLACE(as_is), NULL, 0, 0, NULL,
		"send lines that are no JSON as they are; else they end it"},
	{"rate", FIELD_COUNT, PLACE(rate), "0", 0, RATE_MAX, "COUNT",
		"records a second; 0: as fast as it goes"},
	{"generate", FIELD_COUNT, PLACE(generate), NULL, 1,
		GENERATE_RECORDS_MAX, "COUNT",
		"make so many records instead of reading FILE"},
	{"shape", FIELD_TEXT, PLACE(shape), "sample", 0, 0, "NAME",
		"sample (deploy/sample) or bench (tests/bench)"},
	{"seed", FIELD_COUNT, PLACE(seed), "1", 0, INT64_MAX, "NUMBER",
		"the same seed gives the same records"},
	{"entities", FIELD_COUNT, PLACE(entities), "10000", 1,
		GENERATE_ENTITIES_MAX, "COUNT", "cards; or the bench's"},
	{"zipf", FIELD_NUMBER, PLACE(zipf), "0", 0, ZIPF_EXPONENT_MAX,
		"EXPONENT", "some are more popular; 0: all alike"},
	{"duplicates", FIELD_SHARE, PLACE(duplicates), "0.1", 0, 0, "SHARE",
		"copies of earlier records"},
	{"duplicate-distance", FIELD_COUNT, PLACE(duplicate_distance), "20000",
		1, GENERATE_DISTANCE_MAX, "COUNT",
		"half of the copies come later than that"},
	{"disorder", FIELD_SHARE, PLACE(disorder), "0.2", 0, 0, "SHARE",
		"event times below an earlier one of the entity"},
	{"broken", FIELD_SHARE, PLACE(broken), "0", 0, 0, "SHARE",
		"poison of every kind"},
	{"deletes", FIELD_SHARE, PLACE(deletes), "0.01", 0, 0, "SHARE",
		"cards closed, which deletes their profile"},
	{"value-bytes", FIELD_COUNT, PLACE(value_bytes), NULL, 0,
		GENERATE_VALUE_BYTES_MAX, "COUNT",
		"pad values to so many bytes (bench: default 300)"},
	{"features", FIELD_COUNT, PLACE(features), "10", 1,
		GENERATE_FEATURES_MAX, "COUNT", "of the bench"},
	{"sums", FIELD_COUNT, PLACE(sums), "4", 0, GENERATE_FEATURES_MAX,
		"COUNT", "of the bench's features"},
	{"base-time", FIELD_TIME, PLACE(base_time_us), NULL, 0, INT64_MAX,
		"TIME", "event times begin there; else they end an hour ago"},
};

const struct options_spec produce_spec = {
	.usage = "produce FILE --topic NAME | produce --generate COUNT --topic "
		 "NAME | --to-file FILE",
	.summary = "Sends the lines of an NDJSON file (-: standard input), or "
		   "generated events, to a topic\nand waits until the brokers "
		   "have acknowledged each. A line is a record's value, or an "
		   "object\nwith `value` and any of `key`, `headers` and "
		   "`timestamp`.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.arguments_max = 1,
	.configured = true,
};

int produce_check(const struct produce_options *own,
	const struct options *options, struct fault *fault)
{
	if ((options->argument_count == 1) == (own->generate > 0))
		return fault_set(fault, FAULT_USAGE,
			"give a FILE or --generate COUNT, and not both");
	if ((own->topic == NULL) == (own->to_file == NULL))
		return fault_set(fault, FAULT_USAGE,
			"give --topic NAME or --to-file FILE, and not both");
	if (own->to_file != NULL && own->tee != NULL)
		return fault_set(fault, FAULT_USAGE,
			"--tee goes with --topic: --to-file writes a file "
			"already");
	return 0;
}

static int shape_of(
	const char *name, enum generate_shape *out, struct fault *fault)
{
	static const char *const names[] = {"sample", "bench"};
	*out = strcmp(name, names[1]) == 0 ? GENERATE_BENCH : GENERATE_SAMPLE;
	if (strcmp(name, names[*out]) == 0)
		return 0;
	const char *nearest = nearest_name(name, names, 2);
	return fault_set(fault, FAULT_USAGE, "--shape %s: %s", name,
		nearest == NULL	      ? "give sample or bench"
		: nearest == names[0] ? "did you mean sample?"
				      : "did you mean bench?");
}

/* Whole hours, so that a stream is easy to tell from another. */
static int64_t base_before_now(const struct generate_options *options)
{
	struct clock *clock = clock_system();
	int64_t base_us =
		clock->wall_us(clock) - HOUR_US - generate_span_us(options);
	return base_us - base_us % HOUR_US;
}

int produce_generate(const struct produce_options *own,
	struct generate_options *out, struct fault *fault)
{
	enum generate_shape shape = GENERATE_SAMPLE;
	int rc = shape_of(own->shape, &shape, fault);
	if (rc < 0)
		return rc;
	*out = (struct generate_options){
		.shape = shape,
		.records = own->generate,
		.seed = own->seed,
		.entities = own->entities,
		.zipf = own->zipf,
		.duplicates = own->duplicates,
		.duplicate_distance = own->duplicate_distance,
		.disorder = own->disorder,
		.broken = own->broken,
		.deletes = own->deletes,
		.value_bytes = own->value_bytes,
		.features = own->features,
		.sums = own->sums,
		.base_time_us = own->base_time_us,
	};
	if (shape == GENERATE_BENCH && out->value_bytes == 0)
		out->value_bytes = 300; /* what throughput is promised for */
	if (out->base_time_us == 0)
		out->base_time_us = base_before_now(out);
	return 0;
}
