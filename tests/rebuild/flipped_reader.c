/* flipped_reader STORE COUNT: looks the entities e0 to e<COUNT - 1> of the view
 * `card` up in one lookup, and prints of each that is there its name, the
 * features n and label. Status 3: the store says that
 * it is damaged, or can't be opened. */
#include "store/holdfast.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_SIZE 24

static int refuse(const struct holdfast_error *error)
{
	fprintf(stderr, "flipped_reader: %s\n", error->text);
	return 3;
}

static void print_row(size_t row, const struct holdfast_value values[2])
{
	if (values[0].status != HOLDFAST_STATUS_FRESH &&
		values[0].status != HOLDFAST_STATUS_BEHIND)
		return;
	printf("e%zu %.0f %s\n", row, holdfast_number(&values[0], -1),
		values[1].as.text == NULL ? "" : values[1].as.text);
}

static int look_up(struct holdfast *store, const char *const *names,
	size_t count, struct holdfast_error *error)
{
	static const char *const features[] = {"card:n", "card:label"};
	struct holdfast_query *query;
	const struct holdfast_answer *answer;
	if (holdfast_query_new(&query, store, features, 2, NULL, error) !=
		HOLDFAST_OK)
		return refuse(error);
	holdfast_bind_text(query, 0, names, NULL, count);
	if (holdfast_lookup(query, &answer, error) != HOLDFAST_OK)
		return refuse(error);
	for (size_t row = 0; row < answer->row_count; row++)
		print_row(row, &answer->values[row * answer->feature_count]);
	return 0;
}

int main(int argc, char **argv)
{
	size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	char(*texts)[NAME_SIZE] = calloc(count + 1, sizeof *texts);
	const char **names = calloc(count + 1, sizeof *names);
	struct holdfast *store = NULL;
	struct holdfast_error error;
	int status = 2;
	for (size_t i = 0; names != NULL && texts != NULL && i < count; i++) {
		(void)snprintf(texts[i], NAME_SIZE, "e%zu", i);
		names[i] = texts[i];
	}
	if (count > 0 && names != NULL && texts != NULL)
		status =
			holdfast_open(&store, argv[1], HOLDFAST_BUSY_TIMEOUT_MS,
				&error) == HOLDFAST_OK
				? look_up(store, names, count, &error)
				: refuse(&error);
	holdfast_close(store);
	free((void *)names);
	free(texts);
	return status;
}
