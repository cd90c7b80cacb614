/*
 * beside_stream STORE FILE: appends records to FILE for as long as it is let
 * live, some ahead of what the store has taken.
 */
#include "tests/serve/beside_stream.h"
#include "store/holdfast.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Some seconds of ingest: it never waits for records. */
#define AHEAD_BYTES (INT64_C(64) * 1024 * 1024)
#define CHUNK_RECORDS 10000
#define START_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

static void die(const char *what)
{
	fprintf(stderr, "beside_stream: %s\n", what);
	exit(1);
}

static void write_records(FILE *file, int64_t first)
{
	for (int64_t n = first; n < first + CHUNK_RECORDS; n++) {
		int64_t from = n % ACCOUNTS;
		int64_t to = (n * 7 + n / ACCOUNTS + 1) % ACCOUNTS;
		int64_t amount = n % 97 + 1;
		if (fprintf(file,
			    "{\"n\":%" PRId64 ",\"at\":%" PRId64
			    ",\"zero\":0,\"from\":%" PRId64 ",\"to\":%" PRId64
			    ",\"out\":-%" PRId64 ",\"in\":%" PRId64 "}\n",
			    n, START_US + n, from, to, amount, amount) < 0)
			die("can't write the stream: is the disk full?");
	}
	if (fflush(file) != 0)
		die("can't write the stream: is the disk full?");
}

/* How many bytes of the file the store has taken. */
static int64_t taken_bytes(struct holdfast_query *query)
{
	static const int64_t only = 0;
	const struct holdfast_answer *answer;
	struct holdfast_error error;
	int64_t offset = 0;
	holdfast_bind_int64(query, 0, &only, 1);
	int rc = holdfast_lookup(query, &answer, &error);
	if (rc < 0)
		die(error.text);
	if (answer->position[0] != '\0' &&
		sscanf(answer->position, "beside:0:%" SCNd64, &offset) != 1)
		die("the position is not that of the stream");
	return offset;
}

static void nap(void)
{
	static const struct timespec step = {0, 5000000};
	nanosleep(&step, NULL);
}

/* The store is there soon: ingest makes it. */
static struct holdfast_query *wait_for_store(const char *path)
{
	static const char *const features[] = {"progress:seq"};
	struct holdfast *store;
	struct holdfast_query *query;
	struct holdfast_error error;
	while (holdfast_open(&store, path, HOLDFAST_BUSY_TIMEOUT_MS, &error) <
		0)
		nap();
	if (holdfast_query_new(&query, store, features, 1, NULL, &error) < 0)
		die(error.text);
	return query;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 3 ? fopen(argv[2], "w") : NULL;
	if (file == NULL)
		die("beside_stream STORE FILE");
	int64_t next = 0;
	write_records(file, next);
	struct holdfast_query *query = wait_for_store(argv[1]);
	for (;;) {
		next += CHUNK_RECORDS;
		write_records(file, next);
		while (ftell(file) - taken_bytes(query) > AHEAD_BYTES)
			nap();
	}
}
