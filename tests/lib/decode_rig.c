#include "tests/lib/decode_rig.h"

#include "tests/lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Three views and a source for each way to write events. */
static const char schema_text[] =
	"{'views': {"
	" 'card': {'entity': {'card_id': 'string'}, 'features': {"
	"  'txns': {'type': 'int64', 'merge': 'sum'},"
	"  'spend': {'type': 'decimal(2)', 'merge': 'sum'},"
	"  'country': {'type': 'string', 'max_length': 2},"
	"  'score': {'type': 'float64', 'minimum': 0, 'maximum': 1},"
	"  'seen': {'type': 'timestamp', 'merge': 'max'},"
	"  'flag': {'type': 'bool'},"
	"  'photo': {'type': 'bytes', 'max_length': 4},"
	"  'vector': {'type': 'float32[3]'}}},"
	" 'pair': {'entity': {'user_id': 'int64', 'item_id': 'string'},"
	"  'features': {'clicks': {'type': 'int64', 'merge': 'sum'},"
	"   'last': {'type': 'int64'}}},"
	" 'user': {'entity': {'user_id': 'int64'},"
	"  'features': {'last': {'type': 'int64'}}}},"
	"'sources': {"
	" 'pay': {'id': '/id', 'event_time': '/at', 'updates': ["
	"  {'view': 'card', 'entity': {'card_id': '/card'},"
	"   'when': {'/status': ['paid', 1, null]},"
	"   'features': {'country': '/country', 'txns': {'const': 1},"
	"    'spend': '/amount'}},"
	"  {'view': 'card', 'entity': {'card_id': '/payee'},"
	"   'features': {'spend': '/received'}}]},"
	" 'click': {'id': ['/session', '/n'], 'missing_key': 'position',"
	"  'event_time': '/ms', 'event_time_unit': 'ms', 'updates': ["
	"  {'view': 'pair', 'entity': {'user_id': '/user/id',"
	"   'item_id': '/items/0'}, 'features': {'last': '/n'}},"
	"  {'view': 'user', 'entity': {'user_id': '/user/id'},"
	"   'op': 'replace', 'when': {'/type': 'reset'}},"
	"  {'view': 'user', 'entity': {'user_id': '/user/id'},"
	"   'op': 'delete', 'when': {'/type': 'gone', '/sure': true}}]},"
	" 'loose': {'missing_key': 'position', 'updates': ["
	"  {'view': 'card', 'entity': {'card_id': '/card'},"
	"   'features': {'score': '/score'}}]},"
	" 'card': {},"
	" 'card_s': {'event_time_unit': 's'},"
	" 'card_us': {'event_time_unit': 'us'},"
	" 'card_park': {'unknown_feature': 'park',"
	"  'missing_key': 'position'},"
	" 'card_reject': {'unknown_feature': 'reject'}}}";

struct slice rig_json(struct rig *rig, const char *text)
{
	size_t length = strlen(text);
	char *copy = arena_take(&rig->arena, length + 1);
	assert_non_null(copy);
	for (size_t i = 0; i <= length; i++)
		if ((copy[i] = text[i]) == '\'')
			copy[i] = '"';
	return (struct slice){copy, length};
}

int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	struct fault fault = {0};
	assert_non_null(rig);
	struct slice text = rig_json(rig, schema_text);
	if (schema_parse(&rig->schema, text, "rig", &fault) < 0)
		fail_msg("%s", fault.text);
	rig->decoder = (struct decoder){
		.schema = rig->schema,
		.value_bytes_max = VALUE_BYTES_MAX,
		.depth_max = DEPTH_MAX,
		.max_skew_us = MAX_SKEW_US,
	};
	for (unsigned char i = 0; i < SECRET_BYTES; i++)
		rig->decoder.secret[i] = i;
	rig->log = (struct log){"pay", 3, 2, 1};
	rig_plain(rig);
	*state = rig;
	return 0;
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;
	schema_free(rig->schema);
	arena_finish(&rig->arena);
	free(rig);
	return 0;
}

void rig_plain(struct rig *rig)
{
	rig->record = (struct record){
		.form = RECORD_MESSAGE,
		.log = &rig->log,
		.offset = 77,
		.next_offset = 78,
		.timestamp_us = RIG_TIME_US,
		.headers = rig->headers,
	};
}

void rig_header(struct rig *rig, const char *name, const char *value)
{
	assert_true(rig->record.header_count < RIG_HEADERS_MAX);
	rig->headers[rig->record.header_count++] =
		(struct header){slice_of(name), slice_of(value)};
}

static const struct update *decode(struct rig *rig, const char *topic)
{
	struct fault fault = {0};
	const struct source_schema *source = schema_source(rig->schema, topic);
	assert_non_null(source);
	assert_int_equal(decode_record(&rig->decoder, source, &rig->record,
				 &rig->arena, &rig->out, &fault),
		0);
	return rig->out.update_count == 0 ? NULL : rig->out.updates;
}

const struct update *rig_decode(
	struct rig *rig, const char *topic, const char *value)
{
	rig->record.form = RECORD_MESSAGE;
	rig->record.value =
		value == NULL ? (struct slice){NULL, 0} : rig_json(rig, value);
	return decode(rig, topic);
}

const struct update *rig_decode_line(
	struct rig *rig, const char *topic, const char *line)
{
	rig->record.form = RECORD_LINE;
	rig->record.timestamp_us = TIMESTAMP_NONE;
	rig->record.value = rig_json(rig, line);
	return decode(rig, topic);
}
