/* An NDJSON file as a source. Source: design section 4. */
#include "ingest/file_source.h"
#include "tests/lib/chance.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"
#include "tests/lib/script_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rig {
	struct directory directory, file;
	struct script_clock clock; /* moved by hand */
	struct source *source;
	struct log log;
	struct trail trail; /* of what was taken */
	int64_t next_offset;
	struct source_event event; /* of the last poll */
	struct fault fault;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	directory_make(&rig->directory);
	rig->file = directory_entry(&rig->directory, "events.ndjson");
	rig->log = (struct log){"events", 0, 0, 1};
	script_clock_init(&rig->clock);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	source_close(rig->source);
	directory_remove(&rig->directory);
	free(rig);
	return 0;
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void append(struct rig *rig, const char *text)
{
	FILE *file = fopen(rig->file.path, "a");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int poll_once(struct rig *rig)
{
	return source_poll(rig->source, &rig->event, 0, &rig->fault);
}

static int open_source(struct rig *rig, bool until_end)
{
	struct file_source_options options = {.path = rig->file.path,
		.topic = "events",
		.clock = &rig->clock.clock,
		.until_end = until_end};
	source_close(rig->source);
	return file_source_open(&rig->source, &options, &rig->fault);
}

/* Open it and go on where it was left. */
static void start(struct rig *rig, bool until_end)
{
	assert_int_equal(open_source(rig, until_end), 0);
	assert_int_equal(poll_once(rig), SOURCE_PARTITION);
	assert_string_equal(rig->event.topic, "events");
	assert_int_equal(rig->event.partition, 0);
	assert_int_equal(rig->event.log_start, 0);
	const struct source_position position = {.log = &rig->log,
		.next_offset = rig->next_offset,
		.record_time_us = TIMESTAMP_NONE,
		.trail = &rig->trail,
		.cluster_id = ""};
	assert_int_equal(source_start(rig->source, &position, &rig->fault), 0);
}

/* The next poll gives the line; it is taken. */
static void expect(struct rig *rig, const char *line, int64_t offset)
{
	assert_int_equal(poll_once(rig), SOURCE_RECORD);
	const struct record *record = &rig->event.record;
	size_t length = strlen(line);
	assert_int_equal(record->form, RECORD_LINE);
	assert_ptr_equal(record->log, &rig->log);
	assert_int_equal(record->offset, offset);
	assert_int_equal(record->next_offset, offset + (int64_t)length + 1);
	assert_true(record->timestamp_us == TIMESTAMP_NONE);
	assert_null(record->key.data);
	assert_int_equal(record->value.length, length);
	assert_memory_equal(record->value.data, line, length);
	struct footprint step = trail_footprint(record);
	trail_note(&rig->trail, &step);
	rig->next_offset = record->next_offset;
}

static void expect_end(struct rig *rig, int64_t offset)
{
	assert_int_equal(poll_once(rig), SOURCE_END);
	assert_ptr_equal(rig->event.log, &rig->log);
	assert_int_equal(rig->event.next_offset, offset);
	assert_int_equal(rig->event.as_of_us, atomic_load(&rig->clock.now_us));
}

static void lines_are_records_at_their_byte(void **state)
{
	struct rig *rig = *state;
	append(rig, "{\"a\": 1}\n{}\n[]\r\n");
	start(rig, true);
	expect(rig, "{\"a\": 1}", 0);
	expect(rig, "{}", 9);
	expect(rig, "[]\r", 12);
	expect_end(rig, 16);
	assert_int_equal(poll_once(rig), SOURCE_DONE);
	assert_int_equal(poll_once(rig), SOURCE_DONE);
}

static void empty_lines_are_gaps(void **state)
{
	struct rig *rig = *state;
	append(rig, "\n\r\n{}\n\n\n[]\n\n");
	start(rig, true);
	expect(rig, "{}", 3);
	expect(rig, "[]", 8);
	expect_end(rig, 12);
	assert_int_equal(poll_once(rig), SOURCE_DONE);
}

static void an_empty_file_ends_at_once(void **state)
{
	struct rig *rig = *state;
	append(rig, "");
	start(rig, true);
	expect_end(rig, 0);
	assert_int_equal(poll_once(rig), SOURCE_DONE);
}

static void a_last_line_without_newline_is_not_there_yet(void **state)
{
	struct rig *rig = *state;
	append(rig, "{}\n{\"half\":");
	start(rig, true);
	expect(rig, "{}", 0);
	expect_end(rig, 3);
	assert_int_equal(poll_once(rig), SOURCE_DONE);
	append(rig, " 1}\n");
	start(rig, true);
	expect(rig, "{\"half\": 1}", 3);
	/* Nor is one that is all there is. */
	assert_int_equal(unlink(rig->file.path), 0);
	append(rig, "{\"half\":");
	rig->next_offset = 0;
	rig->trail.count = 0;
	start(rig, true);
	expect_end(rig, 0);
	assert_int_equal(poll_once(rig), SOURCE_DONE);
}

static void what_is_appended_is_followed(void **state)
{
	struct rig *rig = *state;
	append(rig, "1\n");
	start(rig, false);
	expect(rig, "1", 0);
	expect_end(rig, 2);
	assert_int_equal(poll_once(rig), SOURCE_IDLE);
	append(rig, "2\n3");
	expect(rig, "2", 2);
	expect_end(rig, 4);
	assert_int_equal(poll_once(rig), SOURCE_IDLE);
	append(rig, "4\n");
	expect(rig, "34", 4);
	expect_end(rig, 7);
}

/* So that "all up to here is taken" moves on while nothing comes. */
static void an_idle_end_is_reported_once_a_second(void **state)
{
	struct rig *rig = *state;
	append(rig, "1\n");
	start(rig, false);
	expect(rig, "1", 0);
	expect_end(rig, 2);
	atomic_fetch_add(&rig->clock.now_us, 999999);
	assert_int_equal(poll_once(rig), SOURCE_IDLE);
	atomic_fetch_add(&rig->clock.now_us, 1);
	expect_end(rig, 2);
	assert_int_equal(poll_once(rig), SOURCE_IDLE);
}

/* Else whoever writes faster than we read would keep us for ever. */
static void until_end_means_the_end_at_the_start(void **state)
{
	struct rig *rig = *state;
	append(rig, "1\n2\n");
	start(rig, true);
	append(rig, "3\n");
	expect(rig, "1", 0);
	expect(rig, "2", 2);
	assert_int_equal(poll_once(rig), SOURCE_DONE);
	start(rig, true);
	expect(rig, "3", 4);
	expect_end(rig, 6);
	assert_int_equal(poll_once(rig), SOURCE_DONE);
}

static void the_next_start_goes_on_behind_what_was_taken(void **state)
{
	struct rig *rig = *state;
	append(rig, "1\n2\n3\n");
	start(rig, true);
	expect(rig, "1", 0);
	expect(rig, "2", 2);
	start(rig, true);
	expect(rig, "3", 4);
	start(rig, true);
	expect_end(rig, 6);
	assert_int_equal(poll_once(rig), SOURCE_DONE);
}

static void check_changed(struct rig *rig, const char *content)
{
	assert_int_equal(unlink(rig->file.path), 0);
	append(rig, content);
	start(rig, true);
	assert_int_equal(poll_once(rig), SOURCE_STOPPED);
	assert_ptr_equal(rig->event.log, &rig->log);
	assert_int_equal(rig->event.fault.code, FAULT_LOG);
	assert_non_null(strstr(rig->event.fault.text, "log_changed"));
	assert_non_null(strstr(rig->event.fault.text, rig->file.path));
	assert_int_equal(poll_once(rig), SOURCE_IDLE);
}

static void another_file_under_the_name_stops(void **state)
{
	struct rig *rig = *state;
	append(rig, "1\n2\n3\n");
	start(rig, true);
	expect(rig, "1", 0);
	expect(rig, "2", 2);
	expect(rig, "3", 4);
	check_changed(rig, "1\n2\n4\n");  /* the last line */
	check_changed(rig, "9\n2\n3\n");  /* the first */
	check_changed(rig, "1\n2\n");	  /* cut off */
	check_changed(rig, "1\n2\n3");	  /* by its newline */
	check_changed(rig, "1\n2\n33\n"); /* a longer line */
	check_changed(rig, "");
	assert_int_equal(unlink(rig->file.path), 0);
	append(rig, "1\n2\n3\n4\n");
	start(rig, true);
	expect(rig, "4", 6);
}

/* While it is followed: what is read next would not be what follows. */
static void a_file_cut_off_while_it_is_read_stops(void **state)
{
	struct rig *rig = *state;
	append(rig, "1\n2\n3\n");
	start(rig, false);
	expect(rig, "1", 0);
	expect(rig, "2", 2);
	expect(rig, "3", 4);
	expect_end(rig, 6);
	assert_int_equal(truncate(rig->file.path, 2), 0);
	assert_int_equal(poll_once(rig), SOURCE_STOPPED);
	assert_non_null(strstr(rig->event.fault.text, "log_changed"));
	assert_int_equal(poll_once(rig), SOURCE_IDLE);
}

static void a_paused_file_gives_nothing(void **state)
{
	struct rig *rig = *state;
	append(rig, "1\n2\n");
	start(rig, false);
	expect(rig, "1", 0);
	assert_int_equal(
		source_pause(rig->source, &rig->log, true, &rig->fault), 0);
	assert_int_equal(poll_once(rig), SOURCE_IDLE);
	assert_int_equal(
		source_pause(rig->source, &rig->log, false, &rig->fault), 0);
	expect(rig, "2", 2);
}

static void nobody_waits_for_the_end_of_a_paused_file(void **state)
{
	struct rig *rig = *state;
	append(rig, "1\n2\n");
	start(rig, true);
	expect(rig, "1", 0);
	assert_int_equal(
		source_pause(rig->source, &rig->log, true, &rig->fault), 0);
	assert_int_equal(poll_once(rig), SOURCE_DONE);
	assert_int_equal(
		source_pause(rig->source, &rig->log, false, &rig->fault), 0);
	expect(rig, "2", 2);
}

static void a_line_longer_than_the_buffer_is_whole(void **state)
{
	struct rig *rig = *state;
	const size_t length = 5 * 1024 * 1024 + 17;
	char *line = malloc(length + 2);
	assert_non_null(line);
	for (size_t i = 0; i < length; i++)
		line[i] = (char)('a' + i % 23);
	line[length] = '\n';
	line[length + 1] = '\0';
	append(rig, "1\n");
	append(rig, line);
	append(rig, "2\n");
	line[length] = '\0';
	start(rig, true);
	expect(rig, "1", 0);
	expect(rig, line, 2);
	expect(rig, "2", 2 + (int64_t)length + 1);
	expect_end(rig, (int64_t)length + 5);
	free(line);
}

/* Lines of all lengths, across the borders of what is read at once. */
static void lines_are_what_lies_between_newlines(void **state)
{
	struct rig *rig = *state;
	struct chance chance = {1};
	const size_t size = 6 * 1024 * 1024;
	char *text = malloc(size + 1);
	assert_non_null(text);
	for (size_t i = 0; i < size; i++)
		text[i] = (char)('a' + i % 26);
	for (size_t i = 0; i < size;
		i += 1 + chance_below(&chance,
				 chance_percent(&chance, 2) ? 300000 : 100))
		text[i] = '\n';
	text[size - 1] = '\n';
	text[size] = '\0';
	append(rig, text);
	start(rig, true);
	for (char *line = text; line < text + size;) {
		char *newline = strchr(line, '\n');
		assert_non_null(newline);
		*newline = '\0';
		if (newline != line)
			expect(rig, line, line - text);
		line = newline + 1;
	}
	expect_end(rig, (int64_t)size);
	free(text);
}

static void what_cannot_be_read_is_refused(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(open_source(rig, true), FAULT_USAGE);
	assert_null(rig->source);
	assert_non_null(strstr(rig->fault.text, rig->file.path));
	rig->file = rig->directory;
	assert_int_equal(open_source(rig, true), FAULT_USAGE);
	assert_null(rig->source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(lines_are_records_at_their_byte),
		WITH_FILE(empty_lines_are_gaps),
		WITH_FILE(an_empty_file_ends_at_once),
		WITH_FILE(a_last_line_without_newline_is_not_there_yet),
		WITH_FILE(what_is_appended_is_followed),
		WITH_FILE(an_idle_end_is_reported_once_a_second),
		WITH_FILE(until_end_means_the_end_at_the_start),
		WITH_FILE(the_next_start_goes_on_behind_what_was_taken),
		WITH_FILE(another_file_under_the_name_stops),
		WITH_FILE(a_file_cut_off_while_it_is_read_stops),
		WITH_FILE(a_paused_file_gives_nothing),
		WITH_FILE(nobody_waits_for_the_end_of_a_paused_file),
		WITH_FILE(a_line_longer_than_the_buffer_is_whole),
		WITH_FILE(lines_are_what_lies_between_newlines),
		WITH_FILE(what_cannot_be_read_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
