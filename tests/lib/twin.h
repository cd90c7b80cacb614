/*
 * The twin: a store in memory, for comparing with the real one.
 *
 * It does what store/store.h says by the plainest means: one update at a time,
 * in order of arrival, arrays searched from the front, every key kept for ever
 * and the key window's rule applied as design section 6 words it. It shares no
 * code with store/; of schema/ it uses the values, and merge(), which has an
 * oracle of its own (tests/oracle/merge.py).
 *
 * tests/lib/twin_store.c gives it the names of store/store.h.
 */
#ifndef HOLDFAST_TESTS_TWIN_H
#define HOLDFAST_TESTS_TWIN_H

#include "schema/row.h"
#include "store/store.h"

struct twin; /* opaque */

/* As the functions of store/store.h that are called alike. Of the options only
 * schema (borrowed for the twin's life) and key_window_us matter. */
int twin_open(struct twin **out, const struct store_options *options,
	struct fault *fault);
void twin_close(struct twin *twin);
const struct schema *twin_schema(const struct twin *twin);
int twin_partition(struct twin *twin, const char *topic, int32_t partition,
	int64_t log_start, const struct store_partition **out,
	struct fault *fault);
/* Its log lives in this cluster now. */
void twin_identify(
	struct twin *twin, const struct log *log, const char *cluster_id);
/* Records, marks and updates may name logs and views of another store of the
 * same schema whose partitions were made in the same order. */
int twin_apply(struct twin *twin, const struct store_batch *batch,
	struct store_tally *tally, struct fault *fault);
struct digest twin_digest(const struct twin *twin);

/* Be told of each update what became of it. */
typedef void twin_told(void *payload, const struct record *record,
	const struct update *update, enum disposition disposition);
void twin_tell(struct twin *twin, twin_told *told, void *payload);

/* What the twin holds, to be looked at. */

size_t twin_partition_count(const struct twin *twin);
const struct store_partition *twin_partition_at(
	const struct twin *twin, size_t index);

/* An entity that was ever touched; a row without floor and values is one whose
 * updates all failed. */
struct twin_entity {
	size_t view;
	struct value *key; /* key[0..key_count of the view) */
	struct row row;
};
size_t twin_entity_count(const struct twin *twin);
const struct twin_entity *twin_entity_at(const struct twin *twin, size_t index);

enum twin_key_state { TWIN_TAKEN, TWIN_PARKED, TWIN_DEAD };

struct twin_key {
	unsigned char key[KEY_BYTES];
	uint64_t content;
	int64_t record_time_us;
	enum twin_key_state state;
	size_t letter; /* of a parked or dead holder */
};
size_t twin_key_count(const struct twin *twin);
const struct twin_key *twin_key_at(const struct twin *twin, size_t index);
/* The holder of a key, or NULL. */
const struct twin_key *twin_key_find(
	const struct twin *twin, const unsigned char key[KEY_BYTES]);

struct twin_letter {
	enum disposition disposition; /* parked or dead */
	enum reason reason;
	const char *view;
	uint32_t place;
	uint32_t log;
	int64_t offset;
	bool overtaken;
};
size_t twin_letter_count(const struct twin *twin);
const struct twin_letter *twin_letter_at(const struct twin *twin, size_t index);

#endif
