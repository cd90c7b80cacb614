/* holdfast status: what was taken, how far behind, what is wrong. */
#include "ingest/clock.h"
#include "ingest/command/command.h"
#include "ingest/command/elapsed.h"
#include "ingest/command/reading.h"
#include "ingest/command/size.h"
#include "ingest/command/status_backup.h"
#include "ingest/command/status_damage.h"
#include "ingest/command/status_search.h"
#include "ingest/command/status_wal.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"
#include "ingest/command/window_need.h"
#include "schema/load.h"
#include "schema/rfc3339.h"
#include "store/decisions.h"

#include <inttypes.h>
#include <string.h>

static const struct options_spec spec = {
	.usage = "status [--json]",
	.summary = "Shows, from one snapshot, what was taken of each partition "
		   "and what became of it, how far behind\nthat is, what each "
		   "view holds, and why updates are dead or parked. "
		   "Names every partition that is stopped and\nwhat is held "
		   "back, why, since when, and the command to run; and what "
		   "operators did last.",
	.configured = true,
	.json = true,
};

/* The members of struct store_accounts, by name. */
struct account {
	const char *name;
	int64_t value;
};
#define ACCOUNTS_MAX 20

static size_t list_accounts(
	const struct store_accounts *accounts, struct account out[ACCOUNTS_MAX])
{
	size_t count = 0;
	out[count++] = (struct account){"first_offset", accounts->first_offset};
	out[count++] = (struct account){"next_offset", accounts->next_offset};
	out[count++] = (struct account){"taken", accounts->taken};
	out[count++] = (struct account){"gaps", accounts->gaps};
	out[count++] = (struct account){"lost", accounts->lost};
	out[count++] = (struct account){"skipped", accounts->skipped};
	out[count++] = (struct account){"updates", accounts->updates};
	for (int i = 0; i < DISPOSITION_COUNT; i++)
		out[count++] =
			(struct account){disposition_name((enum disposition)i),
				accounts->dispositions[i]};
	out[count++] = (struct account){"late_deletes", accounts->late_deletes};
	out[count++] = (struct account){
		"ignored_features", accounts->ignored_features};
	out[count++] = (struct account){"redelivered", accounts->redelivered};
	out[count++] = (struct account){"cleared", accounts->cleared};
	return count;
}

static void add_accounts(
	struct store_accounts *sum, const struct store_accounts *more)
{
	sum->taken += more->taken;
	sum->gaps += more->gaps;
	sum->lost += more->lost;
	sum->skipped += more->skipped;
	sum->updates += more->updates;
	for (int i = 0; i < DISPOSITION_COUNT; i++)
		sum->dispositions[i] += more->dispositions[i];
	sum->late_deletes += more->late_deletes;
	sum->ignored_features += more->ignored_features;
	sum->redelivered += more->redelivered;
	sum->cleared += more->cleared;
}

/* Over all partitions; offsets don't add up and stay 0. */
static struct store_accounts total_of(const struct reader_status *status)
{
	struct store_accounts total = {0};
	for (size_t i = 0; i < status->partition_count; i++)
		add_accounts(&total, &status->partitions[i].accounts);
	return total;
}

/* Now minus as_of; clocks of two machines may differ a little. */
static int64_t lag_us(int64_t as_of_us)
{
	struct clock *clock = clock_system();
	int64_t lag = clock->wall_us(clock) - as_of_us;
	return lag < 0 ? 0 : lag;
}

static const char *lag_print(int64_t as_of_us, char out[ELAPSED_SIZE])
{
	return as_of_us == TIMESTAMP_NONE
		       ? "-"
		       : elapsed_print(lag_us(as_of_us), out);
}

static const char *time_print(int64_t us, char out[RFC3339_SIZE])
{
	return us == TIMESTAMP_NONE ? "-" : rfc3339_print(us, out);
}

static bool finish_table(struct table *table)
{
	bool printed = table != NULL && table_print(table, stdout);
	table_free(table);
	return printed;
}

static void add_counts(
	struct table *table, const struct store_accounts *accounts)
{
	table_add(table, "%" PRId64, accounts->taken);
	table_add(table, "%" PRId64, accounts->skipped);
	for (int i = 0; i < DISPOSITION_COUNT; i++)
		table_add(table, "%" PRId64, accounts->dispositions[i]);
	table_add(table, "%" PRId64, accounts->redelivered);
}

static bool print_partitions(const struct reader_status *status)
{
	static const struct column columns[] = {{"partition", false},
		{"next_offset", true}, {"taken", true}, {"skipped", true},
		{"applied", true}, {"superseded", true}, {"duplicate", true},
		{"parked", true}, {"dead", true}, {"redelivered", true},
		{"as_of", false}, {"lag", true}};
	struct table *table =
		table_new(columns, sizeof columns / sizeof columns[0]);
	if (table == NULL)
		return false;
	for (size_t i = 0; i < status->partition_count; i++) {
		const struct store_partition *one = &status->partitions[i];
		char time[RFC3339_SIZE], lag[ELAPSED_SIZE];
		table_add(table, "%s:%" PRId32, one->log.topic,
			one->log.partition);
		table_add(table, "%" PRId64, one->accounts.next_offset);
		add_counts(table, &one->accounts);
		table_add(table, "%s", time_print(one->as_of_us, time));
		table_add(table, "%s",
			load_is_topic(one->log.topic)
				? "-" /* it has all it will have */
				: lag_print(one->as_of_us, lag));
	}
	struct store_accounts total = total_of(status);
	table_add(table, "all");
	table_add(table, "-");
	add_counts(table, &total);
	table_add(table, "-");
	table_add(table, "-");
	return finish_table(table);
}

static bool print_views(const struct reader_status *status)
{
	static const struct column columns[] = {{"view", false}, {"rows", true},
		{"deleted", true}, {"digest", false}};
	struct table *table = table_new(columns, 4);
	if (table == NULL)
		return false;
	for (size_t i = 0; i < status->view_count; i++) {
		const struct reader_view_status *view = &status->views[i];
		char digest[2 * DIGEST_BYTES + 1];
		digest_print(view->digest, digest);
		table_add(table, "%s", view->name);
		table_add(table, "%" PRId64, view->rows);
		table_add(table, "%" PRId64, view->deleted);
		table_add(table, "%s", digest);
	}
	return finish_table(table);
}

static bool print_reasons(const struct reader_status *status)
{
	static const struct column columns[] = {{"reason", false},
		{"view", false}, {"dead", true}, {"parked", true},
		{"what to do", false}};
	if (status->reason_count == 0)
		return true;
	struct table *table = table_new(columns, 5);
	if (table == NULL)
		return false;
	for (size_t i = 0; i < status->reason_count; i++) {
		const struct reader_reason_status *one = &status->reasons[i];
		table_add(table, "%s", reason_name(one->reason));
		table_add(table, "%s", one->view[0] == '\0' ? "-" : one->view);
		table_add(table, "%" PRId64, one->dead);
		table_add(table, "%" PRId64, one->parked);
		table_add(table, "%s", reason_advice(one->reason));
	}
	fputc('\n', stdout);
	return finish_table(table);
}

static bool print_stops(const struct reader_status *status)
{
	static const struct column columns[] = {{"stopped", false},
		{"why", false}, {"since", false}, {"what to do", false}};
	if (status->stop_count == 0)
		return true;
	struct table *table = table_new(columns, 4);
	if (table == NULL)
		return false;
	for (size_t i = 0; i < status->stop_count; i++) {
		const struct reader_stop *one = &status->stops[i];
		char time[RFC3339_SIZE];
		table_add(table, "%s:%" PRId32, one->log->topic,
			one->log->partition);
		table_add(table, "%s", one->reason);
		table_add(table, "%s", time_print(one->since_us, time));
		if (strcmp(one->reason, STOP_PAUSED) == 0)
			table_add(table,
				"%s; to go on: holdfast resume %s:%" PRId32,
				one->detail, one->log->topic,
				one->log->partition);
		else
			table_add(table, "%s", one->detail);
	}
	fputc('\n', stdout);
	return finish_table(table);
}

static bool print_holds(const struct reader_status *status)
{
	static const struct column columns[] = {{"held", false},
		{"lookups", false}, {"since", false}, {"because", false},
		{"what to do", false}};
	if (status->hold_count == 0)
		return true;
	struct table *table = table_new(columns, 5);
	if (table == NULL)
		return false;
	for (size_t i = 0; i < status->hold_count; i++) {
		const struct reader_hold *one = &status->holds[i];
		char time[RFC3339_SIZE];
		table_add(table, "%s", one->target);
		table_add(table, "%s", one->choice);
		table_add(table, "%s", time_print(one->since_us, time));
		table_add(table, "%s", one->because);
		table_add(table, "to serve it again: holdfast release %s",
			one->target);
	}
	fputc('\n', stdout);
	return finish_table(table);
}

static bool print_decisions(const struct reader_status *status)
{
	static const struct column columns[] = {{"decided", false},
		{"by", false}, {"what", false}, {"target", false},
		{"before", false}, {"after", false}, {"because", false}};
	if (status->decision_count == 0)
		return true;
	struct table *table = table_new(columns, 7);
	if (table == NULL)
		return false;
	for (size_t i = 0; i < status->decision_count; i++) {
		const struct reader_decision *one = &status->decisions[i];
		char time[RFC3339_SIZE];
		table_add(table, "%s", time_print(one->at_us, time));
		const char *texts[] = {one->who, one->what, one->target,
			one->before, one->after, one->because};
		for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
			table_add(table, "%s",
				texts[t][0] == '\0' ? "-" : texts[t]);
	}
	fputc('\n', stdout);
	return finish_table(table);
}

static int tell_people(const struct reading *reading,
	const struct reader_status *status, struct fault *fault)
{
	char file[SIZE_TEXT], wal[SIZE_TEXT], ballast[SIZE_TEXT],
		digest[2 * DIGEST_BYTES + 1];
	digest_print(status->digest, digest);
	printf("store %s in %s, generation %s, owner epoch %" PRId64 "\n"
	       "file %s, WAL %s, ballast %s, %" PRId64 " keys in the window\n"
	       "digest %s\n",
		reader_store_id(reading->reader), reading->config.store.path,
		reader_generation(reading->reader), status->owner_epoch,
		size_print(status->file_bytes, file),
		size_print(status->wal_bytes, wal),
		status->ballast_bytes == 0
			? "none"
			: size_print(status->ballast_bytes, ballast),
		status->keys, digest);
	backups_print(&status->backups);
	fputc('\n', stdout);
	damage_print(reading->reader);
	window_need_print(&reading->config, status);
	wal_readers_print(&reading->config, status);
	search_print(&status->search);
	bool printed = print_partitions(status);
	fputc('\n', stdout);
	printed = printed && print_views(status) && print_stops(status) &&
		  print_holds(status) && print_reasons(status) &&
		  print_decisions(status);
	return printed ? 0 : fault_set(fault, FAULT_OOM, "out of memory");
}

static void time_print_json(int64_t us)
{
	char time[RFC3339_SIZE];
	if (us == TIMESTAMP_NONE)
		fputs("null", stdout);
	else
		printf("\"%s\"", rfc3339_print(us, time));
}

static void accounts_print_json(
	const struct store_accounts *accounts, size_t skip)
{
	struct account list[ACCOUNTS_MAX];
	size_t count = list_accounts(accounts, list);
	for (size_t i = skip; i < count; i++)
		printf("%s\"%s\": %" PRId64, i == skip ? "" : ", ",
			list[i].name, list[i].value);
}

static void partition_print_json(const struct store_partition *partition)
{
	fputs("{\"topic\": ", stdout);
	string_print_json(slice_of(partition->log.topic), stdout);
	printf(", \"partition\": %" PRId32 ", \"incarnation\": %" PRIu32 ", ",
		partition->log.partition, partition->log.incarnation);
	accounts_print_json(&partition->accounts, 0);
	fputs(", \"record_time\": ", stdout);
	time_print_json(partition->record_time_us);
	fputs(", \"as_of\": ", stdout);
	time_print_json(partition->as_of_us);
	fputs(", \"lag_ms\": ", stdout);
	if (partition->as_of_us == TIMESTAMP_NONE ||
		load_is_topic(partition->log.topic))
		fputs("null", stdout);
	else
		printf("%" PRId64, lag_us(partition->as_of_us) / 1000);
	fputs(", \"cluster_id\": ", stdout);
	string_print_json(slice_of(partition->cluster_id), stdout);
	fputs("}", stdout);
}

static void views_print_json(const struct reader_status *status)
{
	for (size_t i = 0; i < status->view_count; i++) {
		const struct reader_view_status *view = &status->views[i];
		char digest[2 * DIGEST_BYTES + 1];
		digest_print(view->digest, digest);
		printf("%s\"%s\": {\"rows\": %" PRId64 ", \"deleted\": %" PRId64
		       ", \"digest\": \"%s\"}",
			i == 0 ? "" : ", ", view->name, view->rows,
			view->deleted, digest);
	}
}

static void reasons_print_json(const struct reader_status *status)
{
	for (size_t i = 0; i < status->reason_count; i++) {
		const struct reader_reason_status *one = &status->reasons[i];
		printf("%s{\"reason\": \"%s\", \"view\": ", i == 0 ? "" : ", ",
			reason_name(one->reason));
		string_print_json(slice_of(one->view), stdout);
		printf(", \"dead\": %" PRId64 ", \"parked\": %" PRId64
		       ", \"advice\": ",
			one->dead, one->parked);
		string_print_json(slice_of(reason_advice(one->reason)), stdout);
		fputs("}", stdout);
	}
}

/* {"name": "text", … with a comma behind. */
static void text_print_json(const char *name, const char *text)
{
	printf("\"%s\": ", name);
	string_print_json(slice_of(text), stdout);
	fputs(", ", stdout);
}

static void since_print_json(const char *name, int64_t us)
{
	printf("\"%s\": ", name);
	time_print_json(us);
	fputs("}", stdout);
}

static void operations_print_json(const struct reader_status *status)
{
	fputs("], \"stops\": [", stdout);
	for (size_t i = 0; i < status->stop_count; i++) {
		const struct reader_stop *one = &status->stops[i];
		fputs(i == 0 ? "{" : ", {", stdout);
		text_print_json("topic", one->log->topic);
		printf("\"partition\": %" PRId32 ", ", one->log->partition);
		text_print_json("reason", one->reason);
		text_print_json("detail", one->detail);
		since_print_json("since", one->since_us);
	}
	fputs("], \"holds\": [", stdout);
	for (size_t i = 0; i < status->hold_count; i++) {
		const struct reader_hold *one = &status->holds[i];
		fputs(i == 0 ? "{" : ", {", stdout);
		text_print_json("target", one->target);
		text_print_json("choice", one->choice);
		text_print_json("because", one->because);
		since_print_json("since", one->since_us);
	}
	fputs("], \"decisions\": [", stdout);
	for (size_t i = 0; i < status->decision_count; i++) {
		const struct reader_decision *one = &status->decisions[i];
		fputs(i == 0 ? "{" : ", {", stdout);
		text_print_json("who", one->who);
		text_print_json("what", one->what);
		text_print_json("target", one->target);
		text_print_json("before", one->before);
		text_print_json("after", one->after);
		text_print_json("because", one->because);
		since_print_json("at", one->at_us);
	}
}

static void tell_programs(
	const struct reading *reading, const struct reader_status *status)
{
	const struct config_store *config = &reading->config.store;
	int64_t need = reader_window_need(status, config->key_window_us);
	char digest[2 * DIGEST_BYTES + 1];
	struct store_accounts total = total_of(status);
	digest_print(status->digest, digest);
	fputc('{', stdout);
	wal_readers_print_json(&reading->config, status);
	damage_print_json(reading->reader);
	printf("\"store\": \"%s\", \"generation\": \"%s\", \"owner_epoch\": "
	       "%" PRId64 ", \"file_bytes\": %" PRId64
	       ", \"wal_bytes\": %" PRId64 ", \"ballast_bytes\": %" PRId64
	       ", \"keys\": %" PRId64 ", \"window_need_keys\": %" PRId64
	       ", \"window_need_bytes\": %" PRId64
	       ", \"window_max_bytes\": %" PRId64
	       ", \"digest\": \"%s\", \"total\": {",
		reader_store_id(reading->reader),
		reader_generation(reading->reader), status->owner_epoch,
		status->file_bytes, status->wal_bytes, status->ballast_bytes,
		status->keys, need, need * READER_KEY_BYTES,
		config->key_window_max_bytes, digest);
	accounts_print_json(&total, 2); /* all but the offsets */
	fputs("}, \"partitions\": [", stdout);
	for (size_t i = 0; i < status->partition_count; i++) {
		fputs(i == 0 ? "" : ", ", stdout);
		partition_print_json(&status->partitions[i]);
	}
	fputs("], \"views\": {", stdout);
	views_print_json(status);
	fputs("}, \"reasons\": [", stdout);
	reasons_print_json(status);
	operations_print_json(status);
	fputs("]", stdout);
	backups_print_json(&status->backups);
	fputs(", ", stdout);
	search_print_json(&status->search);
	fputs("}\n", stdout);
}

static int answer(struct reading *reading, struct fault *fault)
{
	struct reader_status status = {0};
	int rc =
		reader_status(reading->reader, &reading->arena, &status, fault);
	if (rc < 0)
		return rc;
	if (!reading->options.json)
		return tell_people(reading, &status, fault);
	tell_programs(reading, &status);
	return STATUS_GOOD;
}

int command_status(int argc, char **argv)
{
	return reading_run(&spec, NULL, argc, argv, answer);
}
