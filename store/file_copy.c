#include "store/file_copy.h"

#include <stdlib.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)1024 * 1024)

static int put(int to, const char *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t written = write(to, bytes + done, length - done);
		if (written < 0)
			return -1;
		done += (size_t)written;
	}
	return 0;
}

int file_copy(int from, int to)
{
	char *piece = malloc(PIECE_BYTES);
	ssize_t got = piece == NULL ? -1 : 1;
	int rc = piece == NULL ? -1 : 0;
	while (rc == 0 && got > 0) {
		got = read(from, piece, PIECE_BYTES);
		rc = got < 0 ? -1 : put(to, piece, (size_t)got);
	}
	free(piece);
	return rc;
}
