#include "store/serve/connections.h"

#include "store/serve/time.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Beyond the limit: who comes while others are leaving, which takes their
 * thread's next turn. */
#define RESERVE_MIN 64
#define RESERVE_SHARE 8 /* or max / RESERVE_SHARE, if that is more */

/* Handed to libmicrohttpd and never seen again: it had no memory for it. */
#define EXPECTED_TIME_US INT64_C(10000000)

size_t connections_room_for(size_t max)
{
	size_t reserve = max / RESERVE_SHARE;
	return max + (reserve > RESERVE_MIN ? reserve : RESERVE_MIN);
}

int connections_init(struct connections *connections,
	const struct connections_options *options, struct fault *fault)
{
	size_t room = connections_room_for(options->max);
	*connections = (struct connections){.options = *options, .room = room};
	pthread_mutex_init(&connections->mutex, NULL);
	monotonic_cond_init(&connections->left);
	connections->guests = calloc(room, sizeof *connections->guests);
	connections->spare = calloc(room, sizeof *connections->spare);
	if (connections->guests == NULL || connections->spare == NULL)
		return fault_set(fault, FAULT_OOM,
			"no memory for %zu connections: lower "
			"serve.connections_max",
			options->max);
	for (size_t i = 0; i < room; i++)
		connections->spare[i] = (uint32_t)(room - 1 - i);
	connections->spare_count = room;
	return 0;
}

void connections_finish(struct connections *connections)
{
	if (connections->room > 0) {
		pthread_cond_destroy(&connections->left);
		pthread_mutex_destroy(&connections->mutex);
	}
	free(connections->guests);
	free(connections->spare);
	*connections = (struct connections){0};
}

size_t connections_room(const struct connections *connections)
{
	return connections->room;
}

static int64_t since(const struct guest *guest)
{
	return atomic_load_explicit(&guest->since_us, memory_order_relaxed);
}

static bool is_idle(const struct guest *guest)
{
	return guest->state == GUEST_THERE && since(guest) <= 0;
}

/*
 * First only the direction towards us is shut: what had come before is still
 * read and answered, then libmicrohttpd sees the end. It may have missed that
 * edge (a read that returns less than was asked for clears its readiness), so
 * the second time both are shut, which nobody overlooks.
 */
static void tell(struct connections *connections, struct guest *guest, int how)
{
	if (guest->told == 0)
		connections->told++;
	if (guest->told < UCHAR_MAX)
		guest->told++;
	/* Fails where the client was quicker. */
	(void)shutdown(guest->socket, how);
}

static void tell_idle(struct connections *connections, struct guest *guest)
{
	tell(connections, guest, guest->told == 0 ? SHUT_RD : SHUT_RDWR);
}

/* Idle for longest of those who were not told. NULL: there is none. */
static struct guest *find_idlest(struct connections *connections)
{
	struct guest *idlest = NULL;
	for (size_t i = 0; i < connections->high; i++) {
		struct guest *guest = &connections->guests[i];
		if (!is_idle(guest) || guest->told > 0)
			continue;
		/* Idle times are negative: the largest is the oldest. */
		if (idlest == NULL || since(guest) > since(idlest))
			idlest = guest;
	}
	return idlest;
}

static enum welcome welcome(struct connections *connections)
{
	size_t used = connections->room - connections->spare_count;
	if (used - connections->told >= connections->options.max) {
		struct guest *idlest = find_idlest(connections);
		if (idlest == NULL)
			return WELCOME_NOT;
		tell_idle(connections, idlest);
		atomic_fetch_add(
			&connections->options.counters->idle_closed, 1);
	}
	return connections->spare_count > 0 ? WELCOME_IN : WELCOME_LATER;
}

enum welcome connections_welcome(struct connections *connections)
{
	pthread_mutex_lock(&connections->mutex);
	enum welcome answer = welcome(connections);
	pthread_mutex_unlock(&connections->mutex);
	return answer;
}

static struct guest *take_guest(struct connections *connections)
{
	if (connections->spare_count == 0)
		return NULL;
	size_t index = connections->spare[--connections->spare_count];
	if (index >= connections->high)
		connections->high = index + 1;
	return &connections->guests[index];
}

static void free_guest(struct connections *connections, struct guest *guest)
{
	assert(guest->state != GUEST_NOBODY);
	assert(guest->told == 0 || connections->told > 0);
	if (guest->told > 0)
		connections->told--;
	guest->state = GUEST_NOBODY;
	guest->told = 0;
	guest->socket = -1;
	connections->spare[connections->spare_count++] =
		(uint32_t)(guest - connections->guests);
	assert(connections->spare_count <= connections->room);
}

struct guest *connections_expect(
	struct connections *connections, int socket, int64_t now_us)
{
	pthread_mutex_lock(&connections->mutex);
	struct guest *guest = take_guest(connections);
	if (guest != NULL) {
		guest->socket = socket;
		guest->state = GUEST_EXPECTED;
		guest_idle(guest, now_us);
	}
	pthread_mutex_unlock(&connections->mutex);
	return guest;
}

void connections_forget(struct connections *connections, struct guest *guest)
{
	pthread_mutex_lock(&connections->mutex);
	if (guest->state == GUEST_EXPECTED)
		free_guest(connections, guest);
	pthread_mutex_unlock(&connections->mutex);
}

struct guest *connections_arrive(struct connections *connections, int socket)
{
	struct guest *found = NULL;
	pthread_mutex_lock(&connections->mutex);
	for (size_t i = 0; found == NULL && i < connections->high; i++) {
		struct guest *guest = &connections->guests[i];
		if (guest->state == GUEST_EXPECTED && guest->socket == socket)
			found = guest;
	}
	if (found != NULL) {
		found->state = GUEST_THERE;
		atomic_fetch_add(
			&connections->options.counters->connections, 1);
	}
	pthread_mutex_unlock(&connections->mutex);
	return found;
}

void connections_leave(struct connections *connections, struct guest *guest)
{
	pthread_mutex_lock(&connections->mutex);
	assert(guest->state == GUEST_THERE);
	free_guest(connections, guest);
	atomic_fetch_sub(&connections->options.counters->connections, 1);
	pthread_cond_signal(&connections->left);
	pthread_mutex_unlock(&connections->mutex);
}

static void sweep_guest(
	struct connections *connections, struct guest *guest, int64_t now_us)
{
	const struct connections_options *options = &connections->options;
	int64_t since_us = since(guest);
	if (guest->state == GUEST_EXPECTED) {
		if (now_us + since_us > EXPECTED_TIME_US)
			free_guest(connections, guest);
	} else if (since_us > 0) {
		if (now_us - since_us <= options->request_time_us)
			return;
		if (guest->told == 0)
			atomic_fetch_add(&options->counters->cut_off, 1);
		tell(connections, guest, SHUT_RDWR);
	} else if (guest->told > 0) {
		tell_idle(connections, guest);
	} else if (now_us + since_us > options->idle_time_us) {
		atomic_fetch_add(&options->counters->idle_closed, 1);
		tell_idle(connections, guest);
	}
}

void connections_sweep(struct connections *connections, int64_t now_us)
{
	pthread_mutex_lock(&connections->mutex);
	for (size_t i = 0; i < connections->high; i++)
		if (connections->guests[i].state != GUEST_NOBODY)
			sweep_guest(
				connections, &connections->guests[i], now_us);
	pthread_mutex_unlock(&connections->mutex);
}

/* Returns how many are still busy, or may be. */
static size_t drain_once(struct connections *connections)
{
	/* Told so often and still there: its thread does not come to it. */
	enum { TOLD_ENOUGH = 8 };
	size_t left = 0;
	for (size_t i = 0; i < connections->high; i++) {
		struct guest *guest = &connections->guests[i];
		if (guest->state != GUEST_THERE)
			continue;
		bool idle = is_idle(guest);
		if (idle && guest->told < TOLD_ENOUGH)
			tell_idle(connections, guest);
		left += !idle || guest->told < TOLD_ENOUGH;
	}
	return left;
}

void connections_drain(struct connections *connections, int64_t time_us)
{
	if (connections->room == 0)
		return;
	/* A reply that is out makes its connection idle without a signal. */
	const int64_t look_every_us = 5000;
	int64_t now_us = monotonic_us(), end_us = now_us + time_us;
	pthread_mutex_lock(&connections->mutex);
	while (drain_once(connections) > 0 && now_us < end_us) {
		struct timespec until =
			monotonic_timespec(now_us + look_every_us);
		(void)pthread_cond_timedwait(
			&connections->left, &connections->mutex, &until);
		now_us = monotonic_us();
	}
	pthread_mutex_unlock(&connections->mutex);
}
