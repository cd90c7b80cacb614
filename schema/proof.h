/*
 * Proof: what a store holds of an update that its log brings again. Pure.
 *
 * Nothing is known here but the update as it decodes now, and what the store
 * says: how far the log is taken, letters, the holder of the key, the row.
 * Where a key is held, its update is proven; beyond the key window the row
 * alone speaks, and says less. Source: design sections 4, 5, 6 and 9.
 */
#ifndef HOLDFAST_SCHEMA_PROOF_H
#define HOLDFAST_SCHEMA_PROOF_H

#include "schema/row.h"
#include "schema/update.h"

enum proof_answer {
	PROOF_APPLIED,	  /* it is in the row, or contributed to it */
	PROOF_SUPERSEDED, /* the row is newer in all that it sets */
	PROOF_DUPLICATE,  /* a copy of it holds the key */
	PROOF_PARKED,	  /* it waits */
	PROOF_DEAD,	  /* it is a dead letter, or one that was cleared */
	PROOF_HELD,	  /* beyond the key window: the row has it, or newer */
	PROOF_AHEAD,	  /* not taken yet */
	PROOF_MISSING,	  /* it should be there and is not */
	PROOF_UNPROVEN,	  /* it is not there, and need not be: what would tell
			     is gone */
	PROOF_ANSWER_COUNT
};

enum proof_why {
	PROOF_WHY_IN_ROW,      /* applied: its coordinates are */
	PROOF_WHY_CONTRIBUTED, /* applied: its key is held, nothing newer than
				  it cut its contribution off */
	PROOF_WHY_NEWER,       /* superseded: by newer features */
	PROOF_WHY_DELETED,     /* superseded: by a newer delete or replace */
	PROOF_WHY_NOTHING,     /* superseded: it sets nothing of the view's */
	PROOF_WHY_COPY,
	PROOF_WHY_LETTER,
	PROOF_WHY_CLEARED, /* dead: cleared letters are counted */
	PROOF_WHY_OLD,	   /* held: by versions alone */
	PROOF_WHY_OLD_SUM, /* held, and of sums nothing more can be proven */
	PROOF_WHY_SETTING, /* held: taken under a schema or setting by which it
			      was valid */
	PROOF_WHY_NOT_YET,
	/* missing */
	PROOF_WHY_NO_KEY,
	PROOF_WHY_NO_LETTER,
	PROOF_WHY_NO_ROW,
	PROOF_WHY_OLDER,       /* a feature is older, or unset */
	PROOF_WHY_OTHER_VALUE, /* a feature has its version, and another value
				*/
	PROOF_WHY_OLDER_FLOOR,
	PROOF_WHY_DAMAGED, /* the row can't be read */
	/* unproven */
	PROOF_WHY_FORGOTTEN, /* older than deletes that were forgotten */
	PROOF_WHY_FORCED,    /* a letter of a reused key may have been forced */
	PROOF_WHY_SCHEMA,    /* taken under a schema that made another update of
				it, or none: for the caller to see */
	PROOF_WHY_COUNT
};

/* "applied"; one sentence for people. */
const char *proof_answer_name(enum proof_answer answer);
const char *proof_why_text(enum proof_why why);

/* False: there is no answer of that name. */
bool proof_answer_parse(struct slice name, enum proof_answer *out);

enum proof_holder { HOLDER_NONE, HOLDER_ITSELF, HOLDER_OTHER };

struct proof_evidence {
	bool taken; /* its offset is below next_offset */
	enum { PROOF_NO_LETTER, PROOF_LETTER_DEAD, PROOF_LETTER_PARKED } letter;

	bool copy_letter; /* a dead letter of its key, another update's */

	enum proof_holder holder; /* of its key */
	bool holder_has_letter;	  /* parked or dead: counts as long as that */
	bool holder_dead;
	bool same_content; /* HOLDER_OTHER: as the update */
	bool in_window;	   /* HOLDER_OTHER: record times are that close */
	bool holder_first; /* HOLDER_OTHER: of the same log, and before it */
	bool key_stays;	   /* too young for its own key to have been let go */
	bool all_stay;	   /* no key was let go yet, a copy's neither */
	bool cleared;	   /* some cleared letter is not accounted for yet */
	bool forced;	   /* some letter of a reused key was retried */
	/* Deletes older than this were forgotten; TIMESTAMP_NONE: none. */
	int64_t forgotten_before_us;

	const struct row *row; /* of a valid update; NULL: damaged */
	/* A copy of it may have an event time so much older: that of its own
	 * record, where the event has none. */
	int64_t copy_span_us;
};

struct proof {
	enum proof_answer answer;
	enum proof_why why;
	size_t feature; /* OLDER, OTHER_VALUE: which one of the view's */
};

struct proof proof_judge(const struct update *update,
	const struct version *version, const struct proof_evidence *evidence);

#endif
