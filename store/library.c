/* libholdfast: the store, opened and kept open on what is live. */
#include "store/library_inside.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A switched generation or a replaced store is seen this soon; the look costs
 * two system calls. */
#define CHECK_EVERY_US INT64_C(1000000)

_Static_assert(HOLDFAST_ERROR_MEMORY == (int)FAULT_OOM &&
		       HOLDFAST_ERROR_USAGE == (int)FAULT_USAGE &&
		       HOLDFAST_ERROR_IO == (int)FAULT_IO &&
		       HOLDFAST_ERROR_FULL == (int)FAULT_FULL &&
		       HOLDFAST_ERROR_BUSY == (int)FAULT_BUSY &&
		       HOLDFAST_ERROR_CORRUPT == (int)FAULT_CORRUPT &&
		       HOLDFAST_ERROR_NO_STORE == (int)FAULT_REFUSED &&
		       HOLDFAST_ERROR_INTERNAL == (int)FAULT_INTERNAL,
	"codes are those of faults");
_Static_assert(sizeof(struct holdfast_error) == sizeof(struct fault),
	"the text of a fault fits");

const char *holdfast_version(void)
{
	return HOLDFAST_VERSION;
}

int64_t library_wall_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int library_failed(struct holdfast_error *error, const struct fault *fault)
{
	if (error != NULL) {
		error->code = fault->code;
		memcpy(error->text, fault->text, sizeof error->text);
	}
	return fault->code;
}

int holdfast_open(struct holdfast **out, const char *path,
	uint32_t busy_timeout_ms, struct holdfast_error *error)
{
	*out = NULL;
	struct fault fault = {0};
	struct holdfast *store = calloc(1, sizeof *store);
	if (store != NULL)
		store->path = strdup(path);
	if (store == NULL || store->path == NULL) {
		holdfast_close(store);
		fault_set(&fault, FAULT_OOM, "no memory for a store");
		return library_failed(error, &fault);
	}
	store->busy_timeout_ms = busy_timeout_ms;
	store->checked_us = library_wall_us();
	if (reader_open(&store->reader, path, busy_timeout_ms, &fault) < 0) {
		holdfast_close(store);
		return library_failed(error, &fault);
	}
	*out = store;
	return HOLDFAST_OK;
}

void holdfast_close(struct holdfast *store)
{
	if (store == NULL)
		return;
	while (store->queries != NULL) {
		struct holdfast_query *query = store->queries;
		store->queries = query->next;
		query_destroy(query);
	}
	reader_close(store->reader);
	free(store->path);
	free(store);
}

/* What was read is still read where another reader can't be had: that answers,
 * and its lag grows, while a store is being replaced. */
static int reopen(struct holdfast *store, struct fault *fault)
{
	struct reader *reader;
	int rc = reader_open(
		&reader, store->path, store->busy_timeout_ms, fault);
	if (rc < 0)
		return rc;
	reader_close(store->reader);
	store->reader = reader;
	reader_keep(reader, store->keeps);
	store->openings++;
	store->distrusted = false;
	return HOLDFAST_REOPENED;
}

static int refresh(struct holdfast *store, struct fault *fault)
{
	if (!store->distrusted && reader_is_current(store->reader))
		return HOLDFAST_OK;
	return reopen(store, fault);
}

int holdfast_refresh(struct holdfast *store, struct holdfast_error *error)
{
	struct fault fault = {0};
	int rc = refresh(store, &fault);
	return rc < 0 ? library_failed(error, &fault) : rc;
}

void library_keep_current(struct holdfast *store, int64_t now_us)
{
	int64_t since_us = now_us - store->checked_us;
	/* The wall clock may be set back. */
	if (since_us >= 0 && since_us < CHECK_EVERY_US)
		return;
	store->checked_us = now_us;
	(void)refresh(store, NULL);
}

bool library_follow(struct holdfast *store)
{
	if (reader_saw_change(store->reader))
		return reopen(store, NULL) == HOLDFAST_REOPENED;
	return reader_saw_seal(store->reader) &&
	       refresh(store, NULL) == HOLDFAST_REOPENED;
}

void holdfast_keep(struct holdfast *store, bool keep)
{
	store->keeps = keep;
	reader_keep(store->reader, keep);
}

void holdfast_rest(struct holdfast *store)
{
	reader_rest(store->reader);
}
_Static_assert(HOLDFAST_REST_US == READER_REST_US, "as readers want it");

const char *holdfast_store_id(const struct holdfast *store)
{
	return reader_store_id(store->reader);
}

const char *holdfast_schema(const struct holdfast *store)
{
	return reader_schema(store->reader)->text;
}

const char *holdfast_type_name(int type)
{
	static const char *const names[] = {
		[HOLDFAST_TYPE_NONE] = "none",
		[HOLDFAST_TYPE_NULL] = "null",
		[HOLDFAST_TYPE_BOOL] = "bool",
		[HOLDFAST_TYPE_INT64] = "int64",
		[HOLDFAST_TYPE_FLOAT64] = "float64",
		[HOLDFAST_TYPE_DECIMAL] = "decimal",
		[HOLDFAST_TYPE_STRING] = "string",
		[HOLDFAST_TYPE_BYTES] = "bytes",
		[HOLDFAST_TYPE_TIMESTAMP] = "timestamp",
		[HOLDFAST_TYPE_VECTOR] = "vector",
	};
	return type >= 0 && type <= HOLDFAST_TYPE_VECTOR ? names[type] : "none";
}

_Static_assert(HOLDFAST_STATUS_BEHIND == (int)VALUE_BEHIND &&
		       HOLDFAST_STATUS_EXPIRED == (int)VALUE_EXPIRED &&
		       HOLDFAST_STATUS_DEFAULT == (int)VALUE_DEFAULT &&
		       HOLDFAST_STATUS_MISSING == (int)VALUE_MISSING &&
		       HOLDFAST_STATUS_REFUSED == (int)VALUE_REFUSED &&
		       HOLDFAST_STATUS_REFUSED + 1 == (int)VALUE_STATUS_COUNT,
	"statuses are those of verdicts");
_Static_assert(HOLDFAST_REASON_MISSING == (int)VALUE_REASON_MISSING &&
		       HOLDFAST_REASON_DELETED == (int)VALUE_REASON_DELETED &&
		       HOLDFAST_REASON_TTL == (int)VALUE_REASON_TTL &&
		       HOLDFAST_REASON_MAX_LAG == (int)VALUE_REASON_MAX_LAG &&
		       HOLDFAST_REASON_HOLD == (int)VALUE_REASON_HOLD &&
		       HOLDFAST_REASON_BACKUP == (int)VALUE_REASON_BACKUP &&
		       HOLDFAST_REASON_BACKUP + 1 == (int)VALUE_REASON_COUNT,
	"and so are reasons");

const char *holdfast_status_name(int status)
{
	return status >= 0 && status < (int)VALUE_STATUS_COUNT
		       ? value_status_name((enum value_status)status)
		       : "unknown";
}

const char *holdfast_reason_name(int reason)
{
	return reason >= 0 && reason < (int)VALUE_REASON_COUNT
		       ? value_reason_name((enum value_reason)reason)
		       : "unknown";
}
