/*
 * Pieces of HTML, appended to a buffer: text is always escaped, figures are as
 * people read them.
 */
#ifndef HOLDFAST_STORE_SERVE_HTML_H
#define HOLDFAST_STORE_SERVE_HTML_H

#include "schema/buffer.h"

/* Any text. */
void html_text(struct buffer *out, const char *text);

/* "12,345,678". */
void html_count(struct buffer *out, int64_t number);

/* "96 ms", "4.2 s", "78 s", "12 min", "3 d"; LAG_UNKNOWN: "unknown". */
void html_duration(struct buffer *out, int64_t us);

/* "12.3 MiB". */
void html_bytes(struct buffer *out, int64_t bytes);

/* "2026-11-23 08:20:48 UTC"; TIMESTAMP_NONE: "never". */
void html_time(struct buffer *out, int64_t us);

#endif
