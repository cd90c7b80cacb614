/*
 * A good store's file and WAL in memory, and what damage makes of them.
 *
 * Damage is text, a line each:
 *
 *     c ROW AT BITS   flip BITS (hexadecimal) of the byte AT of a row's record,
 *                     where its newest page is: the tree around it stays whole
 *     f AT BITS       the same of any byte of the file
 *     w AT BITS       of the WAL
 *     p FROM TO       page FROM of the file stands at TO, too
 *     q FROM TO       the same of the WAL's frames
 *     F SIZE          the file ends there
 *     W SIZE          the WAL ends there
 *     s               the WAL's own checksums fit what became of it; else
 *                     SQLite takes it to end at the damage
 *
 * Numbers are taken modulo what there is. Source of the formats:
 * sqlite.org/fileformat2.html, 1.6 (cells) and 4 (WAL).
 */
#ifndef HOLDFAST_TESTS_FUZZ_STORE_IMAGE_H
#define HOLDFAST_TESTS_FUZZ_STORE_IMAGE_H

#include "schema/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_PAGES_MAX 256
#define IMAGE_ROWS_MAX 512
#define IMAGE_SCHEMA_PAGES_MAX 8

/* good[0..good_size) as it was, bytes[0..size) as it is; they differ within
 * [from, to) at most, ends cut off apart. */
struct image {
	unsigned char *good, *bytes;
	size_t good_size, size;
	size_t from, to;
};

/* A row's record, or what of it is not on overflow pages. */
struct image_row {
	struct image *image;
	size_t at, length;
};

struct store_image {
	struct image file, wal;
	struct image_row rows[IMAGE_ROWS_MAX];
	size_t row_count;
	struct image_row schema[IMAGE_SCHEMA_PAGES_MAX]; /* pages, newest */
	size_t schema_count;
	bool moved;	/* pages and ends, not only bits of them */
	bool sums_anew; /* by `s` and by `c` */
};

/* Read both, as a closed store has them. Aborts where it can't. */
void store_image_read(struct store_image *image, const char *path);
void store_image_free(struct store_image *image);

/* As it was. */
void store_image_restore(struct store_image *image);

/* One line; what is none of these does nothing. */
void store_image_damage(struct store_image *image, struct slice line);

/* After the last line, for who does not go by the WAL's index. */
void store_image_settle(struct store_image *image);

/* After the last line, for who is open already: SQLite's table of tables is as
 * it was. SQLite reads that when it sees fit, and keeps what it read. */
void store_image_mend_schema(struct store_image *image);

/* The checksum of a WAL and its index, gone on with: of whole 8 bytes. */
void store_image_sum(
	uint32_t sum[2], const unsigned char *bytes, size_t length);

#endif
