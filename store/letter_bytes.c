#include "store/letter_bytes.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_OF(number) TEXT_OF_TOKEN(number)
#define TEXT_OF_TOKEN(token) #token
/* SQLite takes the length from the row's header and reads no payload. */
#define PAYLOAD                                                                \
	" coalesce(length(key), 0) + coalesce(length(value), 0)"               \
	" + coalesce(length(headers), 0) + " TEXT_OF(LETTER_ROW_BYTES)
#define LOADING(table)                                                         \
	"SELECT log, sum(" PAYLOAD ") FROM _record WHERE id IN"                \
	" (SELECT record FROM " table ") GROUP BY log"
/* The record's bytes, if it has one letter there and no more. */
#define WEIGHING(table)                                                        \
	"SELECT log, " PAYLOAD " FROM _record WHERE id = ?1 AND 1 ="           \
	" (SELECT count(*) FROM (SELECT 1 FROM " table                         \
	" WHERE record = ?1 LIMIT 2))"

static const char *const loading[] = {
	[LETTER_DEAD] = LOADING("_dead"),
	[LETTER_PARKED] = LOADING("_parked"),
};

static const char *const weighing[] = {
	[LETTER_DEAD] = WEIGHING("_dead"),
	[LETTER_PARKED] = WEIGHING("_parked"),
};

static bool grow(struct letter_weight **items, size_t from, size_t to)
{
	struct letter_weight *larger = realloc(*items, to * sizeof *larger);
	if (larger == NULL)
		return false;
	memset(larger + from, 0, (to - from) * sizeof *larger);
	*items = larger;
	return true;
}

/* Room for log number `log`. */
static int reach(struct letter_bytes *bytes, int64_t log, struct fault *fault)
{
	if (log < 1)
		return fault_set(fault, FAULT_CORRUPT,
			"table _record: a row of no partition: run `holdfast "
			"verify`, then restore a backup");
	if ((size_t)log <= bytes->count)
		return 0;
	if (!grow(&bytes->durable, bytes->count, (size_t)log) ||
		!grow(&bytes->open, bytes->count, (size_t)log))
		return fault_set(fault, FAULT_OOM, "no memory for partitions");
	bytes->count = (size_t)log;
	return 0;
}

static int load_kind(struct letter_bytes *bytes, sqlite3 *db,
	enum letter_kind kind, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(db, &statement, loading[kind], fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		int64_t log = sqlite3_column_int64(statement, 0);
		rc = reach(bytes, log, fault);
		if (rc == 0)
			bytes->durable[log - 1].bytes[kind] =
				sqlite3_column_int64(statement, 1);
	}
	sqlite3_finalize(statement);
	return rc;
}

int letter_bytes_load(
	struct letter_bytes *bytes, sqlite3 *db, struct fault *fault)
{
	int rc = 0;
	letter_bytes_forget(bytes);
	for (size_t i = 0; i < bytes->count; i++)
		bytes->durable[i] = (struct letter_weight){0};
	for (int i = LETTER_DEAD; rc == 0 && i <= LETTER_PARKED; i++) {
		rc = load_kind(bytes, db, (enum letter_kind)i, fault);
		if (rc == 0 && bytes->weigh[i] == NULL)
			rc = sql_prepare(
				db, &bytes->weigh[i], weighing[i], fault);
	}
	return rc;
}

void letter_bytes_finish(struct letter_bytes *bytes)
{
	sqlite3_finalize(bytes->weigh[LETTER_DEAD]);
	sqlite3_finalize(bytes->weigh[LETTER_PARKED]);
	free(bytes->durable);
	free(bytes->open);
	*bytes = (struct letter_bytes){0};
}

static int weigh(struct letter_bytes *bytes, enum letter_kind kind,
	int64_t record, int64_t sign, struct fault *fault)
{
	const struct column id = column_integer(record);
	sqlite3_stmt *statement = bytes->weigh[kind];
	sql_bind(statement, &id, 1);
	int rc = sql_step(statement, fault);
	if (rc == 1) {
		int64_t log = sqlite3_column_int64(statement, 0);
		rc = reach(bytes, log, fault);
		if (rc == 0)
			bytes->open[log - 1].bytes[kind] +=
				sign * sqlite3_column_int64(statement, 1);
	}
	sqlite3_reset(statement);
	return rc;
}

int letter_bytes_add(struct letter_bytes *bytes, enum letter_kind kind,
	int64_t record, struct fault *fault)
{
	return weigh(bytes, kind, record, 1, fault);
}

int letter_bytes_remove(struct letter_bytes *bytes, enum letter_kind kind,
	int64_t record, struct fault *fault)
{
	return weigh(bytes, kind, record, -1, fault);
}

struct letter_weight letter_bytes_settle(struct letter_bytes *bytes)
{
	struct letter_weight sum = {0};
	for (size_t i = 0; i < bytes->count; i++)
		for (int kind = LETTER_DEAD; kind <= LETTER_PARKED; kind++) {
			int64_t more = bytes->open[i].bytes[kind];
			bytes->durable[i].bytes[kind] += more;
			sum.bytes[kind] += more;
		}
	letter_bytes_forget(bytes);
	return sum;
}

void letter_bytes_forget(struct letter_bytes *bytes)
{
	for (size_t i = 0; i < bytes->count; i++)
		bytes->open[i] = (struct letter_weight){0};
}

int64_t letter_bytes_of(const struct letter_bytes *bytes, const struct log *log,
	enum letter_kind kind)
{
	return log->id <= bytes->count ? bytes->durable[log->id - 1].bytes[kind]
				       : 0;
}
