/*
 * Failpoints: named places where tests make the process die.
 *
 * A link seam: programs for users link store/failpoint_off.c, which does
 * nothing; tests link tests/lib/failpoint.c, which obeys
 * HOLDFAST_FAILPOINT=name:hit and kills the process at that hit, or stops it.
 */
#ifndef HOLDFAST_STORE_FAILPOINT_H
#define HOLDFAST_STORE_FAILPOINT_H

void failpoint(const char *name);

#endif
