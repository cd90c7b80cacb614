/*
 * Failpoints that obey: HOLDFAST_FAILPOINT=name:hit kills the process, as
 * SIGKILL does, when it passes failpoint(name) for the hit-th time;
 * name:hit:stop stops it there, as SIGSTOP does.
 */
#include "store/failpoint.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Passes so far; any thread may pass. */
static atomic_long passed;

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
	assert(*end == '\0' || strcmp(end, ":stop") == 0);
	/* raise(): this thread does not get past here. */
	if (atomic_fetch_add(&passed, 1) + 1 == hit)
		(void)raise(*end == '\0' ? SIGKILL : SIGSTOP);
}
