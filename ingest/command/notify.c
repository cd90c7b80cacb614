#include "ingest/command/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The socket's address from $NOTIFY_SOCKET: a path, or @ and an abstract name.
 * 0: there is none, or none of these. */
static socklen_t address_of(const char *name, struct sockaddr_un *out)
{
	size_t length = name == NULL ? 0 : strlen(name);
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (length < 2 || length >= sizeof out->sun_path ||
		(name[0] != '/' && name[0] != '@'))
		return 0;
	memcpy(out->sun_path, name, length);
	if (name[0] == '@')
		out->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

static void notify(const char *state)
{
	struct sockaddr_un address;
	socklen_t length = address_of(getenv("NOTIFY_SOCKET"), &address);
	if (length == 0)
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(const struct sockaddr *)&address, length);
	(void)close(fd);
}

void notify_ready(void)
{
	notify("READY=1");
}

void notify_stopping(void)
{
	notify("STOPPING=1");
}
