#include "ingest/command/table.h"

#include "ingest/command/say.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct table {
	struct column *columns;
	size_t column_count;
	char **cells;
	size_t cell_count, cell_room;
	bool failed;
};

struct table *table_new(const struct column *columns, size_t count)
{
	assert(count > 0);
	struct table *table = calloc(1, sizeof *table);
	if (table == NULL)
		return NULL;
	table->columns = calloc(count, sizeof *columns);
	if (table->columns == NULL) {
		free(table);
		return NULL;
	}
	memcpy(table->columns, columns, count * sizeof *columns);
	table->column_count = count;
	return table;
}

static bool make_room(struct table *table)
{
	if (table->cell_count < table->cell_room)
		return true;
	size_t room = table->cell_room * 2 + 64;
	char **cells = realloc(table->cells, room * sizeof *cells);
	if (cells == NULL)
		return false;
	table->cells = cells;
	table->cell_room = room;
	return true;
}

void table_add(struct table *table, const char *format, ...)
{
	if (table->failed)
		return;
	va_list arguments;
	va_start(arguments, format);
	char *text = NULL;
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0 || !make_room(table)) {
		if (length >= 0)
			free(text);
		table->failed = true;
		return;
	}
	say_plainly(text);
	table->cells[table->cell_count++] = text;
}

/* Columns a terminal takes: code points, not bytes. */
static size_t width_of(const char *text)
{
	size_t width = 0;
	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xC0) != 0x80;
	return width;
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = width_of(table->columns[column].heading);
	for (size_t i = column; i < table->cell_count; i += table->column_count)
		if (width_of(table->cells[i]) > width)
			width = width_of(table->cells[i]);
	return width;
}

static void print_cell(const struct table *table, const char *text,
	size_t column, size_t width, FILE *out)
{
	bool last = column + 1 == table->column_count;
	bool right = table->columns[column].right;
	int padding = (int)(width - width_of(text));
	if (right)
		fprintf(out, "%*s", padding, "");
	fputs(text, out);
	if (!right && !last)
		fprintf(out, "%*s", padding, "");
	fputs(last ? "\n" : "  ", out);
}

bool table_print(const struct table *table, FILE *out)
{
	assert(table->failed || table->cell_count % table->column_count == 0);
	size_t *widths = calloc(table->column_count, sizeof *widths);
	if (table->failed || widths == NULL) {
		free(widths);
		return false;
	}
	for (size_t i = 0; i < table->column_count; i++)
		widths[i] = column_width(table, i);
	for (size_t i = 0; i < table->column_count; i++)
		print_cell(table, table->columns[i].heading, i, widths[i], out);
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t column = i % table->column_count;
		print_cell(table, table->cells[i], column, widths[column], out);
	}
	free(widths);
	return true;
}

void table_free(struct table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->columns);
	free(table);
}
