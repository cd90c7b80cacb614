#include "store/trace_keys.h"

#include <stdlib.h>

/* Some 50 ms: no reader that the writer's checkpoints would notice. */
#define PAGE_ROWS "100000"
#define PAGE_ROWS_NUMBER 100000

/* Keys that were let go stay in the map until there are so many more than when
 * it was made. */
#define SLACK_KEYS 1000000

int trace_keys_init(struct trace_keys *keys, sqlite3 *db, struct fault *fault)
{
	*keys = (struct trace_keys){0};
	int rc = sql_prepare(db, &keys->list,
		"SELECT * FROM _key WHERE seq > ? ORDER BY seq "
		"LIMIT " PAGE_ROWS,
		fault);
	if (rc == 0)
		rc = sql_prepare(db, &keys->get,
			"SELECT * FROM _key WHERE seq = ?", fault);
	return rc;
}

void trace_keys_finish(struct trace_keys *keys)
{
	sqlite3_finalize(keys->list);
	sqlite3_finalize(keys->get);
	key_map_finish(&keys->map);
	free(keys->first_offsets);
}

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for the keys held");
}

static bool make_room(struct trace_keys *keys, size_t log_count)
{
	if (log_count <= keys->log_count)
		return true;
	int64_t *larger = realloc(
		keys->first_offsets, log_count * sizeof *keys->first_offsets);
	if (larger == NULL)
		return false;
	for (size_t i = keys->log_count; i < log_count; i++)
		larger[i] = INT64_MAX;
	keys->first_offsets = larger;
	keys->log_count = log_count;
	return true;
}

/* Forget those that left long ago. */
static void begin_anew(struct trace_keys *keys)
{
	key_map_clear(&keys->map);
	keys->last_seq = 0;
	keys->settled = 0;
	for (size_t i = 0; i < keys->log_count; i++)
		keys->first_offsets[i] = INT64_MAX;
}

static int note(struct trace_keys *keys, const struct key_holder *holder,
	struct fault *fault)
{
	if (!key_map_add(&keys->map, keys_prefix(holder->key), holder->seq))
		return no_memory(fault);
	keys->last_seq = holder->seq;
	size_t index = holder->log - 1;
	if (holder->state == KEY_TAKEN && index < keys->log_count &&
		holder->offset < keys->first_offsets[index])
		keys->first_offsets[index] = holder->offset;
	return 0;
}

static int read_page(
	struct trace_keys *keys, int64_t *rows, struct fault *fault)
{
	const struct column after = column_integer(keys->last_seq);
	sql_bind(keys->list, &after, 1);
	int rc;
	while ((rc = sql_step(keys->list, fault)) == 1) {
		struct key_holder holder;
		rc = keys_read_holder(keys->list, &holder, fault);
		if (rc == 0)
			rc = note(keys, &holder, fault);
		if (rc < 0)
			break;
		++*rows;
	}
	sqlite3_reset(keys->list);
	return rc;
}

int trace_keys_read(
	struct trace_keys *keys, size_t log_count, struct fault *fault)
{
	int64_t rows = 0;
	if (!make_room(keys, log_count))
		return no_memory(fault);
	if (keys->settled > 0 &&
		keys->map.count > 2 * keys->settled + SLACK_KEYS)
		begin_anew(keys);
	int rc = read_page(keys, &rows, fault);
	if (rc < 0)
		return rc;
	if (rows == PAGE_ROWS_NUMBER)
		return 1;
	if (keys->settled == 0)
		keys->settled = keys->map.count;
	return 0;
}

/* 1: the row is there, and holds the key. */
static int confirm(struct trace_keys *keys, int64_t seq,
	const unsigned char key[KEY_BYTES], struct key_holder *out,
	struct fault *fault)
{
	const struct column number = column_integer(seq);
	sql_bind(keys->get, &number, 1);
	int rc = sql_step(keys->get, fault);
	bool found = rc == 1;
	if (found)
		rc = keys_read_holder(keys->get, out, fault);
	sqlite3_reset(keys->get);
	if (rc < 0)
		return rc;
	return found && memcmp(out->key, key, KEY_BYTES) == 0;
}

int trace_keys_find(struct trace_keys *keys, const unsigned char key[KEY_BYTES],
	struct key_holder *out, struct fault *fault)
{
	uint64_t prefix = keys_prefix(key);
	size_t cursor = KEY_MAP_START;
	int64_t seq;
	while ((seq = key_map_next(&keys->map, prefix, &cursor)) != 0) {
		int rc = confirm(keys, seq, key, out, fault);
		if (rc != 0)
			return rc;
	}
	return 0;
}
