/*
 * The clock of waiting and of time limits: it is never set.
 */
#ifndef HOLDFAST_STORE_SERVE_TIME_H
#define HOLDFAST_STORE_SERVE_TIME_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

static inline int64_t monotonic_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline struct timespec monotonic_timespec(int64_t us)
{
	return (struct timespec){
		.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
}

/* A condition that is waited for until a time by this clock. */
static inline void monotonic_cond_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

#endif
