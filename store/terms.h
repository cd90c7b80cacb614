/*
 * Terms: what to answer when the pipeline is behind, a value is old, or there
 * is none. Pure decisions; the clock is the caller's.
 *
 * Two clocks, never mixed. Lag: how far the pipeline is behind. Age: of a
 * value, now minus its event time. A view declares its terms, a request may
 * tighten them and nothing else. Source: design section 7.
 */
#ifndef HOLDFAST_STORE_TERMS_H
#define HOLDFAST_STORE_TERMS_H

#include "schema/schema.h"

#define LAG_ANY (-1)
#define LAG_UNKNOWN                                                            \
	INT64_MAX /* something that feeds the view was never read              \
		   */
#define TTL_FOR_EVER 0

struct terms {
	int64_t max_lag_us; /* LAG_ANY: no limit */
	int64_t ttl_us;	    /* TTL_FOR_EVER: no limit */
	enum choice when_behind, when_expired, when_missing;
};

/* What the view declares. */
struct terms terms_of(const struct view *view);

/* Terms that tighten nothing. */
struct terms terms_loosest(void);

/* Member by member the tighter one: the smaller limit, and of the choices
 * fail before default before serve. */
struct terms terms_tighten(struct terms a, struct terms b);

/* What the store holds of a feature. A null is a value. */
enum holding { HOLDING_NOTHING, HOLDING_DELETED, HOLDING_VALUE };

enum value_status {
	VALUE_FRESH,
	VALUE_BEHIND,  /* the stored value, while the pipeline is behind */
	VALUE_EXPIRED, /* the stored value, older than its ttl */
	VALUE_DEFAULT, /* the schema's default in place of a stored value */
	VALUE_MISSING, /* there is none, and no default: null */
	VALUE_REFUSED, /* the terms say `fail`: no value */
	VALUE_STATUS_COUNT
};

/* Why a value is not plainly fresh. */
enum value_reason {
	VALUE_REASON_NONE,
	VALUE_REASON_MISSING, /* never set, or the entity is unknown */
	VALUE_REASON_DELETED, /* the entity was deleted */
	VALUE_REASON_TTL,     /* older than the ttl */
	VALUE_REASON_MAX_LAG, /* the lag is beyond max_lag */
	VALUE_REASON_HOLD,    /* an operator holds it back */
	VALUE_REASON_BACKUP,  /* the store can't be read: of a backup */
	VALUE_REASON_COUNT
};

struct verdict {
	enum value_status status;
	enum value_reason reason;
};

/*
 * Judge one feature. Where several things are wrong the strictest choice
 * decides, and among equals: missing, expired, behind. `has_default` says
 * whether `default` can be followed; without one the value is MISSING, with the
 * reason that led there. age_us counts for HOLDING_VALUE only.
 */
struct verdict terms_judge(const struct terms *terms, enum holding holding,
	int64_t lag_us, int64_t age_us, bool has_default);

/* The verdict while an operator holds the feature back by `hold`; SERVE: nobody
 * does. What is refused anyway stays so, for its own reason. */
struct verdict terms_hold(
	struct verdict judged, enum choice hold, bool has_default);

/* The verdict on a value that comes from a backup: never fresh, whatever lag
 * the terms allow. */
struct verdict terms_of_backup(struct verdict judged, bool from_backup);

/* What stands in for a value: the declared default; of a sum, which is 0 while
 * nothing contributed, that; else VALUE_UNSET. */
struct value feature_default(const struct feature *feature);

/* "fresh", "max_lag"; the one spelling for replies, metrics and the command
 * line. VALUE_REASON_NONE: "". */
const char *value_status_name(enum value_status status);
const char *value_reason_name(enum value_reason reason);

#endif
