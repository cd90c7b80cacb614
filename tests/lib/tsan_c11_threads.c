/*
 * C11 threads on POSIX threads, for ThreadSanitizer only.
 *
 * librdkafka locks with mtx_lock() and its kin. ThreadSanitizer knows the POSIX
 * calls alone: it would see threads that nobody started, and no lock at all.
 * Linked into every executable of the tsan preset, where these take the place
 * of the C library's.
 *
 * glibc's C11 types are its POSIX ones under other names (threads.h, and
 * nptl/thrd_create.c and its neighbours), which the static asserts hold on to.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "the same type");
static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "the same type");
static_assert(sizeof(thrd_t) == sizeof(pthread_t), "the same type");
static_assert(sizeof(once_flag) == sizeof(pthread_once_t), "the same type");

static int result_of(int error)
{
	switch (error) {
	case 0:
		return thrd_success;
	case ENOMEM:
		return thrd_nomem;
	case ETIMEDOUT:
		return thrd_timedout;
	case EBUSY:
		return thrd_busy;
	default:
		return thrd_error;
	}
}

struct start {
	thrd_start_t run;
	void *payload;
};

static void *run_start(void *payload)
{
	struct start start = *(struct start *)payload;
	free(payload);
	return (void *)(intptr_t)start.run(start.payload);
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *payload)
{
	struct start *start = malloc(sizeof *start);
	if (start == NULL)
		return thrd_nomem;
	*start = (struct start){run, payload};
	int error = pthread_create(thread, NULL, run_start, start);
	if (error != 0)
		free(start);
	return result_of(error);
}

int thrd_join(thrd_t thread, int *result)
{
	void *returned = NULL;
	int error = pthread_join(thread, &returned);
	if (error == 0 && result != NULL)
		*result = (int)(intptr_t)returned;
	return result_of(error);
}

int thrd_detach(thrd_t thread)
{
	return result_of(pthread_detach(thread));
}

thrd_t thrd_current(void)
{
	return pthread_self();
}

int mtx_init(mtx_t *mutex, int type)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);
	if (error != 0)
		return result_of(error);
	pthread_mutexattr_settype(&attributes, (type & mtx_recursive) != 0
						       ? PTHREAD_MUTEX_RECURSIVE
						       : PTHREAD_MUTEX_NORMAL);
	error = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return result_of(error);
}

void mtx_destroy(mtx_t *mutex)
{
	pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int mtx_lock(mtx_t *mutex)
{
	return result_of(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_trylock(mtx_t *mutex)
{
	return result_of(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

int mtx_unlock(mtx_t *mutex)
{
	return result_of(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

int cnd_init(cnd_t *condition)
{
	return result_of(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

void cnd_destroy(cnd_t *condition)
{
	pthread_cond_destroy((pthread_cond_t *)condition);
}

int cnd_signal(cnd_t *condition)
{
	return result_of(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition)
{
	return result_of(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
	return result_of(pthread_cond_wait(
		(pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
	return result_of(pthread_cond_timedwait(
		(pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}

void call_once(once_flag *flag, void (*function)(void))
{
	pthread_once((pthread_once_t *)flag, function);
}

/*
 * librdkafka is not instrumented: it hands buffers and topics from thread to
 * thread by atomic counters, which ThreadSanitizer can't see, so that it takes
 * the last owner's free() for a race with an earlier owner's reading. And its
 * versions 2.0.2 to 2.6.0 leave threads behind when a topic was deleted
 * (librdkafka #4724), for which kafka_client_close() does not wait.
 */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race:librdkafka.so\n"
	       "thread:librdkafka.so\n";
}
