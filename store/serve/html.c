#include "store/serve/html.h"

#include "schema/record.h"
#include "schema/rfc3339.h"
#include "store/terms.h"

#include <inttypes.h>
#include <stdio.h>

void html_text(struct buffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			buffer_text(out, "&amp;");
			break;
		case '<':
			buffer_text(out, "&lt;");
			break;
		case '>':
			buffer_text(out, "&gt;");
			break;
		case '"':
			buffer_text(out, "&quot;");
			break;
		case '\'':
			buffer_text(out, "&#39;");
			break;
		default:
			buffer_byte(out, (unsigned char)*text);
		}
	}
}

void html_count(struct buffer *out, int64_t number)
{
	char digits[24];
	int length = snprintf(digits, sizeof digits, "%" PRId64, number);
	for (int i = 0; i < length; i++) {
		int left = length - i;
		if (i > 0 && left % 3 == 0 && digits[i - 1] != '-')
			buffer_byte(out, ',');
		buffer_byte(out, (unsigned char)digits[i]);
	}
}

void html_duration(struct buffer *out, int64_t us)
{
	const double second = 1e6, minute = 60 * second, hour = 60 * minute;
	double time = (double)us;
	if (us == LAG_UNKNOWN)
		buffer_text(out, "unknown");
	else if (time < 1e3)
		buffer_print(out, "%" PRId64 " µs", us);
	else if (time < 1e4)
		buffer_print(out, "%.1f ms", time / 1e3);
	else if (time < second)
		buffer_print(out, "%.0f ms", time / 1e3);
	else if (time < 10 * second)
		buffer_print(out, "%.1f s", time / second);
	else if (time < 2 * minute)
		buffer_print(out, "%.0f s", time / second);
	else if (time < 2 * hour)
		buffer_print(out, "%.0f min", time / minute);
	else if (time < 48 * hour)
		buffer_print(out, "%.0f h", time / hour);
	else
		buffer_print(out, "%.0f d", time / (24 * hour));
}

void html_bytes(struct buffer *out, int64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double size = (double)bytes;
	size_t unit = 0;
	while (size >= 1024 && unit < sizeof units / sizeof units[0] - 1) {
		size /= 1024;
		unit++;
	}
	buffer_print(out, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

void html_time(struct buffer *out, int64_t us)
{
	char text[RFC3339_SIZE];
	if (us == TIMESTAMP_NONE) {
		buffer_text(out, "never");
		return;
	}
	/* "2026-11-23T08:20:48Z" */
	(void)rfc3339_print(us - us % 1000000, text);
	buffer_print(out, "%.10s %.8s UTC", text, text + 11);
}
