/*
 * What the program tells people, on stderr.
 */
#ifndef HOLDFAST_INGEST_COMMAND_SAY_H
#define HOLDFAST_INGEST_COMMAND_SAY_H

#include "schema/fault.h"

enum say_level { SAY_INFO, SAY_WARNING, SAY_ERROR };

/* One line of a service's log: "holdfast: <RFC 3339> <level> <text>". Control
 * characters in the text become spaces: a line stays one line. */
void say(enum say_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Control characters become spaces: words of strangers don't talk to the
 * terminal. */
void say_plainly(char *text);

/* A command that failed: "holdfast: <text>". Returns the exit status. */
int say_fault(const struct fault *fault);

/* A service that ends for a fault: the last line of its log, and the same. */
int say_last(const struct fault *fault);

#endif
