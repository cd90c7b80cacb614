#include "store/generation_state.h"

#include <string.h>

#define META_STATE "state"
#define META_PEER "peer"

/* As `_meta` holds them, and as people read them. */
static const char *const names[] = {
	[GENERATION_LIVE] = "live",
	[GENERATION_BUILDING] = "building",
	[GENERATION_COMPLETE] = "complete",
	[GENERATION_READY] = "ready",
	[GENERATION_SEALED] = "sealed",
};
#define NAMES (sizeof names / sizeof names[0])

const char *generation_state_name(enum generation_state state)
{
	return names[state];
}

int generation_note(sqlite3 *db, enum generation_state state, const char *peer,
	struct fault *fault)
{
	struct column value = column_text(slice_of(names[state]));
	int rc = meta_put(db, META_STATE, &value, fault);
	value = column_text(slice_of(peer));
	return rc < 0 ? rc : meta_put(db, META_PEER, &value, fault);
}

int generation_read(sqlite3 *db, enum generation_state *state,
	const char **peer, struct arena *arena, struct fault *fault)
{
	const char *name;
	*state = GENERATION_LIVE;
	*peer = "";
	int rc = meta_get_text(db, META_STATE, &name, arena, fault);
	if (rc < 0 || name[0] == '\0')
		return rc;
	for (size_t i = 0; i < NAMES; i++)
		if (strcmp(names[i], name) == 0) {
			*state = (enum generation_state)i;
			return meta_get_text(db, META_PEER, peer, arena, fault);
		}
	return fault_set(fault, FAULT_CORRUPT,
		"table _meta: a generation is not \"%s\"", name);
}

int generation_look_prepare(
	sqlite3 *db, sqlite3_stmt **out, struct fault *fault)
{
	return sql_prepare(db, out,
		"SELECT (SELECT value FROM _meta WHERE name = '" META_STATE
		"'), (SELECT value FROM _meta WHERE name = '" META_EDITION "')",
		fault);
}

int generation_look(sqlite3_stmt *statement, struct generation_look *out,
	struct fault *fault)
{
	int rc = sql_step(statement, fault);
	const char *state =
		rc == 1 ? (const char *)sqlite3_column_text(statement, 0)
			: NULL;
	/* Also once it is sealed no longer: it may be built on, or be on its
	 * way back. */
	out->sealed = state != NULL && state[0] != '\0' &&
		      strcmp(state, names[GENERATION_LIVE]) != 0;
	out->edition = rc == 1 ? sqlite3_column_int64(statement, 1) : 0;
	sqlite3_reset(statement);
	return rc < 0 ? rc : 0;
}
