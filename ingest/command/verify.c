/* holdfast verify: does the store hold what it says it holds? */
#include "store/verify.h"
#include "ingest/clock.h"
#include "ingest/command/backup_list.h"
#include "ingest/command/command.h"
#include "ingest/command/control.h"
#include "ingest/command/reading.h"
#include "ingest/command/replay.h"
#include "ingest/command/say.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"
#include "ingest/command/verify_against.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct verify_options {
	bool backups;
	char *log;
	char *against;
};

static const struct field fields[] = {
	{"backups", FIELD_FLAG, offsetof(struct verify_options, backups), NULL,
		0, 0, NULL, "check the backups, not the store itself"},
	{"log", FIELD_TEXT, offsetof(struct verify_options, log), NULL, 0, 0,
		"RANGE",
		"then read the log again, as `replay` does: all, TOPIC or "
		"TOPIC:PARTITION"},
	{"against", FIELD_TEXT, offsetof(struct verify_options, against), NULL,
		0, 0, "OTHER",
		"then compare with a backup, by NAME or FILE, or with the "
		"store in a directory: the log takes a copy of the one that is "
		"behind to where the other is"},
};

static const struct options_spec spec = {
	.usage = "verify [--backups | --log RANGE | --against OTHER] [--json]",
	.summary = "Checks integrity, every row's checksum, every partition's "
		   "accounts and the digest of every view,\nin one snapshot, "
		   "beside a live writer if there is one; or of every "
		   "backup, with how far it is behind. Exit status 3\nwhen "
		   "something is wrong. That is remembered: from then on "
		   "ingest refuses the store, and lookups that it\nconcerns "
		   "are not answered from it, until it is replaced or "
		   "`verify` finds nothing any more.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.configured = true,
	.json = true,
};

static int64_t problems_shown(const struct verify_report *report)
{
	return report->problem_count < VERIFY_PROBLEMS_MAX
		       ? report->problem_count
		       : VERIFY_PROBLEMS_MAX;
}

static int tell_people(const struct verify_report *report, struct fault *fault)
{
	static const struct column columns[] = {{"view", false}, {"rows", true},
		{"deleted", true}, {"digest", false}};
	char digest[2 * DIGEST_BYTES + 1];
	struct table *table = table_new(columns, 4);
	if (table == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	for (size_t i = 0; i < report->view_count; i++) {
		const struct reader_view_status *view = &report->views[i];
		digest_print(view->digest, digest);
		table_add(table, "%s", view->name);
		table_add(table, "%" PRId64, view->rows);
		table_add(table, "%" PRId64, view->deleted);
		table_add(table, "%s", digest);
	}
	bool printed = table_print(table, stdout);
	table_free(table);
	if (!printed)
		return fault_set(fault, FAULT_OOM, "out of memory");
	digest_print(report->digest, digest);
	printf("\ndigest of all views: %s\n", digest);
	for (int64_t i = 0; i < problems_shown(report); i++)
		printf("wrong: %s\n", report->problems[i]);
	printf("%" PRId64 " rows checked: %" PRId64 " wrong\n", report->rows,
		report->problem_count);
	return 0;
}

/* What is done about it from now on. */
static void tell_remembered(struct reading *reading, int remembered)
{
	const char *generation = reader_generation(reading->reader);
	if (remembered == VERIFY_NOTED)
		printf("remembered: ingest takes nothing into generation %s, "
		       "and %s; `holdfast restore BACKUP` or `holdfast "
		       "rebuild` replaces it\n",
			generation,
			damage_concerns_lookups(reader_damage(reading->reader))
				? "no lookup that this concerns is answered "
				  "from it"
				: "lookups go on, since none reads that");
	else if (remembered == VERIFY_CLEARED)
		printf("generation %s was found damaged before, and is not any "
		       "more: ingest and lookups go on; look after the memory "
		       "and the disk of this machine\n",
			generation);
}

static void tell_programs(const struct verify_report *report, int remembered)
{
	char digest[2 * DIGEST_BYTES + 1];
	digest_print(report->digest, digest);
	printf("{\"good\": %s, \"remembered\": %s, \"rows\": %" PRId64
	       ", \"digest\": \"%s\", \"views\": {",
		report->problem_count == 0 ? "true" : "false",
		remembered == VERIFY_NOTED ? "true" : "false", report->rows,
		digest);
	for (size_t i = 0; i < report->view_count; i++) {
		const struct reader_view_status *view = &report->views[i];
		digest_print(view->digest, digest);
		printf("%s\"%s\": {\"rows\": %" PRId64 ", \"deleted\": %" PRId64
		       ", \"digest\": \"%s\"}",
			i == 0 ? "" : ", ", view->name, view->rows,
			view->deleted, digest);
	}
	printf("}, \"problem_count\": %" PRId64 ", \"problems\": [",
		report->problem_count);
	for (int64_t i = 0; i < problems_shown(report); i++) {
		fputs(i == 0 ? "" : ", ", stdout);
		string_print_json(slice_of(report->problems[i]), stdout);
	}
	fputs("]}\n", stdout);
}

/* Does it hold what the log says? */
static int read_log(struct reading *reading, struct fault *fault)
{
	const struct verify_options *own = reading->options.own;
	char list[] = "missing,unproven";
	struct replay_request request = {.list = list};
	if (own->log == NULL)
		return STATUS_GOOD;
	if (strcmp(own->log, "all") != 0)
		request.target = own->log;
	if (!reading->options.json)
		fputs("\n", stdout);
	return replay_answer(reading, &request, fault);
}

static const char *finder(char out[DAMAGE_BY_BYTES])
{
	char who[CONTROL_WHO_BYTES];
	control_who(getuid(), who);
	return snprintf(out, DAMAGE_BY_BYTES, "verify (%s)", who) < 0 ? "verify"
								      : out;
}

/* Before it is told: who was told may rely on it. Where it can't be done, by
 * somebody who may only read, that is told too. */
static int remember(struct reading *reading, const struct verify_report *report)
{
	char by[DAMAGE_BY_BYTES];
	struct fault why;
	struct clock *clock = clock_system();
	int rc = reader_remember(reading->reader, report, finder(by),
		clock->wall_us(clock), &why);
	if (rc < 0)
		(void)say_fault(&why);
	return rc < 0 ? 0 : rc;
}

static void remember_unreadable(
	struct reading *reading, const struct fault *found)
{
	char by[DAMAGE_BY_BYTES];
	struct fault why;
	struct clock *clock = clock_system();
	if (store_remember_unreadable(reading->config.store.path, found,
		    finder(by), clock->wall_us(clock), &why) < 0)
		(void)say_fault(&why);
}

/* Does another copy hold the same? */
static int compare(struct reading *reading, struct fault *fault)
{
	const struct verify_options *own = reading->options.own;
	return own->against == NULL
		       ? STATUS_GOOD
		       : verify_against(reading, own->against, fault);
}

static int answer(struct reading *reading, struct fault *fault)
{
	struct verify_report report = {0};
	int rc =
		reader_verify(reading->reader, &reading->arena, &report, fault);
	if (rc < 0)
		return rc;
	int remembered = remember(reading, &report);
	if (reading->options.json)
		tell_programs(&report, remembered);
	else
		rc = tell_people(&report, fault);
	if (rc < 0)
		return rc;
	if (!reading->options.json)
		tell_remembered(reading, remembered);
	int status = report.problem_count == 0 ? STATUS_GOOD : STATUS_WRONG;
	int replayed = read_log(reading, fault);
	if (replayed < 0)
		return replayed;
	status = replayed > status ? replayed : status;
	int compared = compare(reading, fault);
	return compared < 0 || compared > status ? compared : status;
}

int command_verify(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct verify_options own = {0};
	int rc = options_parse(&options, &spec, &own, argc, argv, &fault);
	int status = rc == OPTIONS_GO && own.backups
			     ? backup_list_run(&options, true)
			     : STATUS_GOOD;
	options_finish(&options);
	if (rc < 0)
		return say_fault(&fault);
	if (rc == OPTIONS_HELPED || own.backups)
		return status;
	return reading_run_or(
		&spec, &own, argc, argv, answer, remember_unreadable);
}
