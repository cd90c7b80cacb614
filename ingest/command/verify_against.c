#include "ingest/command/verify_against.h"

#include "ingest/command/backup_fresh.h"
#include "ingest/command/command.h"
#include "ingest/command/scratch.h"
#include "ingest/command/signals.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"
#include "schema/schema_diff.h"
#include "store/backups.h"
#include "store/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One of the two. */
struct side {
	struct config config;	  /* its directory is the store's */
	char directory[PATH_MAX]; /* of another than the configuration's */
	char backup[PATH_MAX];
	bool is_backup;
	bool is_ours; /* the backup: made for this, and to be removed */
	struct standing standing;
	struct scratch scratch;
};

struct against {
	struct reading *reading;
	const char *other;
	struct side here, there;
};

static bool is_directory(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* A name first: one that a file has as well is written ./FILE. */
static int find(struct against *against, struct fault *fault)
{
	struct side *there = &against->there;
	const char *given = against->other;
	there->is_backup = backup_name_is_good(given) &&
			   backups_path(there->backup,
				   against->here.config.store.path, given) &&
			   access(there->backup, F_OK) == 0;
	if (there->is_backup)
		return 0;
	there->is_backup = !is_directory(given);
	int length =
		snprintf(there->is_backup ? there->backup : there->directory,
			PATH_MAX, "%s", given);
	if (length <= 0 || length >= PATH_MAX || access(given, F_OK) != 0)
		return fault_set(fault, FAULT_USAGE,
			"there is no backup %s, and no such file or directory: "
			"`holdfast backup --list` lists backups",
			given);
	if (!there->is_backup)
		there->config.store.path = there->directory;
	return 0;
}

static int open_there(
	const struct against *against, struct reader **out, struct fault *fault)
{
	const struct side *there = &against->there;
	const struct config_store *store = &there->config.store;
	return there->is_backup
		       ? reader_open_backup(out, there->backup, fault)
		       : reader_open(out, store->path,
				 (uint32_t)(store->busy_timeout_us / 1000),
				 fault);
}

/* What one holds under another schema is another thing. */
static int check_schemas(const struct against *against,
	const struct reader *other, struct fault *fault)
{
	struct reading *reading = against->reading;
	struct schema_diff diff = {0};
	int rc = schema_compare(reader_schema(reading->reader),
		reader_schema(other), &reading->arena, &diff, fault);
	if (rc == 0 && diff.count > 0)
		rc = fault_set(fault, FAULT_REFUSED,
			"%s has another schema, as %s: only what is taken "
			"under one is the same",
			against->other, diff.changes[0].what);
	return rc;
}

/* Its own digests are those of its rows. */
static int check_rows(const struct against *against, struct reader *reader,
	struct fault *fault)
{
	struct verify_report report = {0};
	int rc =
		reader_verify(reader, &against->reading->arena, &report, fault);
	if (rc == 0 && report.problem_count > 0)
		rc = fault_set(fault, FAULT_CORRUPT,
			"%s is damaged: %" PRId64 " wrong, as %s",
			against->other, report.problem_count,
			report.problems[0]);
	return rc;
}

static int read_both(struct against *against, struct fault *fault)
{
	struct reading *reading = against->reading;
	struct backup_seal seal;
	struct reader *other = NULL;
	int rc = open_there(against, &other, fault);
	if (rc == 0 && against->there.is_backup)
		rc = backup_seal_check(against->there.backup, &seal, fault);
	if (rc == 0)
		rc = check_schemas(against, other, fault);
	if (rc == 0)
		rc = check_rows(against, other, fault);
	if (rc == 0)
		rc = standing_read(&against->there.standing, other,
			&reading->arena, fault);
	if (rc == 0)
		rc = standing_read(&against->here.standing, reading->reader,
			&reading->arena, fault);
	reader_close(other);
	return rc;
}

/* The log takes a copy of the one to where the other is. */
static int catch_up(struct against *against, struct side *behind,
	const struct standing *ahead, struct fault *fault)
{
	struct reader *reader = NULL;
	int rc = standing_can_follow(&behind->standing, ahead, fault);
	if (rc == 0 && !behind->is_backup) {
		rc = backup_fresh(&behind->config, "verify", "verify --against",
			behind->backup, fault);
		behind->is_ours = rc == 0;
	}
	behind->scratch.config = &against->here.config;
	if (rc == 0)
		rc = scratch_make(
			&behind->scratch, behind->backup, ahead, fault);
	if (rc == 0)
		rc = reader_open(&reader, behind->scratch.directory, 0, fault);
	if (rc == 0)
		rc = standing_read(&behind->standing, reader,
			&against->reading->arena, fault);
	reader_close(reader);
	return rc;
}

static int meet(struct against *against, struct fault *fault)
{
	struct side *here = &against->here, *there = &against->there;
	const struct standing here_before = here->standing;
	const struct standing there_before = there->standing;
	bool here_lacks = standing_is_ahead(&there_before, &here_before);
	bool there_lacks = standing_is_ahead(&here_before, &there_before);
	int rc = 0;
	if (here_lacks || there_lacks) {
		/* Whoever opens a file must not have it open for reading. */
		reader_close(against->reading->reader);
		against->reading->reader = NULL;
		rc = signals_install(fault);
	}
	if (rc == 0 && here_lacks)
		rc = catch_up(against, here, &there_before, fault);
	if (rc == 0 && there_lacks)
		rc = catch_up(against, there, &here_before, fault);
	if (rc < 0)
		return rc;
	return standing_is_ahead(&here->standing, &there->standing) ||
			       standing_is_ahead(
				       &there->standing, &here->standing)
		       ? fault_set(fault, FAULT_REFUSED,
				 "they can't be taken to the same offsets: the "
				 "log does not lead there, or records came "
				 "meanwhile: compare backups, or stop ingest")
		       : 0;
}

/* By name; NULL: there is none. */
static const struct standing_view *find_view(
	const struct standing *standing, const char *name)
{
	for (size_t i = 0; i < standing->view_count; i++)
		if (strcmp(standing->views[i].name, name) == 0)
			return &standing->views[i];
	return NULL;
}

static struct digest digest_there(const struct against *against, size_t view)
{
	const struct standing_view *there = find_view(&against->there.standing,
		against->here.standing.views[view].name);
	return there == NULL ? DIGEST_ZERO : there->digest;
}

static bool is_same(const struct against *against)
{
	return digest_equal(
		against->here.standing.digest, against->there.standing.digest);
}

/* Promise P7 holds with nothing parked, and the same decisions. */
static bool is_explained(const struct against *against)
{
	const struct standing *here = &against->here.standing;
	const struct standing *there = &against->there.standing;
	return here->parked > 0 || there->parked > 0 ||
	       here->cleared != there->cleared;
}

static int tell_people(const struct against *against, struct fault *fault)
{
	static const struct column columns[] = {{"view", false},
		{"digest here", false}, {"digest there", false}};
	const struct standing *here = &against->here.standing;
	char one[2 * DIGEST_BYTES + 1], other[2 * DIGEST_BYTES + 1];
	struct table *table = table_new(columns, 3);
	for (size_t i = 0; table != NULL && i < here->view_count; i++) {
		digest_print(here->views[i].digest, one);
		digest_print(digest_there(against, i), other);
		table_add(table, "%s", here->views[i].name);
		table_add(table, "%s", one);
		table_add(table, "%s", other);
	}
	printf("\nagainst %s, at the same offsets (%" PRId64 " and %" PRId64
	       " records taken to copies):\n",
		against->other, against->here.scratch.records,
		against->there.scratch.records);
	bool printed = table != NULL && table_print(table, stdout);
	table_free(table);
	if (!printed)
		return fault_set(fault, FAULT_OOM, "out of memory");
	printf("%s%s\n", is_same(against) ? "the same" : "different",
		!is_same(against) && is_explained(against)
			? ": updates that are parked, or letters that were "
			  "cleared in one of them, may explain it"
			: "");
	return 0;
}

static void tell_programs(const struct against *against)
{
	const struct standing *here = &against->here.standing;
	char one[2 * DIGEST_BYTES + 1], other[2 * DIGEST_BYTES + 1];
	fputs("{\"against\": ", stdout);
	string_print_json(slice_of(against->other), stdout);
	printf(", \"same\": %s, \"taken_here\": %" PRId64
	       ", \"taken_there\": %" PRId64 ", \"views\": {",
		is_same(against) ? "true" : "false",
		against->here.scratch.records, against->there.scratch.records);
	for (size_t i = 0; i < here->view_count; i++) {
		digest_print(here->views[i].digest, one);
		digest_print(digest_there(against, i), other);
		printf("%s\"%s\": [\"%s\", \"%s\"]", i == 0 ? "" : ", ",
			here->views[i].name, one, other);
	}
	fputs("}}\n", stdout);
}

static void finish(struct side *side)
{
	scratch_remove(&side->scratch);
	if (side->is_ours)
		(void)unlink(side->backup);
}

int verify_against(
	struct reading *reading, const char *other, struct fault *fault)
{
	struct against against = {.reading = reading,
		.other = other,
		.here.config = reading->config,
		.there.config = reading->config};
	int rc = find(&against, fault);
	if (rc == 0)
		rc = read_both(&against, fault);
	if (rc == 0)
		rc = meet(&against, fault);
	finish(&against.here);
	finish(&against.there);
	if (rc == 0 && reading->options.json)
		tell_programs(&against);
	else if (rc == 0)
		rc = tell_people(&against, fault);
	if (rc < 0)
		return rc;
	return is_same(&against) ? STATUS_GOOD : STATUS_WRONG;
}
