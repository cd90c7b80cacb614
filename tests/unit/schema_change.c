/* A schema that takes the place of the store's own: what it refuses. */
#include "store/schema_change.h"
#include "store/generations.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

static const char wider_text[] =
	"{\"views\": {"
	" \"account\": {\"entity\": {\"id\": \"int64\"}, \"features\": {"
	"  \"count\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	"  \"label\": {\"type\": \"string\"},"
	"  \"more\": {\"type\": \"string\"}}},"
	" \"pair\": {\"entity\": {\"shop\": \"string\", \"item\": \"int64\"},"
	"  \"features\": {\"low\": {\"type\": \"int64\", \"merge\": "
	"\"min\"}}}},"
	"\"sources\": {\"alpha\": {}, \"beta\": {}}}";

/* The same views, and a service more. */
static const char served_text[] =
	"{\"views\": {"
	" \"account\": {\"entity\": {\"id\": \"int64\"}, \"features\": {"
	"  \"count\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	"  \"label\": {\"type\": \"string\"}}},"
	" \"pair\": {\"entity\": {\"shop\": \"string\", \"item\": \"int64\"},"
	"  \"features\": {\"low\": {\"type\": \"int64\", \"merge\": "
	"\"min\"}}}},"
	"\"services\": {\"one\": [\"account:count\"]},"
	"\"sources\": {\"alpha\": {}, \"beta\": {}}}";

/* The store says that its view has so many rows. */
static void claim_rows(struct store_rig *rig, int64_t rows)
{
	struct fault fault = {0};
	struct view_totals totals = rig->store->views[0].totals;
	totals.rows = rows;
	assert_int_equal(
		view_totals_write(rig->store->db, "account", &totals, &fault),
		0);
	store_rig_close(rig);
	store_rig_open(rig);
}

static int take(struct store_rig *rig, const char *text, struct fault *fault)
{
	const struct decision decision = {1, "ada", "schema apply", "", ""};
	struct schema *wanted = NULL;
	bool changed = false;
	assert_int_equal(
		schema_parse(&wanted, slice_of(text), "wanted", fault), 0);
	int rc = store_take_schema(
		&rig->store, wanted, &decision, &changed, fault);
	schema_free(wanted);
	return rc;
}

static size_t features(const struct store_rig *rig)
{
	return store_schema(rig->store)->views[0].feature_count;
}

static void a_view_with_too_many_rows_is_not_written_anew(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	claim_rows(rig, 2000001);
	assert_int_equal(take(rig, wider_text, &fault), FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "2000001 rows"));
	assert_non_null(strstr(fault.text, "holdfast rebuild --schema"));
	assert_int_equal(features(rig), 2);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _schema"), 0);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM "
					    "pragma_table_info('account') "
					    "WHERE name = 'more'"),
		0);
	/* It goes on as it was. */
	const struct store_rig_event event = {.id = 1, .count = 5, .key = 1};
	store_rig_take(rig, &event);
}

static void one_with_just_as_many_as_may_be_is(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	claim_rows(rig, 2000000);
	assert_int_equal(take(rig, wider_text, &fault), 0);
	assert_int_equal(features(rig), 3);
}

static void what_leaves_its_rows_alone_has_no_such_limit(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	claim_rows(rig, 2000001);
	assert_int_equal(take(rig, served_text, &fault), 0);
	assert_int_equal(store_schema(rig->store)->service_count, 1);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _schema"), 1);
}

/* `pair` is gone, and `label` is another type. */
static const char other_text[] =
	"{\"views\": {"
	" \"account\": {\"entity\": {\"id\": \"int64\"}, \"features\": {"
	"  \"count\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	"  \"label\": {\"type\": \"int64\"}}}},"
	"\"sources\": {\"alpha\": {}, \"beta\": {}}}";

static void what_can_not_be_done_in_place_is_refused_as_a_whole(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	assert_int_equal(take(rig, other_text, &fault), FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "label"));
	assert_non_null(strstr(fault.text, "can't be made in place"));
	assert_non_null(strstr(fault.text, "`holdfast rebuild --schema FILE`"));
	assert_int_equal(store_schema(rig->store)->view_count, 2);
	const struct store_rig_event event = {.id = 1, .count = 5, .key = 1};
	store_rig_take(rig, &event);
}

/* It would take the live one's place under the schema before. */
static void no_schema_changes_while_a_generation_is_built(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *built = NULL;
	const struct store_build build = {.origin = "the log"};
	assert_int_equal(store_build(&built, &rig->options, &build, &fault), 0);
	assert_int_equal(take(rig, wider_text, &fault), FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "another holdfast process builds"));
	assert_int_equal(features(rig), 2);
	store_close(built);
	assert_int_equal(take(rig, wider_text, &fault), 0);
}

/* Rows are written anew with what they have. */
static void rows_keep_their_values_in_a_wider_view(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct store_rig_event event = {.id = 1, .count = 5, .key = 1};
	store_rig_take(rig, &event);
	const struct digest before = store_digest(rig->store);
	assert_int_equal(take(rig, wider_text, &fault), 0);
	assert_int_equal(
		store_rig_ask(rig, "SELECT count FROM account WHERE id = 1"
				   " AND more IS NULL"),
		5);
	assert_true(digest_equal(before, store_digest(rig->store)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_view_with_too_many_rows_is_not_written_anew),
		WITH_STORE(one_with_just_as_many_as_may_be_is),
		WITH_STORE(what_leaves_its_rows_alone_has_no_such_limit),
		WITH_STORE(what_can_not_be_done_in_place_is_refused_as_a_whole),
		WITH_STORE(no_schema_changes_while_a_generation_is_built),
		WITH_STORE(rows_keep_their_values_in_a_wider_view),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
