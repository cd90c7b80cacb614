#include "tests/fuzz/store_image.h"

#include "tests/fuzz/input.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define FILE_HEADER 100 /* of the first page */
#define FRAME_HEADER 24
#define FRAME (PAGE + FRAME_HEADER)
#define WAL_HEADER 32
#define WAL_SUMMED 24 /* of the header, by its checksum */
/* Its last bit is 0: checksums are over little-endian words. */
#define WAL_MAGIC 0x377f0682U
#define TABLE_LEAF 13
#define TABLE_INTERIOR 5
#define INDEX_LEAF 10
/* Of a record with overflow pages, so much is on the leaf at least. */
#define LOCAL_MIN ((PAGE - 12) * 32 / 255 - 23)

static uint32_t big_endian(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

static void put_big_endian(unsigned char *at, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(number >> (24 - 8 * i));
}

static size_t number_of(const unsigned char *at, size_t *used)
{
	size_t number = 0;
	for (*used = 0; *used < 9;) {
		unsigned char byte = at[(*used)++];
		number = number << 7 | (byte & 0x7fU);
		if (byte < 0x80)
			break;
	}
	return number;
}

static void add_row(struct store_image *store, struct image *image, size_t page,
	const unsigned char *cell, bool has_rowid)
{
	size_t used, skipped = 0;
	size_t length = number_of(cell, &used);
	if (has_rowid)
		(void)number_of(cell + used, &skipped);
	const unsigned char *record = cell + used + skipped;
	must(store->row_count < IMAGE_ROWS_MAX, "room for the rows");
	store->rows[store->row_count++] = (struct image_row){image,
		page + (size_t)(record - (image->good + page)),
		length < LOCAL_MIN ? length : LOCAL_MIN};
}

/* The rows of a leaf; none where the page is something else. */
static void add_rows(struct store_image *store, struct image *image,
	size_t page, size_t header)
{
	const unsigned char *bytes = image->good + page;
	const unsigned char *leaf = bytes + header;
	if (leaf[0] != TABLE_LEAF && leaf[0] != INDEX_LEAF)
		return;
	size_t count = (size_t)leaf[3] << 8 | leaf[4];
	for (size_t i = 0; i < count; i++) {
		const unsigned char *pointer = leaf + 8 + 2 * i;
		size_t at = (size_t)pointer[0] << 8 | pointer[1];
		add_row(store, image, page, bytes + at, leaf[0] == TABLE_LEAF);
	}
}

/* SQLite's table of tables: its root is the first page, its leaves are one
 * level below. */
static void find_schema(
	struct store_image *store, const struct image_row *newest)
{
	const unsigned char *page = newest[1].image->good + newest[1].at;
	const unsigned char *root = page + FILE_HEADER;
	must(root[0] == TABLE_INTERIOR, "more tables than a page lists");
	size_t count = (size_t)root[3] << 8 | root[4];
	must(count + 2 <= IMAGE_SCHEMA_PAGES_MAX, "few pages of tables");
	store->schema[0] = newest[1];
	store->schema[1] = newest[big_endian(root + 8)];
	for (size_t i = 0; i < count; i++) {
		const unsigned char *pointer = root + 12 + 2 * i;
		size_t at = (size_t)pointer[0] << 8 | pointer[1];
		store->schema[2 + i] = newest[big_endian(page + at)];
	}
	store->schema_count = count + 2;
}

/* Each page where it is newest: every frame here is committed. */
static void find_rows(struct store_image *store)
{
	struct image_row newest[IMAGE_PAGES_MAX + 1] = {{NULL, 0, PAGE}};
	size_t pages = store->file.size / PAGE;
	must(pages <= IMAGE_PAGES_MAX, "few pages");
	for (size_t i = 1; i <= pages; i++) {
		newest[i] =
			(struct image_row){&store->file, (i - 1) * PAGE, PAGE};
	}
	for (size_t at = WAL_HEADER; at + FRAME <= store->wal.size;
		at += FRAME) {
		size_t page = big_endian(store->wal.good + at);
		must(page <= IMAGE_PAGES_MAX, "few pages");
		newest[page] = (struct image_row){
			&store->wal, at + FRAME_HEADER, PAGE};
	}
	find_schema(store, newest);
	for (size_t i = 1; i <= IMAGE_PAGES_MAX; i++)
		if (newest[i].image != NULL)
			add_rows(store, newest[i].image, newest[i].at,
				i == 1 ? FILE_HEADER : 0);
}

static unsigned char *memory(size_t size)
{
	unsigned char *bytes = malloc(size);
	if (bytes == NULL)
		abort();
	return bytes;
}

static void read_image(struct image *image, const char *path)
{
	FILE *from = fopen(path, "rbe");
	must(from != NULL && fseek(from, 0, SEEK_END) == 0, "a file");
	image->size = image->good_size = (size_t)ftell(from);
	image->good = memory(image->size + 1);
	image->bytes = memory(image->size + 1);
	rewind(from);
	must(fread(image->good, 1, image->size, from) == image->size, "read");
	memcpy(image->bytes, image->good, image->size);
	(void)fclose(from);
}

void store_image_read(struct store_image *image, const char *path)
{
	char wal[4096];
	*image = (struct store_image){0};
	(void)snprintf(wal, sizeof wal, "%s-wal", path);
	read_image(&image->file, path);
	read_image(&image->wal, wal);
	must(image->file.size > PAGE && image->wal.size > WAL_HEADER + FRAME &&
			image->file.good[16] == PAGE >> 8 &&
			big_endian(image->wal.good) == WAL_MAGIC,
		"a file and a WAL of that page size");
	find_rows(image);
}

void store_image_free(struct store_image *image)
{
	free(image->file.good);
	free(image->file.bytes);
	free(image->wal.good);
	free(image->wal.bytes);
}

static void restore(struct image *image)
{
	if (image->to > image->from)
		memcpy(image->bytes + image->from, image->good + image->from,
			image->to - image->from);
	image->size = image->good_size;
	image->from = image->to = 0;
}

void store_image_restore(struct store_image *image)
{
	restore(&image->file);
	restore(&image->wal);
	image->moved = image->sums_anew = false;
}

/* [at, at + length) is not what it was. */
static void touch(struct store_image *store, struct image *image, size_t at,
	size_t length)
{
	if (image->to == 0 || at < image->from)
		image->from = at;
	if (at + length > image->to)
		image->to = at + length;
	/* A frame says which page it is: that moves it, too. */
	store->moved |= image == &store->wal && at >= WAL_HEADER &&
			(at - WAL_HEADER) % FRAME < FRAME_HEADER;
}

static void flip(struct store_image *store, struct image *image, size_t at,
	unsigned long bits)
{
	if (image->size == 0)
		return;
	at %= image->size;
	image->bytes[at] ^= (unsigned char)bits;
	touch(store, image, at, 1);
}

static void flip_row(
	struct store_image *store, const size_t numbers[2], unsigned long bits)
{
	const struct image_row *row =
		&store->rows[numbers[0] % store->row_count];
	if (row->length == 0 || row->at + row->length > row->image->size)
		return;
	flip(store, row->image, row->at + numbers[1] % row->length, bits);
	store->sums_anew = true;
}

/* Blocks of `size` behind the first `header` bytes. */
static void copy(struct store_image *store, struct image *image, size_t header,
	const size_t numbers[2])
{
	size_t size = image == &store->file ? PAGE : FRAME;
	size_t count = image->size > header ? (image->size - header) / size : 0;
	if (count == 0)
		return;
	size_t to = header + numbers[1] % count * size;
	memmove(image->bytes + to,
		image->bytes + header + numbers[0] % count * size, size);
	touch(store, image, to, size);
	store->moved = true;
}

static void cut(struct store_image *store, struct image *image, size_t size)
{
	image->size = size % (image->good_size + 1);
	store->moved = true;
}

void store_image_damage(struct store_image *image, struct slice line)
{
	char text[64] = "", *second, *third;
	memcpy(text, line.data,
		line.length < sizeof text ? line.length : sizeof text - 1);
	const size_t first = strtoul(text + (text[0] != '\0'), &second, 10);
	const size_t numbers[2] = {first, strtoul(second, &third, 10)};
	if (text[0] == 'c') {
		flip_row(image, numbers, strtoul(third, NULL, 16));
	} else if (text[0] == 'f') {
		flip(image, &image->file, first, strtoul(second, NULL, 16));
	} else if (text[0] == 'w') {
		flip(image, &image->wal, first, strtoul(second, NULL, 16));
	} else if (text[0] == 'p') {
		copy(image, &image->file, 0, numbers);
	} else if (text[0] == 'q') {
		copy(image, &image->wal, WAL_HEADER, numbers);
	} else if (text[0] == 'F') {
		cut(image, &image->file, first);
	} else if (text[0] == 'W') {
		cut(image, &image->wal, first);
	} else if (text[0] == 's') {
		image->sums_anew = true;
	}
}

/* sqlite.org/fileformat2.html, 4.2. */
void store_image_sum(uint32_t sum[2], const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i + 8 <= length; i += 8) {
		uint32_t words[2];
		memcpy(words, bytes + i, sizeof words);
		sum[0] += words[0] + sum[1];
		sum[1] += words[1] + sum[0];
	}
}

static void put_sum(unsigned char *at, const uint32_t sum[2])
{
	put_big_endian(at, sum[0]);
	put_big_endian(at + 4, sum[1]);
}

/* Every sum is over all that stands before it. */
static void sum_wal(struct image *wal)
{
	uint32_t sum[2] = {0, 0};
	size_t first = wal->from < WAL_HEADER + FRAME
			       ? 0
			       : (wal->from - WAL_HEADER) / FRAME;
	size_t at = WAL_HEADER + first * FRAME;
	if (wal->to == 0 || wal->size < at)
		return;
	const unsigned char *before = first == 0 ? wal->bytes + WAL_SUMMED
						 : wal->bytes + at - FRAME + 16;
	if (first == 0) {
		store_image_sum(sum, wal->bytes, WAL_SUMMED);
		put_sum(wal->bytes + WAL_SUMMED, sum);
	}
	sum[0] = big_endian(before);
	sum[1] = big_endian(before + 4);
	for (; at + FRAME <= wal->size; at += FRAME) {
		store_image_sum(sum, wal->bytes + at, 8);
		store_image_sum(sum, wal->bytes + at + FRAME_HEADER, PAGE);
		put_sum(wal->bytes + at + 16, sum);
	}
	wal->from = first == 0 ? 0 : WAL_HEADER + first * FRAME;
	wal->to = wal->good_size;
}

void store_image_mend_schema(struct store_image *image)
{
	for (size_t i = 0; i < image->schema_count; i++) {
		const struct image_row *page = &image->schema[i];
		memcpy(page->image->bytes + page->at,
			page->image->good + page->at, page->length);
	}
}

void store_image_settle(struct store_image *image)
{
	if (image->sums_anew)
		sum_wal(&image->wal);
}
