#include "ingest/command/status_backup.h"

#include "ingest/clock.h"
#include "ingest/command/elapsed.h"
#include "ingest/command/size.h"
#include "ingest/command/value_text.h"
#include "schema/rfc3339.h"

#include <inttypes.h>
#include <stdio.h>

static int64_t age_us(const struct reader_backups *backups)
{
	struct clock *clock = clock_system();
	int64_t age = clock->wall_us(clock) - backups->made_us;
	return age < 0 ? 0 : age;
}

void backups_print(const struct reader_backups *backups)
{
	char size[SIZE_TEXT], took[ELAPSED_SIZE], age[ELAPSED_SIZE],
		failed[RFC3339_SIZE];
	if (backups->name[0] != '\0')
		printf("last backup %s, %s, made %s ago in %s and checked\n",
			backups->name, size_print(backups->bytes, size),
			elapsed_print(age_us(backups), age),
			elapsed_print(backups->took_us, took));
	if (backups->failed_us > backups->made_us)
		printf("a backup failed at %s: %s\n",
			rfc3339_print(backups->failed_us, failed),
			backups->failed_why);
}

void backups_print_json(const struct reader_backups *backups)
{
	char time[RFC3339_SIZE];
	fputs(", \"backups\": {\"last\": ", stdout);
	if (backups->name[0] == '\0') {
		fputs("null", stdout);
	} else {
		fputs("{\"name\": ", stdout);
		string_print_json(slice_of(backups->name), stdout);
		printf(", \"made\": \"%s\", \"age_ms\": %" PRId64
		       ", \"took_ms\": %" PRId64 ", \"bytes\": %" PRId64 "}",
			rfc3339_print(backups->made_us, time),
			age_us(backups) / 1000, backups->took_us / 1000,
			backups->bytes);
	}
	printf(", \"failures\": %" PRId64 ", \"failed\": ", backups->failures);
	if (backups->failures == 0) {
		fputs("null}", stdout);
		return;
	}
	printf("{\"at\": \"%s\", \"why\": ",
		rfc3339_print(backups->failed_us, time));
	string_print_json(slice_of(backups->failed_why), stdout);
	fputs("}}", stdout);
}
