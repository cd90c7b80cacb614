#include "ingest/retry_queue.h"

#include <stdlib.h>

#define TURN_LETTERS 500 /* some 20 ms */
/* Ids asked for at once: 800 kB; more wait for the next list. */
#define LIST_LETTERS 100000

struct retry_queue {
	struct retry_queue_options options;
	struct dice dice;
	bool started;	 /* the look at a start was begun */
	bool uncounted;	 /* the list is that look's */
	int64_t next_us; /* wall clock: not before is anything due */
	/* What is taken up next: ids[at..count), in log order. */
	int64_t ids[LIST_LETTERS];
	size_t at, count;
	struct retry_result results[TURN_LETTERS];
};

int retry_queue_open(struct retry_queue **out,
	const struct retry_queue_options *options, struct fault *fault)
{
	struct retry_queue *queue = calloc(1, sizeof *queue);
	*out = queue;
	if (queue == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for retries");
	queue->options = *options;
	queue->dice = dice_of(options->seed);
	queue->next_us = INT64_MIN;
	return 0;
}

void retry_queue_close(struct retry_queue *queue)
{
	free(queue);
}

bool retry_queue_is_due(const struct retry_queue *queue, int64_t now_us)
{
	return queue->at < queue->count || now_us >= queue->next_us;
}

void retry_queue_expect(struct retry_queue *queue, int64_t due_us)
{
	if (due_us < queue->next_us)
		queue->next_us = due_us;
}

/* Ask the store what comes next. */
static int list(struct retry_queue *queue, int64_t now_us, struct fault *fault)
{
	struct store *store = queue->options.store;
	queue->at = queue->count = 0;
	int count = store_due(store, queue->started ? now_us : INT64_MAX,
		queue->ids, LIST_LETTERS, fault);
	if (count < 0)
		return count;
	queue->uncounted = !queue->started;
	queue->started = true;
	queue->count = (size_t)count;
	if (count > 0)
		return 0;
	int rc = store_retries_over(store, fault);
	return rc < 0 ? rc : store_next_due(store, &queue->next_us, fault);
}

static int take_up(
	struct retry_queue *queue, int64_t now_us, struct fault *fault)
{
	size_t left = queue->count - queue->at;
	size_t count = left < TURN_LETTERS ? left : TURN_LETTERS;
	struct retry_request request = {
		.store = queue->options.store,
		.decoder = queue->options.decoder,
		.kind = LETTER_PARKED,
		.ids = &queue->ids[queue->at],
		.count = count,
		.how = {.attempts_max = queue->options.attempts_max},
		.uncounted = queue->uncounted,
		.now_us = now_us,
		.dice = &queue->dice,
	};
	int rc = retry_letters(&request, queue->results, fault);
	if (rc == STORE_DURABLE)
		queue->at += count;
	return rc;
}

int retry_queue_turn(
	struct retry_queue *queue, int64_t now_us, struct fault *fault)
{
	int rc = 0;
	if (queue->at == queue->count && now_us >= queue->next_us)
		rc = list(queue, now_us, fault);
	return rc < 0 || queue->at == queue->count
		       ? rc
		       : take_up(queue, now_us, fault);
}
