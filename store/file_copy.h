/* Copying a file that nobody has open as a database. */
#ifndef HOLDFAST_STORE_FILE_COPY_H
#define HOLDFAST_STORE_FILE_COPY_H

/* What stands in `from` behind its position, to `to`; nothing is synced.
 * 0, or -1 and errno. */
int file_copy(int from, int to);

#endif
