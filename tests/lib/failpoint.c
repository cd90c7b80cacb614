/*
 * Failpoints that obey: HOLDFAST_FAILPOINT=name:hit kills the process, as
 * SIGKILL does, when it passes failpoint(name) for the hit-th time;
 * name:hit:stop stops it there, as SIGSTOP does; name:hit:/path/of/a/fifo holds
 * the one thread there, until who opened the FIFO for writing closes it:
 * opening it awaits the thread.
 */
#include "store/failpoint.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Passes so far; any thread may pass. */
static atomic_long passed;

static void hold(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert(fd >= 0);
	while (read(fd, &byte, 1) != 0)
		;
	close(fd);
}

/* raise(): this thread does not get past here. */
static void obey(const char *what)
{
	if (strcmp(what, "") == 0) {
		(void)raise(SIGKILL);
	} else if (strcmp(what, ":stop") == 0) {
		(void)raise(SIGSTOP);
	} else {
		assert(strncmp(what, ":/", 2) == 0);
		hold(what + 1);
	}
}

void failpoint(const char *name)
{
	const char *order = getenv("HOLDFAST_FAILPOINT");
	if (order == NULL)
		return;
	size_t length = strcspn(order, ":");
	if (strlen(name) != length || strncmp(name, order, length) != 0)
		return;
	/* A test that writes it wrongly should fail, not run unharmed. */
	assert(order[length] == ':');
	char *end = NULL;
	long hit = strtol(order + length + 1, &end, 10);
	assert(hit > 0);
	if (atomic_fetch_add(&passed, 1) + 1 == hit)
		obey(end);
}
