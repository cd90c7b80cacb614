/*
 * in_process STORE VIEW KEYS_FILE|--keys N [--zipf S] [--seconds T]
 *            [--features a,b]: how fast libholdfast answers.
 *
 * Single lookups, each with a snapshot of its own, for half of the time, and
 * batches of 100 entities for most of the other half. Keys are those of
 * KEYS_FILE, one a line, or the integers 0..N-1; which one comes next is drawn
 * by Zipf's law with exponent S (1.0), before any time is taken. All features
 * of the view are asked for, at most 10, unless some are named. Times contain
 * binding the key, looking up, and reading every value. The last lines are
 *
 *     single_p50_us X
 *     single_p99_us X
 *     single_per_s X
 *     kept_p50_us X          with holdfast_keep()
 *     batch100_p50_us X
 *     batch100_entities_per_s X
 *
 * An entity that is not there makes it fail: what is measured is reading.
 */
#include "store/holdfast.h"
#include "tests/lib/chance.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 100
#define DRAWS 1048576 /* keys drawn; a power of two, gone through in a ring */
#define FEATURES_DEFAULT 10
#define FEATURES_MAX 100
#define KEYS_MAX 100000000
#define BUCKET_NS 10
#define BUCKETS 100000 /* to 1 ms; what takes longer counts as that */

struct options {
	const char *store, *view, *keys_file, *features;
	int64_t keys;
	double zipf, seconds;
};

/* All keys, as numbers or as texts, and which to ask for in turn. */
struct keys {
	int64_t *numbers;
	char **texts; /* NULL for int64 keys */
	size_t count;
	uint32_t *drawn; /* drawn[0..DRAWS) */
};

struct run {
	struct holdfast *store;
	struct holdfast_query *query;
	const struct keys *keys;
	size_t next; /* of keys->drawn */
	uint64_t values;
	double sum; /* of what was read, so that it is read */
	uint32_t histogram[BUCKETS];
	uint64_t count;
	double took_s;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "in_process: %s: %s\n", what, why);
	exit(1);
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count == 0 ? 1 : count, size);
	if (memory == NULL)
		die("memory", "there is none left");
	return memory;
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- Options ---------------------------------------------------------- */

static double number(const char *name, const char *text)
{
	char *end = NULL;
	double value = text == NULL ? NAN : strtod(text, &end);
	if (!(value >= 0) || *end != '\0')
		die(name, "wants a number");
	return value;
}

static void take_option(
	struct options *options, const char *name, const char *value)
{
	if (value == NULL)
		die(name, "wants a value");
	if (strcmp(name, "--keys") == 0)
		options->keys = (int64_t)number(name, value);
	else if (strcmp(name, "--zipf") == 0)
		options->zipf = number(name, value);
	else if (strcmp(name, "--seconds") == 0)
		options->seconds = number(name, value);
	else if (strcmp(name, "--features") == 0)
		options->features = value;
	else
		die(name, "there is no such option");
}

static struct options parse(char **argv)
{
	struct options options = {.zipf = 1, .seconds = 6};
	const char **words[] = {
		&options.store, &options.view, &options.keys_file};
	size_t given = 0;
	while (*++argv != NULL) {
		if (strncmp(*argv, "--", 2) == 0) {
			take_option(&options, argv[0], argv[1]);
			argv++;
		} else if (given < sizeof words / sizeof words[0]) {
			*words[given++] = *argv;
		} else {
			die(*argv, "one word too many");
		}
	}
	if (given < 2 || (options.keys_file == NULL) == (options.keys == 0) ||
		options.keys > KEYS_MAX)
		die("usage", "in_process STORE VIEW KEYS_FILE|--keys N "
			     "[--zipf S] [--seconds T] [--features a,b]");
	return options;
}

/* ---- Keys ------------------------------------------------------------- */

static size_t count_lines(FILE *file)
{
	size_t count = 0;
	for (int c = getc(file); c != EOF; c = getc(file))
		count += c == '\n';
	rewind(file);
	return count;
}

static void read_keys(struct keys *keys, const char *path)
{
	FILE *file = fopen(path, "r");
	if (file == NULL)
		die(path, "can't be read");
	keys->count = count_lines(file);
	keys->texts = allocate(keys->count, sizeof *keys->texts);
	for (size_t i = 0; i < keys->count; i++) {
		size_t size = 0;
		ssize_t length = getline(&keys->texts[i], &size, file);
		if (length < 1)
			die(path, "can't be read to its end");
		keys->texts[i][length - 1] = '\0';
	}
	fclose(file);
}

/* Which key comes next: rank r with a probability of 1 / (r + 1)^s. Ranks are
 * scattered over the keys, so that the hot ones do not lie side by side. */
static uint32_t *draw(size_t count, double s)
{
	double *up_to = allocate(count, sizeof *up_to);
	uint32_t *drawn = allocate(DRAWS, sizeof *drawn);
	struct chance chance = {1};
	double total = 0;
	for (size_t i = 0; i < count; i++)
		up_to[i] = total += pow((double)i + 1, -s);
	for (size_t i = 0; i < DRAWS; i++) {
		double wanted =
			total * (double)(chance_next(&chance) >> 11) * 0x1p-53;
		size_t low = 0, high = count - 1;
		while (low < high) {
			size_t middle = (low + high) / 2;
			if (up_to[middle] < wanted)
				low = middle + 1;
			else
				high = middle;
		}
		/* A prime beyond KEYS_MAX: a permutation of 0..count-1. */
		drawn[i] = (uint32_t)(low * UINT64_C(2654435761) % count);
	}
	free(up_to);
	return drawn;
}

static struct keys make_keys(
	const struct options *options, enum holdfast_type type)
{
	struct keys keys = {.count = (size_t)options->keys};
	if (options->keys_file != NULL)
		read_keys(&keys, options->keys_file);
	else if (type != HOLDFAST_TYPE_INT64)
		die(options->view, "its keys are strings: give a KEYS_FILE");
	if (keys.count == 0)
		die("keys", "there are none");
	keys.numbers = allocate(keys.count, sizeof *keys.numbers);
	for (size_t i = 0; i < keys.count; i++)
		keys.numbers[i] = keys.texts == NULL
					  ? (int64_t)i
					  : strtoll(keys.texts[i], NULL, 10);
	if (type == HOLDFAST_TYPE_INT64)
		keys.texts = NULL; /* the process ends soon */
	keys.drawn = draw(keys.count, options->zipf);
	return keys;
}

/* ---- The query -------------------------------------------------------- */

/* "view:feature" of those named, or of the schema's first ones. */
static size_t list_features(const struct options *options, const char *schema,
	char *out[FEATURES_MAX])
{
	size_t count = 0;
	json_t *root = json_loads(schema, 0, NULL);
	json_t *view =
		json_object_get(json_object_get(root, "views"), options->view);
	if (view == NULL)
		die(options->view, "there is no such view");
	const char *name;
	json_t *value;
	char *named =
		options->features == NULL ? NULL : strdup(options->features);
	for (char *word = named == NULL ? NULL : strtok(named, ",");
		word != NULL && count < FEATURES_MAX; word = strtok(NULL, ","))
		if (asprintf(&out[count++], "%s:%s", options->view, word) < 0)
			die("memory", "there is none left");
	json_object_foreach(json_object_get(view, "features"), name,
		value) if (named == NULL && count < FEATURES_DEFAULT &&
			   asprintf(&out[count++], "%s:%s", options->view,
				   name) < 0)
		die("memory", "there is none left");
	free(named);
	json_decref(root);
	return count;
}

static void ask(struct run *run, size_t rows)
{
	const struct keys *keys = run->keys;
	const struct holdfast_answer *answer;
	struct holdfast_error error;
	int64_t numbers[BATCH];
	const char *texts[BATCH];
	for (size_t i = 0; i < rows; i++) {
		size_t key = keys->drawn[run->next++ % DRAWS];
		if (keys->texts == NULL)
			numbers[i] = keys->numbers[key];
		else
			texts[i] = keys->texts[key];
	}
	if (keys->texts == NULL)
		holdfast_bind_int64(run->query, 0, numbers, rows);
	else
		holdfast_bind_text(run->query, 0, texts, NULL, rows);
	int rc = holdfast_lookup(run->query, &answer, &error);
	if (rc != HOLDFAST_OK)
		die("lookup", rc < 0 ? error.text : "the view's terms refuse");
	size_t count = rows * answer->feature_count;
	for (size_t i = 0; i < count; i++) {
		const struct holdfast_value *value = &answer->values[i];
		if (value->event_time_us == HOLDFAST_TIME_NONE)
			die("a value", "is not in the store");
		run->sum += holdfast_number(value, value->length);
	}
	run->values += count;
}

/* ---- Measuring -------------------------------------------------------- */

static void measure(struct run *run, size_t rows, double seconds)
{
	memset(run->histogram, 0, sizeof run->histogram);
	run->count = 0;
	int64_t start = now_ns(), before = start;
	int64_t end = start + (int64_t)(seconds * 1e9);
	while (before < end) {
		ask(run, rows);
		int64_t after = now_ns();
		int64_t bucket = (after - before) / BUCKET_NS;
		run->histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
		run->count++;
		before = after;
	}
	run->took_s = (double)(before - start) / 1e9;
}

static double percentile_us(const struct run *run, double share)
{
	uint64_t wanted = (uint64_t)((double)run->count * share), seen = 0;
	size_t bucket = 0;
	while (bucket < BUCKETS - 1 &&
		(seen += run->histogram[bucket]) <= wanted)
		bucket++;
	return (double)(bucket * BUCKET_NS + BUCKET_NS / 2) / 1000;
}

static void measure_all(struct run *run, double seconds)
{
	measure(run, 1, seconds / 10); /* warm */
	measure(run, 1, seconds * 0.4);
	printf("%" PRIu64 " lookups of 1 entity\n", run->count);
	printf("single_p50_us %.2f\n", percentile_us(run, 0.50));
	printf("single_p99_us %.2f\n", percentile_us(run, 0.99));
	printf("single_per_s %.0f\n", (double)run->count / run->took_s);
	holdfast_keep(run->store, true);
	measure(run, 1, seconds / 10);
	holdfast_keep(run->store, false);
	printf("kept_p50_us %.2f\n", percentile_us(run, 0.50));
	measure(run, BATCH, seconds * 0.4);
	printf("batch100_p50_us %.1f\n", percentile_us(run, 0.50));
	printf("batch100_entities_per_s %.0f\n",
		(double)(run->count * BATCH) / run->took_s);
}

int main(int argc, char **argv)
{
	(void)argc;
	struct options options = parse(argv);
	struct holdfast_error error;
	struct run *run = allocate(1, sizeof *run);
	char *features[FEATURES_MAX];
	if (holdfast_open(&run->store, options.store, HOLDFAST_BUSY_TIMEOUT_MS,
		    &error) < 0)
		die(options.store, error.text);
	size_t count =
		list_features(&options, holdfast_schema(run->store), features);
	if (holdfast_query_new(&run->query, run->store,
		    (const char *const *)features, count, NULL, &error) < 0)
		die(options.view, error.text);
	size_t key_count;
	const struct holdfast_key *wanted =
		holdfast_query_keys(run->query, &key_count);
	if (key_count != 1)
		die(options.view, "an entity has several keys");
	struct keys keys = make_keys(&options, wanted[0].type);
	run->keys = &keys;
	printf("%zu features of %s, %zu keys, Zipf %.2f, libholdfast %s\n",
		count, options.view, keys.count, options.zipf,
		holdfast_version());
	measure_all(run, options.seconds);
	printf("%" PRIu64 " values read (%.6g)\n", run->values, run->sum);
	holdfast_close(run->store);
	return 0;
}
