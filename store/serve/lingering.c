#include "store/serve/lingering.h"

#include <sys/socket.h>
#include <unistd.h>

void lingering_init(struct lingering *lingering)
{
	*lingering = (struct lingering){0};
	pthread_mutex_init(&lingering->mutex, NULL);
}

static void close_oldest(struct lingering *lingering)
{
	close(lingering->sockets[lingering->first].socket);
	lingering->first = (lingering->first + 1) % LINGERING_MAX;
	lingering->count--;
}

void lingering_finish(struct lingering *lingering)
{
	while (lingering->count > 0)
		close_oldest(lingering);
	pthread_mutex_destroy(&lingering->mutex);
}

void lingering_add(struct lingering *lingering, int socket, int64_t now_us)
{
	if (socket < 0)
		return;
	(void)shutdown(socket, SHUT_WR);
	pthread_mutex_lock(&lingering->mutex);
	if (lingering->count == LINGERING_MAX)
		close_oldest(lingering);
	size_t last = (lingering->first + lingering->count) % LINGERING_MAX;
	lingering->sockets[last].socket = socket;
	lingering->sockets[last].due_us = now_us + LINGERING_TIME_US;
	lingering->count++;
	pthread_mutex_unlock(&lingering->mutex);
}

size_t lingering_sweep(struct lingering *lingering, int64_t now_us)
{
	pthread_mutex_lock(&lingering->mutex);
	while (lingering->count > 0 &&
		lingering->sockets[lingering->first].due_us <= now_us)
		close_oldest(lingering);
	size_t left = lingering->count;
	pthread_mutex_unlock(&lingering->mutex);
	return left;
}
