/*
 * Files of base data: CSV or NDJSON, row by row, each decoded.
 *
 * An input is the file; CSV unless its first byte is "{".
 */
#include "schema/load.h"
#include "ingest/command/load_rows.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/lib/decode_rig.h"

#include <stdlib.h>

static struct rig *rig;

static void finish(void)
{
	void *state = rig;
	(void)rig_teardown(&state);
}

void fuzz_start(void)
{
	void *state = NULL;
	(void)rig_setup(&state);
	rig = state;
	(void)atexit(finish);
}

static void check_row(const struct load_row *row)
{
	struct fault fault = {0};
	rig_plain(rig);
	rig->record.offset = (int64_t)row->offset;
	rig->record.next_offset = (int64_t)row->next_offset;
	rig->record.value = (struct slice){row->value, row->length};
	must(load_decode(&rig->decoder, &rig->record, &rig->arena, &rig->out,
		     &fault) == 0,
		"no row makes decoding fail");
	for (size_t i = 0; i < rig->out.update_count; i++)
		must(!rig->out.updates[i].has_key, "rows need no key");
}

static void read_rows(struct load_rows *rows)
{
	struct fault fault = {0};
	struct load_row row;
	size_t at = rows->at;
	int rc;
	while ((rc = load_rows_next(rows, &row, &fault)) == 1) {
		must(row.offset >= at && row.next_offset > row.offset &&
				row.next_offset <= rows->content.length,
			"rows one behind the other");
		at = row.next_offset;
		check_row(&row);
		free(row.value);
	}
	must(rc == 0, "an end");
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct slice copy = input_copy(data, size);
	struct fault fault = {0};
	struct load_rows rows = {
		.view = schema_view(rig->schema, slice_of("card")),
		.content = copy,
		.event_time = "2026-11-23T08:20:48Z",
		.csv = size == 0 || data[0] != '{'};
	arena_reset(&rig->arena);
	int rc = load_rows_begin(&rows, &fault);
	must(rc == 0 || (rc == FAULT_USAGE && fault.text[0] != '\0'),
		"columns, or what is wrong with them");
	if (rc == 0)
		read_rows(&rows);
	load_rows_finish(&rows);
	free((void *)(uintptr_t)copy.data);
}
