#include "schema/proof.h"

static const char *const answers[] = {
	[PROOF_APPLIED] = "applied",
	[PROOF_SUPERSEDED] = "superseded",
	[PROOF_DUPLICATE] = "duplicate",
	[PROOF_PARKED] = "parked",
	[PROOF_DEAD] = "dead",
	[PROOF_HELD] = "held",
	[PROOF_AHEAD] = "ahead",
	[PROOF_MISSING] = "missing",
	[PROOF_UNPROVEN] = "unproven",
};

static const char *const texts[] = {
	[PROOF_WHY_IN_ROW] = "the row carries it",
	[PROOF_WHY_CONTRIBUTED] = "it contributed, and its key is held",
	[PROOF_WHY_NEWER] = "newer updates set all that it sets",
	[PROOF_WHY_DELETED] = "the entity was deleted or replaced by a newer "
			      "update",
	[PROOF_WHY_NOTHING] = "it sets nothing that the view has",
	[PROOF_WHY_COPY] = "another update of the same key and content was "
			   "taken",
	[PROOF_WHY_LETTER] = "its letter is there",
	[PROOF_WHY_CLEARED] = "it can't be applied, and so many letters were "
			      "cleared",
	[PROOF_WHY_OLD] = "older than the key window: this, a copy or "
			  "something newer was merged",
	[PROOF_WHY_OLD_SUM] = "older than the key window: this or something "
			      "newer was merged, and of a sum nothing more can "
			      "be proven",
	[PROOF_WHY_SETTING] = "its key is held, and under the present schema "
			      "and settings it would be refused",
	[PROOF_WHY_NOT_YET] = "not taken yet",
	[PROOF_WHY_NO_KEY] = "its key is not in the key window, and is too "
			     "young to have been let go",
	[PROOF_WHY_NO_LETTER] = "it can't be applied, and there is no letter "
				"of it",
	[PROOF_WHY_NO_ROW] = "the entity has no row",
	[PROOF_WHY_OLDER] = "the feature is unset or older than the event",
	[PROOF_WHY_OTHER_VALUE] = "the feature has its version, and another "
				  "value",
	[PROOF_WHY_OLDER_FLOOR] = "the entity has no floor as new as this "
				  "delete",
	[PROOF_WHY_DAMAGED] = "the row is damaged",
	[PROOF_WHY_FORGOTTEN] = "it is not in the row, and may have been "
				"deleted: deletes of its time were forgotten",
	[PROOF_WHY_FORCED] = "its key is another event's, and letters of such "
			     "were retried by force: this may be one",
	[PROOF_WHY_SCHEMA] = "it was taken under a schema that made another "
			     "update of it, or none",
};

const char *proof_answer_name(enum proof_answer answer)
{
	return answers[answer];
}

const char *proof_why_text(enum proof_why why)
{
	return texts[why];
}

bool proof_answer_parse(struct slice name, enum proof_answer *out)
{
	for (int i = 0; i < PROOF_ANSWER_COUNT; i++)
		if (slice_equal(name, slice_of(answers[i]))) {
			*out = (enum proof_answer)i;
			return true;
		}
	return false;
}

/* An update, and what is asked of its row. */
struct question {
	const struct update *update;
	const struct version *version;
	const struct row *row;
	bool strict; /* its key is held: the row must be as new as itself */
	int64_t copy_span_us;
};

static struct proof proof_of(enum proof_answer answer, enum proof_why why)
{
	return (struct proof){.answer = answer, .why = why};
}

static struct proof missing(enum proof_why why, size_t feature)
{
	return (struct proof){PROOF_MISSING, why, feature};
}

/* Sums have no way to say that a contribution is in. */
static bool has_sum(const struct update *update)
{
	for (size_t i = 0; i < update->assignment_count; i++) {
		size_t feature = update->assignments[i].feature;
		if (update->view->features[feature].merge == MERGE_SUM)
			return true;
	}
	return false;
}

static struct proof held(const struct question *question)
{
	return proof_of(PROOF_HELD,
		has_sum(question->update) ? PROOF_WHY_OLD_SUM : PROOF_WHY_OLD);
}

/* Is `there` as new as the update, or of a copy of it that came first? */
static bool covers(const struct question *question, const struct version *there)
{
	if (version_compare(there, question->version) >= 0)
		return true;
	return !question->strict &&
	       question->version->event_us - there->event_us <=
		       question->copy_span_us;
}

/* Minima and maxima can't be beyond what was contributed; to what was newer
 * than it, a replace did not contribute. */
static bool is_bounded(const struct question *question,
	const struct feature *feature, const struct cell *cell,
	const struct value *given)
{
	int order = value_compare(feature->type.kind, &cell->value, given);
	if (question->update->operation == OPERATION_REPLACE &&
		version_compare(&cell->version, question->version) > 0)
		return true;
	if (feature->merge == MERGE_MIN)
		return order <= 0;
	return feature->merge != MERGE_MAX || order >= 0;
}

/* Is the assignment in the cell, or something newer? PROOF_MISSING where not,
 * PROOF_APPLIED: it itself, PROOF_SUPERSEDED: newer. */
static struct proof judge_cell(
	const struct question *question, const struct assignment *given)
{
	const struct feature *feature =
		&question->update->view->features[given->feature];
	const struct cell *cell = &question->row->cells[given->feature];
	if (cell->value.state == VALUE_UNSET ||
		!covers(question, &cell->version))
		return missing(PROOF_WHY_OLDER, given->feature);
	int order = version_compare(&cell->version, question->version);
	if (feature->merge != MERGE_LAST) {
		if (!is_bounded(question, feature, cell, &given->value))
			return missing(PROOF_WHY_OTHER_VALUE, given->feature);
		if (order == 0)
			return proof_of(PROOF_APPLIED, PROOF_WHY_IN_ROW);
		return proof_of(PROOF_APPLIED, PROOF_WHY_CONTRIBUTED);
	}
	/* Older by its coordinates alone: a copy, or what was newer than it. */
	if (order != 0)
		return proof_of(PROOF_SUPERSEDED, PROOF_WHY_NEWER);
	if (!value_equal(feature->type.kind, &cell->value, &given->value))
		return missing(PROOF_WHY_OTHER_VALUE, given->feature);
	return proof_of(PROOF_APPLIED, PROOF_WHY_IN_ROW);
}

/* The best that one of its features proves; or the first that is missing. */
static struct proof judge_cells(const struct question *question)
{
	const struct update *update = question->update;
	struct proof best = proof_of(PROOF_SUPERSEDED, PROOF_WHY_NEWER);
	if (update->assignment_count == 0)
		best.why = PROOF_WHY_NOTHING;
	for (size_t i = 0; i < update->assignment_count; i++) {
		struct proof one =
			judge_cell(question, &update->assignments[i]);
		if (one.answer == PROOF_MISSING)
			return one;
		if (one.why < best.why)
			best = one;
	}
	return best;
}

/* Without its key, only its own coordinates prove more than `held`. */
static struct proof weaken(const struct question *question, struct proof proof)
{
	if (question->strict || proof.answer == PROOF_MISSING ||
		proof.why == PROOF_WHY_IN_ROW)
		return proof;
	return held(question);
}

static struct proof judge_upsert(const struct question *question)
{
	const struct row *row = question->row;
	const struct version *version = question->version;
	if (question->update->assignment_count > 0 && row->has_floor &&
		(version_compare(&row->floor, version) > 0 ||
			(!question->strict && covers(question, &row->floor))))
		return weaken(question,
			proof_of(PROOF_SUPERSEDED, PROOF_WHY_DELETED));
	struct proof proof = judge_cells(question);
	if (proof.answer == PROOF_MISSING && !row->has_floor &&
		!row_is_present(question->update->view, row))
		return missing(PROOF_WHY_NO_ROW, 0);
	return weaken(question, proof);
}

/* Deletes, and replaces, which are one with an upsert behind it. */
static struct proof judge_delete(const struct question *question)
{
	const struct row *row = question->row;
	if (!row->has_floor || !covers(question, &row->floor))
		return missing(PROOF_WHY_OLDER_FLOOR, 0);
	int order = version_compare(&row->floor, question->version);
	if (order != 0)
		return weaken(question,
			proof_of(PROOF_SUPERSEDED, PROOF_WHY_DELETED));
	struct proof proof = judge_cells(question);
	return proof.answer == PROOF_MISSING
		       ? proof
		       : proof_of(PROOF_APPLIED, PROOF_WHY_IN_ROW);
}

static struct proof judge_row(const struct update *update,
	const struct version *version, const struct proof_evidence *evidence)
{
	struct question question = {update, version, evidence->row,
		evidence->holder == HOLDER_ITSELF, evidence->copy_span_us};
	if (evidence->row == NULL)
		return missing(PROOF_WHY_DAMAGED, 0);
	return update->operation == OPERATION_UPSERT ? judge_upsert(&question)
						     : judge_delete(&question);
}

/* Does the holder's key count against the update? */
static bool counts(const struct proof_evidence *evidence)
{
	return evidence->holder_has_letter || evidence->in_window;
}

/* A refusal leaves a letter, until that is cleared. */
static struct proof refused(const struct proof_evidence *evidence)
{
	return evidence->cleared ? proof_of(PROOF_DEAD, PROOF_WHY_CLEARED)
				 : missing(PROOF_WHY_NO_LETTER, 0);
}

/* Nobody holds the key, or one that the update would have taken it from. */
static bool should_hold(const struct proof_evidence *evidence)
{
	if (evidence->holder == HOLDER_NONE)
		return evidence->key_stays;
	return evidence->key_stays && evidence->holder_first &&
	       (!counts(evidence) ||
		       (evidence->holder_dead && !evidence->same_content));
}

/* Its key was reused, which is dead; unless somebody retried it with force. */
static struct proof judge_reused(const struct update *update,
	const struct version *version, const struct proof_evidence *evidence)
{
	struct proof proof = judge_row(update, version, evidence);
	if (proof.why == PROOF_WHY_IN_ROW)
		return proof;
	/* No letter that was cleared is spent on what may have been forced. */
	return evidence->forced ? proof_of(PROOF_UNPROVEN, PROOF_WHY_FORCED)
				: refused(evidence);
}

/* A copy holds the key: one that came later may have taken it over, from this
 * or from one in between. */
static struct proof judge_copy(const struct update *update,
	const struct version *version, const struct proof_evidence *evidence)
{
	struct proof copy = proof_of(PROOF_DUPLICATE, PROOF_WHY_COPY);
	if (evidence->holder_first || update->reason != REASON_NONE)
		return copy;
	struct proof proof = judge_row(update, version, evidence);
	return proof.why == PROOF_WHY_IN_ROW ? proof : copy;
}

/* It has no key, and would have one if it had been taken. But that of a copy
 * before it may have been let go already. */
static struct proof judge_keyless(const struct update *update,
	const struct proof_evidence *evidence, struct proof proof)
{
	if (!evidence->all_stay && proof.why != PROOF_WHY_IN_ROW)
		return proof;
	/* What overflowed and was cleared gave its key back. */
	if (evidence->cleared && has_sum(update))
		return proof_of(PROOF_DEAD, PROOF_WHY_CLEARED);
	return missing(PROOF_WHY_NO_KEY, 0);
}

/* No letter, and the key is not its own. */
static struct proof judge_unheld(const struct update *update,
	const struct version *version, const struct proof_evidence *evidence)
{
	bool other = evidence->holder == HOLDER_OTHER && counts(evidence);
	if (other && evidence->same_content)
		return judge_copy(update, version, evidence);
	if (update->reason != REASON_NONE)
		return refused(evidence);
	if (other && evidence->holder_first && !evidence->holder_dead)
		return judge_reused(update, version, evidence);
	struct proof proof = judge_row(update, version, evidence);
	return should_hold(evidence) ? judge_keyless(update, evidence, proof)
				     : proof;
}

/* Of an accumulated value a delete that was forgotten may have cut it off. */
static bool may_be_deleted(
	const struct update *update, const struct proof *proof)
{
	switch (proof->why) {
	case PROOF_WHY_NO_ROW:
	case PROOF_WHY_OLDER:
	case PROOF_WHY_OLDER_FLOOR:
		return true;
	case PROOF_WHY_OTHER_VALUE:
		return update->view->features[proof->feature].merge !=
		       MERGE_LAST;
	default:
		return false;
	}
}

/* What is missing, and need not be there. */
static struct proof doubt(const struct update *update, struct proof proof,
	const struct proof_evidence *evidence)
{
	if (proof.answer != PROOF_MISSING || update->reason != REASON_NONE)
		return proof;
	if (update->event_us < evidence->forgotten_before_us &&
		may_be_deleted(update, &proof))
		return proof_of(PROOF_UNPROVEN, PROOF_WHY_FORGOTTEN);
	return proof;
}

static struct proof judge(const struct update *update,
	const struct version *version, const struct proof_evidence *evidence)
{
	if (!evidence->taken)
		return proof_of(PROOF_AHEAD, PROOF_WHY_NOT_YET);
	if (evidence->letter == PROOF_LETTER_PARKED)
		return proof_of(PROOF_PARKED, PROOF_WHY_LETTER);
	if (evidence->letter == PROOF_LETTER_DEAD)
		return proof_of(PROOF_DEAD, PROOF_WHY_LETTER);
	if (evidence->holder != HOLDER_ITSELF) {
		struct proof proof = judge_unheld(update, version, evidence);
		/* A copy of what can't be applied has no letter, also when
		 * another event took the key since. */
		return proof.answer == PROOF_MISSING && evidence->copy_letter
			       ? proof_of(PROOF_DUPLICATE, PROOF_WHY_COPY)
			       : proof;
	}
	if (evidence->holder_has_letter)
		return missing(PROOF_WHY_NO_LETTER, 0);
	if (update->reason != REASON_NONE)
		return proof_of(PROOF_HELD, PROOF_WHY_SETTING);
	return judge_row(update, version, evidence);
}

struct proof proof_judge(const struct update *update,
	const struct version *version, const struct proof_evidence *evidence)
{
	return doubt(update, judge(update, version, evidence), evidence);
}
