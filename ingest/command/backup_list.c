#include "ingest/command/backup_list.h"

#include "ingest/clock.h"
#include "ingest/command/command.h"
#include "ingest/command/elapsed.h"
#include "ingest/command/say.h"
#include "ingest/command/size.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"
#include "schema/rfc3339.h"
#include "store/backups.h"
#include "store/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OFFSETS_UNKNOWN (-1)

/* One backup, looked at. */
struct looked {
	const struct backup_file *file;
	int64_t behind_offsets; /* or OFFSETS_UNKNOWN */
	int64_t behind_us;	/* the moment it holds, before now */
	bool damaged;
	const char *state; /* "whole", "good", or what is wrong */
};

struct listing {
	struct config config;
	struct arena arena;
	struct reader *reader; /* of the live one; NULL: it can't be read */
	struct reader_status live;
	bool live_known;
	bool check, json;
	size_t damaged;
};

static int64_t now_us(void)
{
	struct clock *clock = clock_system();
	return clock->wall_us(clock);
}

/* A store that can't be read has backups all the same. */
static void look_at_live(struct listing *listing)
{
	const struct config_store *store = &listing->config.store;
	if (reader_open(&listing->reader, store->path,
		    (uint32_t)(store->busy_timeout_us / 1000), NULL) < 0)
		return;
	listing->live_known = reader_summary(listing->reader, &listing->arena,
				      &listing->live, NULL) == 0;
}

static int64_t held_of(
	const struct reader_status *status, const struct store_partition *of)
{
	for (size_t i = 0; i < status->partition_count; i++) {
		const struct store_partition *one = &status->partitions[i];
		if (one->log.partition == of->log.partition &&
			one->log.incarnation == of->log.incarnation &&
			strcmp(one->log.topic, of->log.topic) == 0)
			return one->accounts.next_offset;
	}
	return of->accounts.first_offset;
}

static int64_t offsets_behind(
	const struct listing *listing, const struct reader_status *status)
{
	int64_t behind = 0;
	if (!listing->live_known)
		return OFFSETS_UNKNOWN;
	for (size_t i = 0; i < listing->live.partition_count; i++) {
		const struct store_partition *live =
			&listing->live.partitions[i];
		behind += live->accounts.next_offset - held_of(status, live);
	}
	return behind;
}

static int verify(struct listing *listing, struct reader *reader,
	const char *path, struct fault *fault)
{
	struct verify_report report;
	struct backup_seal seal;
	int rc = backup_seal_check(path, &seal, fault);
	if (rc == 0)
		rc = reader_verify(reader, &listing->arena, &report, fault);
	if (rc == 0 && report.problem_count > 0)
		rc = fault_set(fault, FAULT_CORRUPT,
			"%" PRId64 " of its rows are wrong: %s",
			report.problem_count, report.problems[0]);
	return rc;
}

static int read_one(struct listing *listing, struct looked *looked,
	const char *path, struct fault *fault)
{
	struct reader *reader;
	struct reader_status status;
	int rc = reader_open_backup(&reader, path, fault);
	if (rc < 0)
		return rc;
	rc = reader_summary(reader, &listing->arena, &status, fault);
	if (rc == 0)
		looked->behind_offsets = offsets_behind(listing, &status);
	if (rc == 0 && listing->check)
		rc = verify(listing, reader, path, fault);
	reader_close(reader);
	return rc;
}

#define LEFT 1 /* it was removed meanwhile */

/* Anything but want of memory is the backup's fault, and the others are looked
 * at, too. */
static int look_at(struct listing *listing, const struct backup_file *file,
	struct looked *out, struct fault *fault)
{
	char path[PATH_MAX];
	struct fault why = {0};
	*out = (struct looked){.file = file,
		.behind_offsets = OFFSETS_UNKNOWN,
		.behind_us = now_us() - file->seal.made_us,
		.state = listing->check ? "good" : "whole"};
	if (!backups_path(path, listing->config.store.path, file->name))
		return fault_set(fault, FAULT_USAGE, "store.path: too long");
	int rc = read_one(listing, out, path, &why);
	if (rc == 0)
		return 0;
	if (rc == FAULT_OOM)
		return fault_set(fault, rc, "%s", why.text);
	if (access(path, F_OK) != 0)
		return LEFT;
	out->damaged = true;
	out->state = arena_print(&listing->arena, "damaged: %s", why.text);
	listing->damaged++;
	return out->state == NULL ? fault_set(fault, FAULT_OOM, "out of memory")
				  : 0;
}

static void add_row(struct table *table, const struct looked *one)
{
	char made[RFC3339_SIZE], bytes[SIZE_TEXT], behind[ELAPSED_SIZE];
	table_add(table, "%s", one->file->name);
	table_add(table, "%s",
		one->file->sealed ? rfc3339_print(one->file->seal.made_us, made)
				  : "-");
	table_add(table, "%s", size_print(one->file->bytes, bytes));
	table_add(table, "%s",
		one->file->sealed ? one->file->seal.generation : "-");
	if (one->behind_offsets == OFFSETS_UNKNOWN)
		table_add(table, "-");
	else
		table_add(table, "%" PRId64, one->behind_offsets);
	table_add(table, "%s",
		one->file->sealed ? elapsed_print(one->behind_us, behind)
				  : "-");
	table_add(table, "%s", one->state);
}

static int tell_people(
	const struct looked *all, size_t count, struct fault *fault)
{
	static const struct column columns[] = {{"backup", false},
		{"made", false}, {"size", true}, {"of", false},
		{"offsets behind", true}, {"time behind", true},
		{"state", false}};
	if (count == 0) {
		puts("there are no backups: `holdfast backup` makes one");
		return 0;
	}
	struct table *table =
		table_new(columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; table != NULL && i < count; i++)
		add_row(table, &all[i]);
	bool printed = table != NULL && table_print(table, stdout);
	table_free(table);
	return printed ? 0 : fault_set(fault, FAULT_OOM, "out of memory");
}

static void one_print_json(const struct looked *one)
{
	char made[RFC3339_SIZE];
	fputs("{\"name\": ", stdout);
	string_print_json(slice_of(one->file->name), stdout);
	printf(", \"bytes\": %" PRId64, one->file->bytes);
	if (one->file->sealed)
		printf(", \"made\": \"%s\", \"generation\": \"%s\", "
		       "\"behind_ms\": %" PRId64,
			rfc3339_print(one->file->seal.made_us, made),
			one->file->seal.generation, one->behind_us / 1000);
	else
		fputs(", \"made\": null, \"generation\": null, \"behind_ms\": "
		      "null",
			stdout);
	if (one->behind_offsets == OFFSETS_UNKNOWN)
		fputs(", \"behind_offsets\": null", stdout);
	else
		printf(", \"behind_offsets\": %" PRId64, one->behind_offsets);
	printf(", \"damaged\": %s, \"state\": ",
		one->damaged ? "true" : "false");
	string_print_json(slice_of(one->state), stdout);
	fputs("}", stdout);
}

static void tell_programs(const struct looked *all, size_t count)
{
	fputs("{\"backups\": [", stdout);
	for (size_t i = 0; i < count; i++) {
		fputs(i == 0 ? "" : ", ", stdout);
		one_print_json(&all[i]);
	}
	fputs("]}\n", stdout);
}

/* Look at each and print. all[0..count) is room for it. */
static int look_and_tell(struct listing *listing,
	const struct backup_file *files, struct looked *all, size_t count,
	struct fault *fault)
{
	size_t looked = 0;
	for (size_t i = 0; i < count; i++) {
		int rc = look_at(listing, &files[i], &all[looked], fault);
		if (rc < 0)
			return rc;
		looked += rc != LEFT;
	}
	if (!listing->json)
		return tell_people(all, looked, fault);
	tell_programs(all, looked);
	return 0;
}

static int list(struct listing *listing, struct fault *fault)
{
	const struct backup_file *files;
	size_t count;
	int rc = backups_list(listing->config.store.path, &listing->arena,
		&files, &count, fault);
	struct looked *all =
		arena_take(&listing->arena, (count + 1) * sizeof *all);
	if (rc < 0)
		return rc;
	if (all == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	look_at_live(listing);
	return look_and_tell(listing, files, all, count, fault);
}

int backup_list_run(const struct options *options, bool check)
{
	struct fault fault = {0};
	struct listing listing = {
		.arena = ARENA_INIT, .check = check, .json = options->json};
	int rc = options_config(options, &listing.config, &fault);
	if (rc == 0)
		rc = list(&listing, &fault);
	reader_close(listing.reader);
	arena_finish(&listing.arena);
	config_finish(&listing.config);
	if (rc < 0)
		return say_fault(&fault);
	return listing.damaged == 0 ? STATUS_GOOD : STATUS_WRONG;
}
