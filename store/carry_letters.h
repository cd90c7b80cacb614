/*
 * Letters on their way from one generation to another: what the parts of that
 * share. Internal to store/.
 */
#ifndef HOLDFAST_STORE_CARRY_LETTERS_H
#define HOLDFAST_STORE_CARRY_LETTERS_H

#include "store/carry.h"
#include "store/letter.h"

struct slot {
	int64_t id;   /* in its own generation */
	int64_t peer; /* in the other one; 0: it has no such letter */
	int64_t log;  /* the live one's: its id there; else here */
	int64_t offset, acknowledged_us, attempts, due_us;
	int64_t new_id; /* of a built one */
	uint32_t place;
	bool of_other_view; /* than carry->view: it is none there */
	bool has_key;
	unsigned char key[KEY_BYTES];
};

struct slots {
	struct slot *items;
	size_t count, capacity;
};

struct letter_carry {
	struct carry *carry;
	enum letter_kind kind;
	struct slots live, built; /* by id */
	sqlite3_stmt *by_place, *by_key;
};

/* A built one, in the carry's arena. Errors: FAULT_CORRUPT (it is gone), as
 * sql_fault(), FAULT_OOM. */
int carry_letter_get(struct letter_carry *letters, const struct slot *built,
	struct letter *out, struct fault *fault);

/* Its accounts, as they are in memory. Errors: as partition_update(). */
int carry_write_partition(struct store *store,
	const struct store_partition *partition, struct fault *fault);

/*
 * With the letters paired: those without a peer that the live one let go leave
 * here, too, the oldest first, as they were seen. Where they may as well have
 * been taken up, they stay, since what that changed is not here: rather a
 * letter too many. Errors: as sql_fault(), FAULT_OOM.
 */
int carry_cleared(struct letter_carry *letters, struct fault *fault);

#endif
