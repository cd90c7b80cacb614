#include "store/keys.h"

#include "schema/bytes.h"
#include "store/failpoint.h"
#include "store/key_segments.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define TABLE "_key"
#define COLUMNS 9
#define LOAD_TOGETHER 64 /* fetched at once: more than a core has under way */
#define KEYS_AT_ONCE 1000000 /* read by one statement */
#define ROW_BYTES 72 /* of the table, with its share of the page (measured) */

static const char *const state_names[] = {
	[KEY_PENDING] = "pending",
	[KEY_TAKEN] = "taken",
	[KEY_PARKED] = "parked",
	[KEY_DEAD] = "dead",
};

uint64_t keys_prefix(const unsigned char key[KEY_BYTES])
{
	struct byte_reader reader =
		byte_reader_of((struct slice){(const char *)key, KEY_BYTES});
	return get_u64(&reader);
}

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for the key window");
}

int keys_init(struct keys *keys, sqlite3 *db, struct fault *fault)
{
	*keys = (struct keys){
		.db = db, .segment_rows = KEY_SEGMENT_ROWS, .next_seq = 1};
	const struct {
		sqlite3_stmt **out;
		const char *sql;
	} statements[] = {
		{&keys->get, "SELECT * FROM " TABLE " WHERE seq = ?"},
		{&keys->put, "INSERT INTO " TABLE " VALUES"
			     " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&keys->put_over, "REPLACE INTO " TABLE " VALUES"
				  " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&keys->remove, "DELETE FROM " TABLE " WHERE seq = ?"},
		{&keys->list, "SELECT seq, key FROM " TABLE " WHERE seq BETWEEN"
			      " ? AND ? AND state = 'taken'"},
		{&keys->let_go, "DELETE FROM " TABLE " WHERE seq BETWEEN"
				" ? AND ? AND state = 'taken'"},
	};
	int rc = 0;
	for (size_t i = 0;
		rc == 0 && i < sizeof statements / sizeof statements[0]; i++)
		rc = sql_prepare(
			db, statements[i].out, statements[i].sql, fault);
	return rc;
}

void keys_finish(struct keys *keys)
{
	sqlite3_finalize(keys->get);
	sqlite3_finalize(keys->put);
	sqlite3_finalize(keys->put_over);
	sqlite3_finalize(keys->remove);
	sqlite3_finalize(keys->list);
	sqlite3_finalize(keys->let_go);
	key_map_finish(&keys->map);
	key_map_finish(&keys->fresh_map);
	key_segments_finish(keys);
	free(keys->fresh);
	free(keys->gone);
}

static bool parse_state(struct slice name, enum key_state *out)
{
	for (enum key_state state = KEY_TAKEN; state <= KEY_DEAD; state++) {
		*out = state;
		if (slice_equal(name, slice_of(state_names[state])))
			return true;
	}
	return false;
}

/* The row `statement` stands on. */
int keys_read_holder(
	sqlite3_stmt *statement, struct key_holder *out, struct fault *fault)
{
	struct column row[COLUMNS];
	int rc = sql_read_row(statement, TABLE, row, COLUMNS, fault);
	if (rc < 0)
		return rc;
	struct slice key = column_as_bytes(&row[1]);
	*out = (struct key_holder){
		.seq = column_as_integer(&row[0]),
		.content = (uint64_t)column_as_integer(&row[2]),
		.record_time_us = column_as_integer(&row[3]),
		.log = (uint32_t)column_as_integer(&row[4]),
		.offset = column_as_integer(&row[5]),
		.place = (uint32_t)column_as_integer(&row[6]),
		.letter = column_as_integer(&row[8]),
	};
	if (key.length != KEY_BYTES ||
		!parse_state(column_as_bytes(&row[7]), &out->state))
		return fault_set(fault, FAULT_CORRUPT,
			"table " TABLE ": row %" PRId64 " is no key", out->seq);
	memcpy(out->key, key.data, KEY_BYTES);
	return 0;
}

/* Some rows of the table on their way into memory. */
struct load {
	struct key_slot slots[LOAD_TOGETHER];
	size_t count, rows;
};

static int load_slots(struct keys *keys, struct load *load, struct fault *fault)
{
	if (!key_map_add_all(&keys->map, load->slots, load->count))
		return no_memory(fault);
	load->count = 0;
	return 0;
}

static int load_holder(struct keys *keys, struct load *load,
	const struct key_holder *holder, struct fault *fault)
{
	if (!key_segments_note(keys, holder))
		return no_memory(fault);
	load->slots[load->count++] =
		(struct key_slot){keys_prefix(holder->key), holder->seq};
	load->rows++;
	keys->next_seq = holder->seq + 1;
	return load->count < LOAD_TOGETHER ? 0 : load_slots(keys, load, fault);
}

void keys_unload(struct keys *keys)
{
	key_map_clear(&keys->map);
	key_segments_finish(keys);
	keys->next_seq = 1;
	keys->loaded = false;
}

int keys_load_more(struct keys *keys, size_t rows, struct fault *fault)
{
	assert(!keys->loaded);
	failpoint("keys_load");
	const struct column range[2] = {
		column_integer(keys->next_seq), column_integer((int64_t)rows)};
	struct load load = {.rows = 0};
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(keys->db, &statement,
		"SELECT * FROM " TABLE " WHERE seq >= ? ORDER BY seq LIMIT ?",
		fault);
	if (rc == 0)
		sql_bind(statement, range, 2);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct key_holder holder;
		rc = keys_read_holder(statement, &holder, fault);
		if (rc == 0)
			rc = load_holder(keys, &load, &holder, fault);
	}
	sqlite3_finalize(statement);
	if (rc == 0)
		rc = load_slots(keys, &load, fault);
	if (rc < 0) {
		keys_unload(keys);
		return rc;
	}
	keys->loaded = load.rows < rows;
	keys_forget(keys);
	return !keys->loaded;
}

int keys_load(struct keys *keys, struct fault *fault)
{
	keys_unload(keys);
	int rc;
	do
		rc = keys_load_more(keys, KEYS_AT_ONCE, fault);
	while (rc == 1);
	return rc;
}

static struct key_holder *find_fresh(
	struct keys *keys, uint64_t prefix, const unsigned char key[KEY_BYTES])
{
	size_t cursor = KEY_MAP_START;
	int64_t at;
	while ((at = key_map_next(&keys->fresh_map, prefix, &cursor)) != 0) {
		struct key_holder *holder = &keys->fresh[at - 1];
		if (memcmp(holder->key, key, KEY_BYTES) == 0)
			return holder;
	}
	return NULL;
}

/* Has the open batch removed this row of the table? */
static bool is_gone(const struct keys *keys, int64_t seq)
{
	for (size_t i = 0; i < keys->gone_count; i++)
		if (keys->gone[i].seq == seq)
			return true;
	return false;
}

/* 1: row `seq` holds the key. 0: another key's. */
static int confirm(struct keys *keys, int64_t seq,
	const unsigned char key[KEY_BYTES], struct fault *fault)
{
	struct column number = column_integer(seq);
	sql_bind(keys->get, &number, 1);
	int rc = sql_step(keys->get, fault);
	bool gone = rc == 0 && is_gone(keys, seq);
	if (rc == 0 && !gone)
		rc = fault_set(fault, FAULT_CORRUPT,
			"table " TABLE ": row %" PRId64 " is missing", seq);
	else if (rc == 1)
		rc = keys_read_holder(keys->get, &keys->found, fault);
	sqlite3_reset(keys->get);
	if (rc < 0 || gone)
		return rc;
	return memcmp(keys->found.key, key, KEY_BYTES) == 0;
}

int keys_find(struct keys *keys, const unsigned char key[KEY_BYTES],
	struct key_holder **out, struct fault *fault)
{
	assert(keys->loaded); /* else a copy would count twice */
	uint64_t prefix = keys_prefix(key);
	*out = find_fresh(keys, prefix, key);
	if (*out != NULL)
		return 1;
	size_t cursor = KEY_MAP_START;
	int64_t seq;
	while ((seq = key_map_next(&keys->map, prefix, &cursor)) != 0) {
		int rc = confirm(keys, seq, key, fault);
		*out = rc == 1 ? &keys->found : NULL;
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Room for one more item of `size` bytes. */
static bool make_room(void **items, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return true;
	size_t wanted = *capacity == 0 ? 1024 : *capacity * 2;
	void *larger = realloc(*items, wanted * size);
	if (larger == NULL)
		return false;
	*items = larger;
	*capacity = wanted;
	return true;
}

int keys_take(struct keys *keys, const struct key_holder *holder, size_t *index,
	struct fault *fault)
{
	void *items = keys->fresh;
	bool room = make_room(&items, keys->fresh_count, &keys->fresh_capacity,
		sizeof *keys->fresh);
	keys->fresh = items;
	*index = keys->fresh_count;
	if (!room || !key_map_add(&keys->fresh_map, keys_prefix(holder->key),
			     (int64_t)keys->fresh_count + 1))
		return no_memory(fault);
	keys->fresh[keys->fresh_count++] = *holder;
	return 0;
}

static int note_gone(
	struct keys *keys, uint64_t prefix, int64_t seq, struct fault *fault)
{
	void *items = keys->gone;
	bool room = make_room(&items, keys->gone_count, &keys->gone_capacity,
		sizeof *keys->gone);
	keys->gone = items;
	if (!room)
		return no_memory(fault);
	keys->gone[keys->gone_count++] = (struct key_slot){prefix, seq};
	return 0;
}

static bool is_fresh(const struct keys *keys, const struct key_holder *holder)
{
	return holder != &keys->found;
}

int keys_remove(
	struct keys *keys, struct key_holder *holder, struct fault *fault)
{
	uint64_t prefix = keys_prefix(holder->key);
	int64_t seq = holder->seq;
	int rc = 0;
	if (seq != 0) {
		struct column number = column_integer(seq);
		sql_bind(keys->remove, &number, 1);
		rc = sql_run(keys->remove, fault);
	}
	if (is_fresh(keys, holder)) {
		key_map_remove(
			&keys->fresh_map, prefix, holder - keys->fresh + 1);
		holder->seq = -1; /* settles nowhere */
		return rc;
	}
	return rc < 0 ? rc : note_gone(keys, prefix, seq, fault);
}

static int write_row(sqlite3_stmt *statement, const struct key_holder *holder,
	struct fault *fault)
{
	const struct column row[COLUMNS] = {
		column_integer(holder->seq),
		column_blob(
			(struct slice){(const char *)holder->key, KEY_BYTES}),
		column_integer((int64_t)holder->content),
		column_integer(holder->record_time_us),
		column_integer(holder->log),
		column_integer(holder->offset),
		column_integer(holder->place),
		column_text(slice_of(state_names[holder->state])),
		holder->letter == 0 ? column_null()
				    : column_integer(holder->letter),
	};
	if (!sql_bind_row(statement, TABLE, row, COLUMNS))
		return no_memory(fault);
	return sql_run(statement, fault);
}

int keys_point(struct keys *keys, const struct key_holder *holder,
	int64_t letter, struct fault *fault)
{
	struct key_holder pointed = *holder;
	assert(!is_fresh(keys, holder));
	pointed.letter = letter;
	return write_row(keys->put_over, &pointed, fault);
}

int keys_write(struct keys *keys, size_t index, struct fault *fault)
{
	struct key_holder *holder = &keys->fresh[index];
	assert(holder->state != KEY_PENDING);
	if (holder->seq == -1)
		return 0;
	holder->seq = keys->batch_seq;
	int rc = write_row(keys->put, holder, fault);
	if (rc == 0)
		keys->batch_seq++;
	return rc;
}

/* Take rows first..last of the table away, parked and dead ones apart. */
static int let_go_rows(
	struct keys *keys, int64_t first, int64_t last, struct fault *fault)
{
	const struct column range[2] = {
		column_integer(first), column_integer(last)};
	sql_bind(keys->list, range, 2);
	int rc;
	while ((rc = sql_step(keys->list, fault)) == 1) {
		const unsigned char *key = sqlite3_column_blob(keys->list, 1);
		if (key == NULL ||
			sqlite3_column_bytes(keys->list, 1) != KEY_BYTES)
			rc = fault_set(fault, FAULT_CORRUPT,
				"table " TABLE ": a row that is no key");
		else
			rc = note_gone(keys, keys_prefix(key),
				sqlite3_column_int64(keys->list, 0), fault);
		if (rc < 0)
			break;
	}
	sqlite3_reset(keys->list);
	if (rc < 0)
		return rc;
	sql_bind(keys->let_go, range, 2);
	return sql_run(keys->let_go, fault);
}

int keys_let_go(struct keys *keys, const struct key_horizon *horizon,
	struct fault *fault)
{
	struct key_range ranges[KEY_SEGMENTS_AT_ONCE];
	size_t count = key_segments_passed(keys, horizon, ranges);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = let_go_rows(keys, ranges[i].first, ranges[i].last, fault);
	return rc;
}

int keys_prepare(struct keys *keys, struct fault *fault)
{
	if (key_map_reserve(&keys->map, keys->fresh_count) &&
		key_segments_reserve(keys, keys->fresh_count))
		return 0;
	return no_memory(fault);
}

void keys_settle(struct keys *keys)
{
	bool whole = true;
	for (size_t i = 0; i < keys->gone_count; i++)
		key_map_remove(
			&keys->map, keys->gone[i].prefix, keys->gone[i].seq);
	key_segments_settle(keys);
	for (size_t i = 0; i < keys->fresh_count; i++) {
		const struct key_holder *holder = &keys->fresh[i];
		if (holder->seq <= 0)
			continue;
		whole &= key_map_add(&keys->map, keys_prefix(holder->key),
				 holder->seq) &&
			 key_segments_note(keys, holder);
	}
	keys->next_seq = keys->batch_seq;
	keys_forget(keys);
	/* keys_prepare() made room for all but a segment's few bytes of logs.
	 * Without them the memory is built from the table before the next
	 * batch. */
	if (!whole)
		keys_unload(keys);
}

void keys_forget(struct keys *keys)
{
	key_map_clear(&keys->fresh_map);
	key_segments_unmark(keys);
	keys->fresh_count = 0;
	keys->gone_count = 0;
	keys->batch_seq = keys->next_seq;
}

uint64_t keys_bytes(const struct keys *keys, size_t more)
{
	uint64_t rows = keys->map.count + more;
	return key_map_bytes(&keys->map) + rows * ROW_BYTES;
}
