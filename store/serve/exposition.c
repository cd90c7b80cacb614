#include "store/serve/exposition.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void put_label(struct buffer *out, const struct label *label, bool first)
{
	buffer_text(out, first ? "{" : ",");
	buffer_text(out, label->name);
	buffer_text(out, "=\"");
	for (const char *at = label->value; *at != '\0'; at++) {
		if (*at == '\n') {
			buffer_text(out, "\\n");
			continue;
		}
		if (*at == '\\' || *at == '"')
			buffer_byte(out, '\\');
		buffer_byte(out, (unsigned char)*at);
	}
	buffer_text(out, "\"");
}

/* The sample's name and labels, `more` behind the others; NULL: none. */
static void put_name(struct exposition *exposition, const char *suffix,
	const struct labels *labels, const struct label *more)
{
	struct buffer *out = exposition->out;
	bool first = true;
	buffer_print(out, "holdfast_%s%s", exposition->family, suffix);
	for (size_t i = 0; labels != NULL && i < EXPOSITION_LABELS_MAX &&
			   labels->items[i].name != NULL;
		i++) {
		put_label(out, &labels->items[i], first);
		first = false;
	}
	if (more != NULL) {
		put_label(out, more, first);
		first = false;
	}
	buffer_text(out, first ? " " : "} ");
}

void exposition_family(struct exposition *exposition, const char *name,
	enum family_type type, const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	exposition->family = name;
	buffer_print(exposition->out,
		"# HELP holdfast_%s %s\n# TYPE holdfast_%s %s\n", name, help,
		name, types[type]);
}

void exposition_count(struct exposition *exposition,
	const struct labels *labels, int64_t value)
{
	put_name(exposition, "", labels, NULL);
	buffer_print(exposition->out, "%" PRId64 "\n", value);
}

static void put_seconds(struct buffer *out, int64_t us)
{
	const char *sign = us < 0 ? "-" : "";
	uint64_t size = us < 0 ? -(uint64_t)us : (uint64_t)us;
	buffer_print(out, "%s%" PRIu64 ".%06" PRIu64 "\n", sign, size / 1000000,
		size % 1000000);
}

void exposition_seconds(
	struct exposition *exposition, const struct labels *labels, int64_t us)
{
	put_name(exposition, "", labels, NULL);
	put_seconds(exposition->out, us);
}

static void put_bucket(struct exposition *exposition,
	const struct labels *labels, double bound_s, uint64_t count)
{
	char text[32] = "+Inf";
	if (isfinite(bound_s) && snprintf(text, sizeof text, "%g", bound_s) < 0)
		return;
	const struct label bound = {"le", text};
	put_name(exposition, "_bucket", labels, &bound);
	buffer_print(exposition->out, "%" PRIu64 "\n", count);
}

void exposition_histogram(struct exposition *exposition,
	const struct labels *labels, const uint64_t *buckets, size_t count,
	double (*bound_s)(size_t bucket), uint64_t sum_us)
{
	uint64_t total = 0;
	for (size_t i = 0; i < count; i++) {
		total += buckets[i];
		put_bucket(exposition, labels, bound_s(i), total);
	}
	put_name(exposition, "_sum", labels, NULL);
	put_seconds(exposition->out, (int64_t)sum_us);
	put_name(exposition, "_count", labels, NULL);
	buffer_print(exposition->out, "%" PRIu64 "\n", total);
}
