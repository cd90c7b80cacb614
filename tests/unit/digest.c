/* The digest: its arithmetic, and what it sees of a row. Expected hashes come
 * from Python's hashlib.blake2b(digest_size=16). */
#include "schema/digest.h"
#include "tests/lib/chance.h"
#include "tests/lib/check.h"
#include "tests/lib/rows.h"

#include <string.h>

static void put(struct rows_rig *rig, struct row *row, const char *features,
	struct version version)
{
	struct update update =
		rows_update(rig, rig->plain, OPERATION_UPSERT, features);
	merge(rig->plain, row, &update, &version);
}

static struct row row_of(
	struct rows_rig *rig, const char *features, int64_t seconds)
{
	struct row row = rows_empty(rig, rig->plain);
	put(rig, &row, features, rows_version(rig, seconds, 0, 7));
	return row;
}

static struct digest hash(
	struct rows_rig *rig, const char *entity, const struct row *row)
{
	struct value key = {VALUE_SET, .as.bytes = slice_of(entity)};
	return row_hash(rig->plain, &key, row);
}

static void sums_carry_and_borrow(void **state)
{
	(void)state;
	static const struct {
		struct digest a, b, sum;
	} cases[] = {
		{{1, 0}, {2, 0}, {3, 0}},
		{{UINT64_MAX, 0}, {1, 0}, {0, 1}},
		{{UINT64_MAX, 5}, {UINT64_MAX, 7}, {UINT64_MAX - 1, 13}},
		{{UINT64_MAX, UINT64_MAX}, {1, 0}, {0, 0}},
		{{0, UINT64_MAX}, {0, 1}, {0, 0}},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct digest sum = digest_add(cases[i].a, cases[i].b);
		assert_true(digest_equal(sum, cases[i].sum));
		assert_true(digest_equal(
			digest_add(cases[i].b, cases[i].a), cases[i].sum));
		assert_true(digest_equal(
			digest_subtract(sum, cases[i].a), cases[i].b));
		assert_true(digest_equal(
			digest_subtract(sum, cases[i].b), cases[i].a));
	}
}

/* Against the 128-bit numbers of gcc and clang. */
static void arithmetic_is_modulo_two_to_the_128(void **state)
{
	(void)state;
	struct chance chance = {1};
	for (int i = 0; i < 10000; i++) {
		struct digest a = {chance_next(&chance), chance_next(&chance)};
		struct digest b = {chance_next(&chance), chance_next(&chance)};
		__extension__ typedef unsigned __int128 wide;
		wide x = (wide)a.high << 64 | a.low;
		wide y = (wide)b.high << 64 | b.low;
		struct digest sum = digest_add(a, b);
		struct digest rest = digest_subtract(a, b);
		assert_true(((wide)sum.high << 64 | sum.low) == (wide)(x + y));
		assert_true(
			((wide)rest.high << 64 | rest.low) == (wide)(x - y));
	}
}

static void digests_print_most_significant_first(void **state)
{
	(void)state;
	char text[2 * DIGEST_BYTES + 1];
	digest_print((struct digest){1, 0}, text);
	assert_string_equal(text, "00000000000000000000000000000001");
	digest_print((struct digest){0, 1}, text);
	assert_string_equal(text, "00000000000000010000000000000000");
	digest_print((struct digest){UINT64_C(0x0123456789abcdef),
			     UINT64_C(0xfedcba9876543210)},
		text);
	assert_string_equal(text, "fedcba98765432100123456789abcdef");
}

static void check_hash(
	struct rows_rig *rig, const struct row *row, const char *expected)
{
	char text[2 * DIGEST_BYTES + 1];
	digest_print(hash(rig, "c1", row), text);
	assert_string_equal(text, expected);
}

static void hashes_are_blake2b(void **state)
{
	struct rows_rig *rig = *state;
	struct row row = row_of(rig, "a=3 b=x", 0);
	check_hash(rig, &row, "1a4644d95e96d025b4433a11d5d146ee");
	row = row_of(rig, "b=null", 5);
	row.has_floor = true;
	row.floor = rows_version(rig, 0, 0, 0);
	check_hash(rig, &row, "b556aab49600f93f95358ad548282ff3");
	row.cells[1].value.state = VALUE_UNSET;
	check_hash(rig, &row, "b5ba4654717e301dba8bebf10940eaa7");
	row.has_floor = false;
	check_hash(rig, &row, "00000000000000000000000000000000");
}

static void long_values_are_hashed_whole(void **state)
{
	struct rows_rig *rig = *state;
	char text[10000];
	memset(text, 'x', sizeof text);
	struct row row = row_of(rig, "b=x", 0);
	row.cells[1].value.as.bytes = (struct slice){text, sizeof text};
	check_hash(rig, &row, "c985f981cfd751618c7435dd6f944f6d");
	text[sizeof text - 1] = 'y';
	check_hash(rig, &row, "3317c73e506739d51bd9b587649e33a7");
	row.cells[1].value.as.bytes = (struct slice){text, 4096};
	check_hash(rig, &row, "c1a60495fe525f9406c61ebed7114829");
}

/* Whatever a reader could tell apart has another hash. */
static void every_difference_counts(void **state)
{
	struct rows_rig *rig = *state;
	struct row rows[] = {row_of(rig, "a=3", 5), row_of(rig, "a=4", 5),
		row_of(rig, "a=3", 6), row_of(rig, "c=3", 5),
		row_of(rig, "a=null", 5), row_of(rig, "a=3 b=null", 5),
		row_of(rig, "a=3 b=x", 5), row_of(rig, "a=3", 5),
		row_of(rig, "a=3", 5)};
	size_t count = sizeof rows / sizeof rows[0];
	rows[count - 2].has_floor = true;
	rows[count - 2].floor = rows_version(rig, 1, 0, 0);
	rows[count - 1].has_floor = true;
	rows[count - 1].floor = rows_version(rig, 2, 0, 0);
	for (size_t i = 0; i < count; i++) {
		assert_false(digest_equal(
			hash(rig, "e", &rows[i]), hash(rig, "f", &rows[i])));
		for (size_t j = 0; j < i; j++)
			assert_false(digest_equal(hash(rig, "e", &rows[i]),
				hash(rig, "e", &rows[j])));
	}
}

/* Another copy of the same event may have won. */
static void coordinates_do_not_count(void **state)
{
	struct rows_rig *rig = *state;
	struct row a = rows_empty(rig, rig->plain);
	struct row b = rows_empty(rig, rig->plain);
	put(rig, &a, "a=3", rows_version(rig, 5, 0, 7));
	struct version other = rows_version(rig, 5, 2, 99);
	other.place = 4;
	put(rig, &b, "a=3", other);
	a.has_floor = b.has_floor = true;
	a.floor = rows_version(rig, 1, 0, 0);
	b.floor = rows_version(rig, 1, 1, 5);
	assert_true(digest_equal(hash(rig, "e", &a), hash(rig, "e", &b)));
}

/* Two schemas that differ in the order of their features. */
static void the_order_of_features_does_not_count(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{\"views\": {\"v\": {\"entity\": {\"k\": \"int64\"},"
		" \"features\": {\"x\": {\"type\": \"int64\"},"
		" \"a\": {\"type\": \"bool\"}, \"ab\": {\"type\":"
		" \"float64\"}}}}, \"sources\": {}}",
		"{\"views\": {\"v\": {\"entity\": {\"k\": \"int64\"},"
		" \"features\": {\"ab\": {\"type\": \"float64\"},"
		" \"x\": {\"type\": \"int64\"}, \"a\": {\"type\":"
		" \"bool\"}}}}, \"sources\": {}}"};
	struct digest hashes[2];
	static const struct log log = {"t", 0, 0, 1};
	const struct version version = {ROWS_TIME_US, &log, 0, 0};
	struct value entity = {VALUE_SET, .as.integer = 5};
	for (size_t i = 0; i < 2; i++) {
		struct schema *schema;
		struct fault fault = {0};
		assert_int_equal(
			schema_parse(&schema, slice_of(texts[i]), "t", &fault),
			0);
		struct cell cells[3] = {0};
		const struct view *view = schema->views;
		int x = view_feature(view, slice_of("x"));
		int ab = view_feature(view, slice_of("ab"));
		cells[x] = (struct cell){{VALUE_SET, .as.integer = 9}, version};
		cells[ab] = (struct cell){{VALUE_SET, .as.real = 0.5}, version};
		struct row row = {.cells = cells};
		hashes[i] = row_hash(view, &entity, &row);
		schema_free(schema);
	}
	assert_true(digest_equal(hashes[0], hashes[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_carry_and_borrow),
		cmocka_unit_test(arithmetic_is_modulo_two_to_the_128),
		cmocka_unit_test(digests_print_most_significant_first),
		WITH_ROWS(hashes_are_blake2b),
		WITH_ROWS(long_values_are_hashed_whole),
		WITH_ROWS(every_difference_counts),
		WITH_ROWS(coordinates_do_not_count),
		cmocka_unit_test(the_order_of_features_does_not_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
