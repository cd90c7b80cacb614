/*
 * Letters that left the store: nothing of them is there but how many they were.
 * Each explains one update that its log brings again, and the copies of that.
 * Internal to store/, but for struct trace_spent.
 */
#ifndef HOLDFAST_STORE_TRACE_CLEARED_H
#define HOLDFAST_STORE_TRACE_CLEARED_H

#include "schema/decode.h"
#include "schema/proof.h"
#include "store/key_map.h"
#include "store/trace.h"

struct trace_cleared {
	int64_t letters; /* that there are, as of the snapshot */
	int64_t used;	 /* of them */
	struct key_map keys;
	uint64_t last; /* key of the update explained last; 0: it had none */
};

/* Is there one for this update? */
bool trace_cleared_explains(
	const struct trace_cleared *cleared, const struct update *update);

/* `proof` was given since there is: one is used, or the update is a copy.
 * Errors: FAULT_OOM. */
int trace_cleared_settle(struct trace_cleared *cleared,
	const struct update *update, struct proof *proof, struct fault *fault);

/* The last that was used is free again. */
void trace_cleared_give_back(struct trace_cleared *cleared);

/* As trace_spent(), trace_spend(). */
int trace_cleared_spent(const struct trace_cleared *cleared,
	struct trace_spent *out, struct fault *fault);
int trace_cleared_spend(struct trace_cleared *cleared,
	const struct trace_spent *spent, struct fault *fault);

void trace_cleared_finish(struct trace_cleared *cleared);

#endif
