#include "store/coherence.h"

#include "store/meta.h"

#include <inttypes.h>

/* A batch of the largest size has so many, if each record carries one. */
#define START_KEYS 20000

int coherence_count_keys(
	sqlite3 *db, int64_t newest, int64_t *out, struct fault *fault)
{
	char sql[256];
	sqlite3_snprintf(sizeof sql, sql,
		"SELECT count(*) FROM (SELECT log, offset FROM _key"
		" ORDER BY seq DESC LIMIT %lld) k"
		" JOIN _partition p ON p.id = k.log"
		" WHERE k.offset >= p.next_offset",
		(long long)newest);
	return sql_integer(db, sql, out, fault);
}

int coherence_check(sqlite3 *db, struct fault *fault)
{
	int64_t ahead = 0;
	int rc = coherence_count_keys(db, START_KEYS, &ahead, fault);
	if (rc < 0 || ahead == 0)
		return rc;
	return fault_set(fault, FAULT_CORRUPT,
		"the store holds keys of %" PRId64
		" updates whose records it has "
		"not taken: " COHERENCE_ADVICE,
		ahead);
}

int64_t coherence_copied(const char *path)
{
	sqlite3 *db = NULL;
	int64_t copied = -1;
	if (sql_open(&db, path, SQL_COPY, 0, NULL) == 0 &&
		meta_read_commits(db, &copied, NULL) < 0)
		copied = -1;
	sqlite3_close(db);
	return copied;
}

int coherence_check_copied(sqlite3 *db, int64_t copied, struct fault *fault)
{
	int64_t commits = 0;
	int rc = meta_read_commits(db, &commits, fault);
	if (rc < 0 || copied <= commits)
		return rc;
	return fault_set(fault, FAULT_CORRUPT,
		"the file holds commit %" PRId64 ", its WAL ends at %" PRId64
		": " COHERENCE_ADVICE,
		copied, commits);
}
