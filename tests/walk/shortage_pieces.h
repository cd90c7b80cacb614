/*
 * What the rooms ask an arena for: pieces of blocks, so that where memory is
 * short most requests never meet it. A request counts where it is the first of
 * its place in the code.
 */
#ifndef HOLDFAST_TESTS_WALK_SHORTAGE_PIECES_H
#define HOLDFAST_TESTS_WALK_SHORTAGE_PIECES_H

/* From here on each place is new again. */
void shortage_pieces_forget(void);

#endif
