#include "ingest/command/say.h"

#include "ingest/clock.h"
#include "schema/rfc3339.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#define LINE_BYTES 2048 /* a fault's text and what stands around it */

/* U+0080 to U+009F are control characters to a terminal, too. */
static bool is_c1(const char *at)
{
	return (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] >= 0x80 &&
	       (unsigned char)at[1] < 0xa0;
}

void say_plainly(char *text)
{
	for (; *text != '\0'; text++) {
		if (is_c1(text))
			*text++ = ' ';
		else if ((unsigned char)*text >= ' ' && *text != 0x7f)
			continue;
		*text = ' ';
	}
}

void say(enum say_level level, const char *format, ...)
{
	static const char *const names[] = {
		[SAY_INFO] = "info",
		[SAY_WARNING] = "warning",
		[SAY_ERROR] = "error",
	};
	struct clock *clock = clock_system();
	char now[RFC3339_SIZE], text[LINE_BYTES];
	/* Microseconds tell a reader of the log nothing. */
	int64_t now_us = clock->wall_us(clock) / 1000 * 1000;
	va_list arguments;
	va_start(arguments, format);
	if (vsnprintf(text, sizeof text, format, arguments) < 0)
		text[0] = '\0';
	va_end(arguments);
	say_plainly(text);
	fprintf(stderr, "holdfast: %s %s %s\n", rfc3339_print(now_us, now),
		names[level], text);
}

int say_fault(const struct fault *fault)
{
	struct fault shown = *fault;
	say_plainly(shown.text);
	fprintf(stderr, "holdfast: %s\n", shown.text);
	return fault_exit_status(fault->code);
}

int say_last(const struct fault *fault)
{
	say(SAY_ERROR, "%s", fault->text);
	return fault_exit_status(fault->code);
}
