/* A VFS over SQLite's own, whose calls fail when a shortage says so. */
#ifndef HOLDFAST_TESTS_WALK_SHORTAGE_DISK_H
#define HOLDFAST_TESTS_WALK_SHORTAGE_DISK_H

/* It becomes the default. */
void shortage_disk_install(void);

#endif
