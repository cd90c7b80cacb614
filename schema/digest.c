#include "schema/digest.h"

#include "schema/bytes.h"

#include <assert.h>
#include <sodium.h>

static_assert(DIGEST_BYTES == crypto_generichash_BYTES_MIN, "BLAKE2b-128");

/* Rows are hashed from one buffer where they fit, which is nearly always;
 * larger values go to the hash directly. */
#define STAGE_BYTES 4096

struct hasher {
	crypto_generichash_state state;
	struct byte_writer stage;
	unsigned char bytes[STAGE_BYTES];
};

static void flush(struct hasher *hasher)
{
	size_t staged = (size_t)(hasher->stage.at - hasher->bytes);
	crypto_generichash_update(&hasher->state, hasher->bytes, staged);
	hasher->stage.at = hasher->bytes;
}

static void make_room(struct hasher *hasher, size_t size)
{
	if ((size_t)(hasher->stage.end - hasher->stage.at) < size)
		flush(hasher);
}

static void hash_number(struct hasher *hasher, uint64_t number)
{
	make_room(hasher, sizeof number);
	put_u64(&hasher->stage, number);
}

/* Length first: two neighbours never hash like two others. */
static void hash_bytes(struct hasher *hasher, struct slice bytes)
{
	hash_number(hasher, bytes.length);
	if (bytes.length <= STAGE_BYTES) {
		make_room(hasher, bytes.length);
		put_bytes(&hasher->stage, bytes);
		return;
	}
	flush(hasher);
	crypto_generichash_update(&hasher->state,
		(const unsigned char *)bytes.data, bytes.length);
}

static void hash_value(
	struct hasher *hasher, enum value_type kind, const struct value *value)
{
	hash_number(hasher, value->state);
	if (value->state != VALUE_SET)
		return;
	if (type_is_bytes(kind)) {
		hash_bytes(hasher, value->as.bytes);
		return;
	}
	/* Integers and the bits of a double, which the types keep canonical:
	 * no NaN, no -0.0. */
	uint64_t bits;
	memcpy(&bits, &value->as, sizeof bits);
	hash_number(hasher, bits);
}

static void hash_features(
	struct hasher *hasher, const struct view *view, const struct row *row)
{
	for (size_t i = 0; i < view->feature_count; i++) {
		size_t index = view->by_name[i];
		const struct cell *cell = &row->cells[index];
		if (cell->value.state == VALUE_UNSET)
			continue;
		const struct feature *feature = &view->features[index];
		hash_bytes(hasher, slice_of(feature->name));
		hash_value(hasher, feature->type.kind, &cell->value);
		hash_number(hasher, (uint64_t)cell->version.event_us);
	}
}

static struct digest finish(struct hasher *hasher)
{
	unsigned char hash[DIGEST_BYTES];
	flush(hasher);
	crypto_generichash_final(&hasher->state, hash, sizeof hash);
	struct byte_reader reader =
		byte_reader_of((struct slice){(const char *)hash, sizeof hash});
	uint64_t low = get_u64(&reader);
	return (struct digest){low, get_u64(&reader)};
}

struct digest row_hash(const struct view *view, const struct value *entity,
	const struct row *row)
{
	if (!row->has_floor && !row_is_present(view, row))
		return DIGEST_ZERO;
	struct hasher hasher;
	hasher.stage = (struct byte_writer){
		hasher.bytes, hasher.bytes + sizeof hasher.bytes};
	crypto_generichash_init(&hasher.state, NULL, 0, DIGEST_BYTES);
	for (size_t i = 0; i < view->key_count; i++)
		hash_value(&hasher, view->keys[i].type.kind, &entity[i]);
	hash_number(&hasher, row->has_floor);
	hash_number(
		&hasher, row->has_floor ? (uint64_t)row->floor.event_us : 0);
	hash_features(&hasher, view, row);
	return finish(&hasher);
}

struct digest digest_add(struct digest a, struct digest b)
{
	uint64_t low = a.low + b.low;
	return (struct digest){low, a.high + b.high + (low < a.low)};
}

struct digest digest_subtract(struct digest a, struct digest b)
{
	return (struct digest){
		a.low - b.low, a.high - b.high - (a.low < b.low)};
}

bool digest_equal(struct digest a, struct digest b)
{
	return a.low == b.low && a.high == b.high;
}

void digest_print(struct digest digest, char out[2 * DIGEST_BYTES + 1])
{
	static const char hex[] = "0123456789abcdef";
	for (int i = 0; i < 16; i++) {
		int shift = 60 - 4 * i;
		out[i] = hex[digest.high >> shift & 15];
		out[16 + i] = hex[digest.low >> shift & 15];
	}
	out[2 * DIGEST_BYTES] = '\0';
}
