/* flipped_reader STORE COUNT: looks the entities e0 to e<COUNT - 1> up, each by
 * itself, in the views `card` (even ones) and `badge`, and prints of each that
 * is there its name, the features n and label; "damaged" where the store says
 * that it is. Status 3: it can't be opened, or read at all. */
#include "store/holdfast.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_SIZE 24
#define VIEWS 2

static int refuse(const struct holdfast_error *error)
{
	fprintf(stderr, "flipped_reader: %s\n", error->text);
	return 3;
}

static void print_row(size_t number, const struct holdfast_value values[2])
{
	if (values[0].status != HOLDFAST_STATUS_FRESH &&
		values[0].status != HOLDFAST_STATUS_BEHIND)
		return;
	printf("e%zu %.0f %s\n", number, holdfast_number(&values[0], -1),
		values[1].as.text == NULL ? "" : values[1].as.text);
}

/* e<number>, for each of its view. */
static int look_up_each(struct holdfast_query *query, size_t first,
	size_t count, struct holdfast_error *error)
{
	const struct holdfast_answer *answer;
	for (size_t number = first; number < count; number += VIEWS) {
		char name[NAME_SIZE];
		const char *text = name;
		(void)snprintf(name, sizeof name, "e%zu", number);
		holdfast_bind_text(query, 0, &text, NULL, 1);
		int rc = holdfast_lookup(query, &answer, error);
		if (rc == HOLDFAST_OK)
			print_row(number, answer->values);
		else if (rc == HOLDFAST_ERROR_CORRUPT)
			printf("e%zu damaged\n", number);
		else
			return refuse(error);
	}
	return 0;
}

static int look_up(
	struct holdfast *store, size_t count, struct holdfast_error *error)
{
	static const char *const features[VIEWS][2] = {
		{"card:n", "card:label"}, {"badge:n", "badge:label"}};
	int status = 0;
	for (size_t view = 0; status == 0 && view < VIEWS; view++) {
		struct holdfast_query *query;
		status = holdfast_query_new(&query, store, features[view], 2,
				 NULL, error) == HOLDFAST_OK
				 ? look_up_each(query, view, count, error)
				 : refuse(error);
	}
	return status;
}

int main(int argc, char **argv)
{
	size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct holdfast *store = NULL;
	struct holdfast_error error;
	if (count == 0)
		return 2;
	int status = holdfast_open(&store, argv[1], HOLDFAST_BUSY_TIMEOUT_MS,
			     &error) == HOLDFAST_OK
			     ? look_up(store, count, &error)
			     : refuse(&error);
	holdfast_close(store);
	return status;
}
