/*
 * Letters, as readers see them: dead and parked updates, with the records that
 * they came in.
 */
#ifndef HOLDFAST_STORE_LETTER_LIST_H
#define HOLDFAST_STORE_LETTER_LIST_H

#include "store/letter.h"
#include "store/reader.h"

/* Which letters: those that fit all of it. */
struct letter_filter {
	enum letter_kind kind;
	enum reason reason; /* REASON_NONE: any */
	const char *view;   /* as the event named it; NULL: any */
	const char *topic;  /* NULL: any */
	/* Record timestamps from `since_us` to before `until_us`;
	 * TIMESTAMP_NONE: no such limit. */
	int64_t since_us, until_us;
	const int64_t *ids; /* ids[0..id_count); none: any */
	size_t id_count;
	int64_t after_id; /* only greater ids: where the last page ended; 0 */
};

#define LETTER_PAGE_MAX 1000
#define LETTER_PAGE_BYTES ((size_t)16 << 20)

/*
 * A page of letters by id, letters[0..result), in `arena`; at most `max`, which
 * is no more than LETTER_PAGE_MAX, and fewer where they take LETTER_PAGE_BYTES.
 * 0: there are no more. Each page is a snapshot of its own, so that who reads
 * page by page never holds the writer's WAL back.
 * Errors: as reader_get().
 */
int reader_letters(struct reader *reader, const struct letter_filter *filter,
	struct arena *arena, struct letter_whole *letters, size_t max,
	struct fault *fault);

/* How far dead letters were exported (store_note_export()); 0: none were.
 * Errors: as reader_get(). */
int reader_exported(
	struct reader *reader, int64_t *out_id, struct fault *fault);

#endif
