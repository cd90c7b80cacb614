/* What page, metrics and health show of trouble: letters, what is stopped and
 * held, damage, backups, many partitions. Without sockets. */
#include "store/backup.h"
#include "store/decisions.h"
#include "tests/lib/check.h"
#include "tests/lib/exchange_rig.h"
#include "tests/lib/exposition_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char schema[] =
	"{'views': {"
	" 'card': {'entity': {'card_id': 'string'}, 'features': {"
	"   'txns': {'type': 'int64', 'merge': 'sum'}},"
	"   'ttl': '30d', 'serve': {'when_expired': 'default'}},"
	" 'user': {'entity': {'user_id': 'int64'}, 'features': {"
	"   'tier': {'type': 'string'}}}},"
	"'sources': {'log': {'missing_key': 'position'}}}";

struct trouble {
	struct exchange_rig rig;
	char *text; /* the reply's body */
};

static const struct decision decision = {.at_us = INT64_C(1795422048000000),
	.who = "ada",
	.what = "a test",
	.target = "card",
	.because = "bad <data>"};

static int set_up(void **state)
{
	struct trouble *trouble = calloc(1, sizeof *trouble);
	assert_non_null(trouble);
	exchange_rig_make(&trouble->rig, schema);
	*state = trouble;
	return 0;
}

static int tear_down(void **state)
{
	struct trouble *trouble = *state;
	exchange_rig_remove(&trouble->rig);
	free(trouble->text);
	free(trouble);
	return 0;
}
#define WITH_TROUBLE(test)                                                     \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void check_ok(int rc, const struct fault *fault)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, fault->text);
}

static const char *get(
	struct trouble *trouble, const char *target, unsigned status)
{
	const struct reply *reply = &trouble->rig.exchange.reply;
	assert_int_equal(exchange_rig_get(&trouble->rig, target), status);
	free(trouble->text);
	trouble->text = strndup(reply->body.data, reply->body.length);
	assert_non_null(trouble->text);
	return trouble->text;
}

static void shows(struct trouble *trouble, const char *text)
{
	if (strstr(trouble->text, text) == NULL)
		fail_msg("\"%s\" is not in: %s", text, trouble->text);
}

static void hides(struct trouble *trouble, const char *text)
{
	if (strstr(trouble->text, text) != NULL)
		fail_msg("\"%s\" is in: %s", text, trouble->text);
}

static void metric(struct trouble *trouble, const char *series, double value)
{
	double found = exposition_value(trouble->text, series);
	if (found != value)
		fail_msg("%s is %f, not %f", series, found, value);
}

/* Whatever becomes of it. */
static void take(struct trouble *trouble, const char *value)
{
	struct fault fault = {0};
	struct event_store *events = &trouble->rig.store;
	const struct store_partition *partition = NULL;
	char text[256];
	(void)snprintf(text, sizeof text, "%s", value);
	for (char *at = text; (at = strchr(at, '\'')) != NULL;)
		*at = '"';
	check_ok(
		store_partition(events->store, "log", 0, 0, &partition, &fault),
		&fault);
	struct store_record record = {
		.record = {.form = RECORD_MESSAGE,
			.log = &partition->log,
			.offset = partition->accounts.next_offset,
			.next_offset = partition->accounts.next_offset + 1,
			.timestamp_us = decision.at_us,
			.value = slice_of(text)}};
	check_ok(decode_record(&events->decoder,
			 schema_source(events->schema, "log"), &record.record,
			 &events->arena, &record.decoded, &fault),
		&fault);
	const struct store_batch batch = {
		.records = &record, .record_count = 1};
	check_ok(store_apply(events->store, &batch, NULL, &fault), &fault);
}

static void see_ingest(struct trouble *trouble)
{
	atomic_store(&trouble->rig.counters.ingest_seen_us,
		trouble->rig.exchange.now_us);
}

static void letters_are_shown_with_what_they_mean(void **state)
{
	struct trouble *trouble = *state;
	see_ingest(trouble);
	get(trouble, "/", 200);
	hides(trouble, "dead or parked");
	take(trouble, "{'view': 'card', 'entity': {'card_id': 'a'},"
		      " 'features': {'txns': 'many'}}");
	take(trouble, "no JSON");
	take(trouble, "{'view': 'later', 'entity': {'id': 1}, 'features':"
		      " {'n': 1}}");
	get(trouble, "/", 200);
	shows(trouble, "Some updates are dead or parked.");
	shows(trouble, "Dead letters and parked updates");
	shows(trouble, "<code>type_mismatch</code><td class=left>card");
	shows(trouble, "<code>bad_json</code><td class=left>the whole record");
	shows(trouble, "<code>unknown_view</code><td class=left>later");
	exposition_check(get(trouble, "/metrics", 200), "holdfast_");
	metric(trouble,
		"holdfast_dead_letters{reason=\"type_mismatch\",view=\"card\"}",
		1);
	metric(trouble, "holdfast_dead_letters{reason=\"bad_json\",view=\"\"}",
		1);
	metric(trouble,
		"holdfast_parked_updates{reason=\"unknown_view\",view=\"later\""
		"}",
		1);
	hides(trouble, "holdfast_parked_updates{reason=\"bad_json\"");
}

static void what_is_stopped_and_held_is_shown(void **state)
{
	struct trouble *trouble = *state;
	struct fault fault = {0};
	struct store *store = trouble->rig.store.store;
	const struct store_partition *partition = NULL;
	check_ok(store_partition(store, "log", 0, 0, &partition, &fault),
		&fault);
	const struct store_stop stop = {&partition->log, STOP_LOST,
		"3 records are lost", decision.at_us, 3};
	check_ok(store_stop_partition(store, &stop, NULL, &fault), &fault);
	check_ok(store_hold(store, "card", "txns", CHOICE_DEFAULT, &decision,
			 &fault),
		&fault);
	check_ok(
		store_hold(store, "user", NULL, CHOICE_FAIL, &decision, &fault),
		&fault);
	get(trouble, "/", 200);
	shows(trouble, "<td>log:0<td class=left>records_lost");
	shows(trouble, "3 records are lost");
	shows(trouble, "<td>card:txns<td class=left>held: default");
	shows(trouble, "<td>user<td class=left>held: fail");
	shows(trouble, "bad &lt;data&gt;");
	exposition_check(get(trouble, "/metrics", 200), "holdfast_");
	metric(trouble,
		"holdfast_partition_stopped{topic=\"log\",partition=\"0\","
		"reason=\"records_lost\"}",
		1);
	metric(trouble,
		"holdfast_held{target=\"card:txns\",choice=\"default\"}", 1);
	metric(trouble, "holdfast_held{target=\"user\",choice=\"fail\"}", 1);
}

static void a_view_with_a_ttl_says_what_comes_then(void **state)
{
	struct trouble *trouble = *state;
	get(trouble, "/", 200);
	shows(trouble, "30 d, then default");
	shows(trouble, "<td>for ever");
}

/* A log that was made anew is one partition, with what both brought. */
static void partitions_beyond_what_fits_are_told(void **state)
{
	struct trouble *trouble = *state;
	struct fault fault = {0};
	struct store *store = trouble->rig.store.store;
	const struct store_partition *partition = NULL;
	take(trouble, "{'view': 'user', 'entity': {'user_id': 1},"
		      " 'features': {'tier': 'x'}}");
	check_ok(store_partition(store, "log", 0, 0, &partition, &fault),
		&fault);
	const struct store_stop stop = {&partition->log, STOP_CHANGED,
		"it is another log", decision.at_us, 0};
	check_ok(store_stop_partition(store, &stop, NULL, &fault), &fault);
	check_ok(store_new_log(store, &partition->log, &decision, &fault),
		&fault);
	take(trouble, "{'view': 'user', 'entity': {'user_id': 2},"
		      " 'features': {'tier': 'x'}}");
	for (int32_t number = 1; number < 60; number++)
		check_ok(store_partition(
				 store, "log", number, 0, &partition, &fault),
			&fault);
	for (int32_t number = 0; number < 3; number++)
		check_ok(store_partition(store, "another", number, 0,
				 &partition, &fault),
			&fault);
	get(trouble, "/", 200);
	shows(trouble, "the 50 furthest behind; 13 more are in /metrics");
	exposition_check(get(trouble, "/metrics", 200), "holdfast_");
	metric(trouble,
		"holdfast_records_taken_total{topic=\"log\",partition=\"0\"}",
		2);
	metric(trouble,
		"holdfast_records_taken_total{topic=\"log\",partition=\"59\"}",
		0);
}

static void make_backup(struct trouble *trouble, const char *name)
{
	static const struct timespec pause = {0, 1000000};
	struct fault fault = {0};
	struct store *store = trouble->rig.store.store;
	struct backup_report report;
	const struct backup_request request = {
		.name = name, .at_us = decision.at_us};
	check_ok(store_backup_begin(store, &request, &fault), &fault);
	while (store_backup_phase(store) != BACKUP_ENDED) {
		store_backup_copy(store, 1000000);
		(void)nanosleep(&pause, NULL);
	}
	check_ok(store_backup_end(store, &report, &fault), &fault);
	if (report.code != 0)
		fail_msg("%s", report.why);
}

static void the_newest_backup_is_told(void **state)
{
	struct trouble *trouble = *state;
	get(trouble, "/metrics", 200);
	hides(trouble, "holdfast_backup_bytes");
	metric(trouble, "holdfast_backup_failures_total", 0);
	make_backup(trouble, "first");
	exposition_check(get(trouble, "/metrics", 200), "holdfast_");
	assert_true(exposition_value(trouble->text, "holdfast_backup_bytes") >
		    4096);
	assert_true(exposition_value(trouble->text,
			    "holdfast_backup_made_timestamp_seconds") > 0);
}

static void remember(
	struct trouble *trouble, const char *text, const char *view, bool all)
{
	struct fault fault = {0};
	struct damage damage = {
		.at_us = decision.at_us, .by = "verify", .all = all};
	struct directory database = directory_entry(
		&trouble->rig.store.directory, "generations/g1.db");
	const struct timespec until_looked = {
		.tv_nsec = 2 * DAMAGE_LOOK_US * 1000};
	damage_add(&damage, text);
	if (view != NULL)
		damage_add_view(&damage, view);
	check_ok(damage_write(database.path, &damage, &fault), &fault);
	(void)nanosleep(&until_looked, NULL);
}

static void damage_that_was_found_is_told_with_what_it_concerns(void **state)
{
	struct trouble *trouble = *state;
	remember(trouble, "a row of keys", NULL, false);
	get(trouble, "/readyz?verbose", 200);
	shows(trouble, "[!]store degraded: verify found damage at "
		       "2026-11-23T08:20:48Z: a row of keys: lookups "
		       "don't read it");
	remember(trouble, "a row of card", "card", false);
	get(trouble, "/readyz?verbose", 200);
	shows(trouble, "lookups of card are answered from the newest backup");
	remember(trouble, "a page", NULL, true);
	get(trouble, "/readyz?verbose", 503);
	shows(trouble, "[-]store failed: the store is damaged, as verify");
	shows(trouble, "readyz check failed");
}

static void damage_that_was_met_is_told_for_a_while(void **state)
{
	struct trouble *trouble = *state;
	int64_t now_us = trouble->rig.exchange.now_us;
	atomic_store(&trouble->rig.counters.damaged_us, now_us - 59000000);
	get(trouble, "/readyz?verbose", 200);
	shows(trouble, "[!]store degraded: damage was met at");
	atomic_store(&trouble->rig.counters.damaged_us, now_us - 61000000);
	get(trouble, "/readyz?verbose", 200);
	hides(trouble, "damage was met");
}

static void answers_from_a_backup_are_told(void **state)
{
	struct trouble *trouble = *state;
	struct fault fault = {0};
	struct reader *backup = NULL, *live = trouble->rig.exchange.reader;
	make_backup(trouble, "first");
	assert_int_equal(reader_open_newest_backup(&backup,
				 trouble->rig.store.directory.path, &fault),
		0);
	trouble->rig.exchange.reader = backup;
	trouble->rig.exchange.why_unreadable = "the disk is gone";
	get(trouble, "/readyz?verbose", 200);
	shows(trouble, "lookups are answered from backup g1@first of ");
	shows(trouble, "the disk is gone");
	trouble->rig.exchange.why_unreadable = NULL;
	get(trouble, "/readyz?verbose", 200);
	shows(trouble, "as their views say when behind: it can't be read");
	trouble->rig.exchange.reader = NULL;
	get(trouble, "/readyz?verbose", 503);
	shows(trouble, "[-]store failed: it is not open");
	trouble->rig.exchange.reader = live;
	reader_close(backup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TROUBLE(letters_are_shown_with_what_they_mean),
		WITH_TROUBLE(what_is_stopped_and_held_is_shown),
		WITH_TROUBLE(a_view_with_a_ttl_says_what_comes_then),
		WITH_TROUBLE(partitions_beyond_what_fits_are_told),
		WITH_TROUBLE(the_newest_backup_is_told),
		WITH_TROUBLE(
			damage_that_was_found_is_told_with_what_it_concerns),
		WITH_TROUBLE(damage_that_was_met_is_told_for_a_while),
		WITH_TROUBLE(answers_from_a_backup_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
