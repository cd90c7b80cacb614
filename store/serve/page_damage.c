#include "store/serve/page_damage.h"

#include "schema/record.h"
#include "store/serve/html.h"

static void tell_lookups(struct buffer *out, const struct damage *damage)
{
	if (!damage_concerns_lookups(damage)) {
		buffer_text(out, "lookups go on, since none reads that. ");
		return;
	}
	buffer_text(out, damage->all ? "lookups " : "lookups of");
	html_text(out, damage->all ? "" : damage->views); /* " card route " */
	buffer_text(out, "are answered from the newest backup, as each view "
			 "says, or get 503. ");
}

void page_damage(struct buffer *out, const struct damage *damage)
{
	html_text(out, damage->by);
	buffer_text(out, " found damage");
	if (damage->at_us != TIMESTAMP_NONE) {
		buffer_text(out, " at ");
		html_time(out, damage->at_us);
	}
	buffer_text(out, ": ");
	html_text(out, damage->text);
	buffer_text(out, ". Nothing is taken into it any more; ");
	tell_lookups(out, damage);
	buffer_text(out, "<code>holdfast restore BACKUP</code> or "
			 "<code>holdfast rebuild</code> replaces it, "
			 "<code>holdfast verify</code> looks again.");
}
