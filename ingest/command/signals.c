#include "ingest/command/signals.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

/* A handler can reach nothing else. */
static atomic_bool stop, reload;
static sem_t stopped;

/* The second one, whichever it is, finds the default: it ends the process. */
static void on_stop(int number)
{
	(void)number;
	int saved = errno;
	struct sigaction end = {.sa_handler = SIG_DFL};
	(void)sigaction(SIGTERM, &end, NULL);
	(void)sigaction(SIGINT, &end, NULL);
	atomic_store(&stop, true);
	(void)sem_post(&stopped); /* async-signal-safe: signal-safety(7) */
	errno = saved;
}

static int handle(int number, const struct sigaction *action)
{
	return sigaction(number, action, NULL);
}

int signals_install(struct fault *fault)
{
	struct sigaction on = {
		.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigemptyset(&on.sa_mask);
	sigemptyset(&ignore.sa_mask);
	if (sem_init(&stopped, 0, 0) < 0 || handle(SIGTERM, &on) < 0 ||
		handle(SIGINT, &on) < 0 || handle(SIGPIPE, &ignore) < 0 ||
		handle(SIGXFSZ, &ignore) < 0)
		return fault_set(fault, FAULT_INTERNAL, "signal handlers: %s",
			strerror(errno));
	return 0;
}

static void on_reload(int number)
{
	(void)number;
	atomic_store(&reload, true);
}

int signals_install_reload(struct fault *fault)
{
	struct sigaction on = {
		.sa_handler = on_reload, .sa_flags = (int)SA_RESTART};
	sigemptyset(&on.sa_mask);
	return handle(SIGHUP, &on) == 0
		       ? 0
		       : fault_set(fault, FAULT_INTERNAL, "signal handlers: %s",
				 strerror(errno));
}

bool signals_reload(void)
{
	return atomic_load(&reload);
}

void signals_reload_taken(void)
{
	atomic_store(&reload, false);
}

const atomic_bool *signals_stop(void)
{
	return &stop;
}

void signals_wait(void)
{
	while (!atomic_load(&stop))
		(void)sem_wait(&stopped);
}
