#include "ingest/kafka/kafka_notice.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t interval_us[NOTICE_KINDS] = {
	[NOTICE_ONCE] = 0,
	[NOTICE_CONNECTION] = 10000000,
	[NOTICE_WAITING] = 10000000,
	[NOTICE_COMMIT] = 60000000,
};

struct kafka_notice {
	struct kafka_notice *next;
	struct fault text;
};

void kafka_notices_add(struct kafka_notices *notices,
	enum kafka_notice_kind kind, int64_t now_us, const struct fault *text)
{
	if (now_us < notices->next_us[kind])
		return;
	struct kafka_notice *notice = malloc(sizeof *notice);
	if (notice == NULL) { /* it is told all the same */
		fprintf(stderr, "kafka: %s\n", text->text);
		return;
	}
	notices->next_us[kind] = now_us + interval_us[kind];
	*notice = (struct kafka_notice){.text = *text};
	if (notices->first == NULL)
		notices->first = notice;
	else
		notices->last->next = notice;
	notices->last = notice;
}

bool kafka_notices_take(struct kafka_notices *notices, struct fault *text)
{
	struct kafka_notice *notice = notices->first;
	if (notice == NULL)
		return false;
	*text = notice->text;
	notices->first = notice->next;
	free(notice);
	return true;
}

void kafka_notices_finish(struct kafka_notices *notices)
{
	struct fault text;
	while (kafka_notices_take(notices, &text))
		;
}
