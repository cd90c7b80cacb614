#include "store/terms.h"

struct terms terms_of(const struct view *view)
{
	return (struct terms){view->max_lag_us, view->ttl_us, view->when_behind,
		view->when_expired, view->when_missing};
}

struct terms terms_loosest(void)
{
	return (struct terms){LAG_ANY, TTL_FOR_EVER, CHOICE_SERVE, CHOICE_SERVE,
		CHOICE_SERVE};
}

/* Of two limits the smaller; `none` is no limit. */
static int64_t smaller(int64_t a, int64_t b, int64_t none)
{
	if (a == none)
		return b;
	return b == none || a < b ? a : b;
}

static enum choice stricter(enum choice a, enum choice b)
{
	return a > b ? a : b;
}
_Static_assert(CHOICE_SERVE < CHOICE_DEFAULT && CHOICE_DEFAULT < CHOICE_FAIL,
	"choices are in order of strictness");

struct terms terms_tighten(struct terms a, struct terms b)
{
	return (struct terms){
		smaller(a.max_lag_us, b.max_lag_us, LAG_ANY),
		smaller(a.ttl_us, b.ttl_us, TTL_FOR_EVER),
		stricter(a.when_behind, b.when_behind),
		stricter(a.when_expired, b.when_expired),
		stricter(a.when_missing, b.when_missing),
	};
}

/* Something that is wrong with a value, and what the terms say to it. */
struct trouble {
	bool there;
	enum value_status served; /* its status when it is served anyway */
	enum value_reason reason;
	enum choice choice;
};

static struct verdict settle(const struct trouble *trouble, bool has_default)
{
	enum value_status status = trouble->served;
	if (trouble->choice == CHOICE_FAIL)
		status = VALUE_REFUSED;
	else if (trouble->choice == CHOICE_DEFAULT)
		status = has_default ? VALUE_DEFAULT : VALUE_MISSING;
	return (struct verdict){status, trouble->reason};
}

struct verdict terms_judge(const struct terms *terms, enum holding holding,
	int64_t lag_us, int64_t age_us, bool has_default)
{
	const struct trouble troubles[] = {
		{holding != HOLDING_VALUE, VALUE_MISSING,
			holding == HOLDING_DELETED ? VALUE_REASON_DELETED
						   : VALUE_REASON_MISSING,
			terms->when_missing},
		{holding == HOLDING_VALUE && terms->ttl_us != TTL_FOR_EVER &&
				age_us > terms->ttl_us,
			VALUE_EXPIRED, VALUE_REASON_TTL, terms->when_expired},
		{terms->max_lag_us != LAG_ANY && lag_us > terms->max_lag_us,
			VALUE_BEHIND, VALUE_REASON_MAX_LAG, terms->when_behind},
	};
	const struct trouble *worst = NULL;
	for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++)
		if (troubles[i].there &&
			(worst == NULL || troubles[i].choice > worst->choice))
			worst = &troubles[i];
	if (worst == NULL)
		return (struct verdict){VALUE_FRESH, VALUE_REASON_NONE};
	return settle(worst, has_default);
}

struct verdict terms_hold(
	struct verdict judged, enum choice hold, bool has_default)
{
	if (hold == CHOICE_SERVE || judged.status == VALUE_REFUSED)
		return judged;
	const struct trouble trouble = {
		true, VALUE_MISSING, VALUE_REASON_HOLD, hold};
	return settle(&trouble, has_default);
}

struct verdict terms_of_backup(struct verdict judged, bool from_backup)
{
	if (!from_backup || judged.status != VALUE_FRESH)
		return judged;
	return (struct verdict){VALUE_BEHIND, VALUE_REASON_BACKUP};
}

struct value feature_default(const struct feature *feature)
{
	if (feature->default_value.state != VALUE_UNSET ||
		feature->merge != MERGE_SUM)
		return feature->default_value;
	return (struct value){.state = VALUE_SET, .as.integer = 0};
}

const char *value_status_name(enum value_status status)
{
	static const char *const names[VALUE_STATUS_COUNT] = {
		[VALUE_FRESH] = "fresh",
		[VALUE_BEHIND] = "behind",
		[VALUE_EXPIRED] = "expired",
		[VALUE_DEFAULT] = "default",
		[VALUE_MISSING] = "missing",
		[VALUE_REFUSED] = "refused",
	};
	return names[status];
}

const char *value_reason_name(enum value_reason reason)
{
	static const char *const names[VALUE_REASON_COUNT] = {
		[VALUE_REASON_NONE] = "",
		[VALUE_REASON_MISSING] = "missing",
		[VALUE_REASON_DELETED] = "deleted",
		[VALUE_REASON_TTL] = "ttl",
		[VALUE_REASON_MAX_LAG] = "max_lag",
		[VALUE_REASON_HOLD] = "hold",
		[VALUE_REASON_BACKUP] = "backup",
	};
	return names[reason];
}
