#include "store/serve/waiting.h"

#include "store/serve/time.h"

#include <assert.h>
#include <microhttpd.h>

void waiting_init(
	struct waiting *waiting, size_t max, struct counters *counters)
{
	*waiting = (struct waiting){.max = max, .counters = counters};
	pthread_mutex_init(&waiting->mutex, NULL);
	monotonic_cond_init(&waiting->someone);
}

void waiting_finish(struct waiting *waiting)
{
	assert(waiting->suspended == 0);
	pthread_cond_destroy(&waiting->someone);
	pthread_mutex_destroy(&waiting->mutex);
}

static void link_waiter(struct waiting *waiting, struct waiter *waiter)
{
	waiter->previous = NULL;
	waiter->next = waiting->first;
	if (waiting->first != NULL)
		waiting->first->previous = waiter;
	waiting->first = waiter;
	waiting->suspended++;
}

static void resume(struct waiting *waiting, struct waiter *waiter)
{
	if (waiter->previous != NULL)
		waiter->previous->next = waiter->next;
	else
		waiting->first = waiter->next;
	if (waiter->next != NULL)
		waiter->next->previous = waiter->previous;
	waiting->suspended--;
	MHD_resume_connection(waiter->connection);
}

static bool take_place(struct waiting *waiting, struct waiter *waiter)
{
	if (waiter->has_place)
		return true;
	if (waiting->places >= waiting->max)
		return false;
	waiting->places++;
	atomic_fetch_add(&waiting->counters->waiting, 1);
	waiter->has_place = true;
	return true;
}

void waiting_leave(struct waiting *waiting, struct waiter *waiter)
{
	if (!waiter->has_place)
		return;
	waiter->has_place = false;
	pthread_mutex_lock(&waiting->mutex);
	waiting->places--;
	atomic_fetch_sub(&waiting->counters->waiting, 1);
	pthread_mutex_unlock(&waiting->mutex);
}

enum waiting_outcome waiting_add(struct waiting *waiting, struct waiter *waiter)
{
	enum waiting_outcome outcome = WAITING_SUSPENDED;
	pthread_mutex_lock(&waiting->mutex);
	if (waiting->stopped) {
		outcome = WAITING_STOPPED;
	} else if (!take_place(waiting, waiter)) {
		outcome = WAITING_FULL;
	} else {
		/* Before anyone can see and resume it. */
		MHD_suspend_connection(waiter->connection);
		link_waiter(waiting, waiter);
		if (waiting->suspended == 1)
			pthread_cond_signal(&waiting->someone);
	}
	pthread_mutex_unlock(&waiting->mutex);
	return outcome;
}

void waiting_wake(struct waiting *waiting, uint32_t changes, int64_t now_us)
{
	pthread_mutex_lock(&waiting->mutex);
	struct waiter *waiter = waiting->first;
	while (waiter != NULL) {
		struct waiter *next = waiter->next;
		if (waiter->changes != changes || now_us >= waiter->due_us)
			resume(waiting, waiter);
		waiter = next;
	}
	pthread_mutex_unlock(&waiting->mutex);
}

bool waiting_sleep(struct waiting *waiting, int64_t idle_us, int64_t busy_us)
{
	pthread_mutex_lock(&waiting->mutex);
	bool busy = waiting->suspended > 0;
	struct timespec until =
		monotonic_timespec(monotonic_us() + (busy ? busy_us : idle_us));
	int rc = 0;
	while (!waiting->stopped && rc == 0 && busy == (waiting->suspended > 0))
		rc = pthread_cond_timedwait(
			&waiting->someone, &waiting->mutex, &until);
	bool stopped = waiting->stopped;
	pthread_mutex_unlock(&waiting->mutex);
	return !stopped;
}

void waiting_stop(struct waiting *waiting)
{
	pthread_mutex_lock(&waiting->mutex);
	waiting->stopped = true;
	while (waiting->first != NULL)
		resume(waiting, waiting->first);
	pthread_cond_signal(&waiting->someone);
	pthread_mutex_unlock(&waiting->mutex);
}
