#include "ingest/command/status_damage.h"

#include "ingest/command/value_text.h"
#include "schema/rfc3339.h"

#include <stdio.h>

static const char *time_of(const struct damage *damage, char out[RFC3339_SIZE])
{
	return damage->at_us == TIMESTAMP_NONE
		       ? "an unknown time"
		       : rfc3339_print(damage->at_us, out);
}

static void print_lookups(const struct damage *damage)
{
	if (damage->all)
		fputs("no lookup is answered from it", stdout);
	else if (damage->views[0] == '\0')
		fputs("lookups go on, since none reads that", stdout);
	else
		printf("no lookup of%sis answered from it", damage->views);
}

void damage_print(struct reader *reader)
{
	char time[RFC3339_SIZE];
	const struct damage *damage = reader_damage(reader);
	if (!damage->found)
		return;
	printf("DAMAGED, as %s found at %s: %s\n", damage->by,
		time_of(damage, time), damage->text);
	fputs("ingest takes nothing into it, and ", stdout);
	print_lookups(damage);
	puts("; what to do: holdfast restore BACKUP, or holdfast rebuild\n");
}

void damage_print_json(struct reader *reader)
{
	char time[RFC3339_SIZE];
	const struct damage *damage = reader_damage(reader);
	fputs("\"damage\": ", stdout);
	if (!damage->found) {
		fputs("null, ", stdout);
		return;
	}
	fputs("{\"at\": ", stdout);
	if (damage->at_us == TIMESTAMP_NONE)
		fputs("null", stdout);
	else
		printf("\"%s\"", rfc3339_print(damage->at_us, time));
	fputs(", \"by\": ", stdout);
	string_print_json(slice_of(damage->by), stdout);
	fputs(", \"lookups\": ", stdout);
	string_print_json(
		slice_of(damage->all ? "all" : damage->views), stdout);
	fputs(", \"wrong\": ", stdout);
	string_print_json(slice_of(damage->text), stdout);
	fputs("}, ", stdout);
}
