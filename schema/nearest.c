#include "schema/nearest.h"

#include <string.h>

/* Longer names are not compared: ours, with their section, stay below. */
#define NAME_LENGTH_MAX 80

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The restricted Damerau-Levenshtein distance (optimal string alignment), by
 * rows: only the last two are needed. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][NAME_LENGTH_MAX + 1];
	size_t *older = rows[0], *above = rows[1], *row = rows[2];
	size_t width = strlen(b);
	for (size_t j = 0; j <= width; j++)
		above[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = smaller(
				change, smaller(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
				a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], older[j - 2] + 1);
		}
		size_t *free_row = older;
		older = above;
		above = row;
		row = free_row;
	}
	return above[width];
}

const char *nearest_name(
	const char *given, const char *const *names, size_t count)
{
	size_t length = strlen(given);
	if (length > NAME_LENGTH_MAX)
		return NULL;
	/* One slip in every three characters: beyond that it is a guess. */
	size_t best_distance = length / 3 + 2;
	const char *best = NULL;
	for (size_t i = 0; i < count; i++) {
		if (strlen(names[i]) > NAME_LENGTH_MAX)
			continue;
		size_t this_distance = distance(given, names[i]);
		if (this_distance < best_distance) {
			best_distance = this_distance;
			best = names[i];
		}
	}
	return best;
}
