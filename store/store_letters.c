/* Letters as the store's owner reads them. */
#include "store/writer.h"

int store_letter(struct store *store, enum letter_kind kind, int64_t id,
	struct arena *arena, struct letter_whole *out, struct fault *fault)
{
	int rc = store_refresh(store, fault);
	if (rc == 0)
		rc = letters_get(
			&store->letters, kind, id, arena, &out->letter, fault);
	if (rc != 1)
		return rc;
	rc = letters_get_record(&store->letters, out->letter.record,
		partitions_logs(&store->partitions), arena, &out->record,
		fault);
	return rc < 0 ? rc : 1;
}

int64_t store_letter_bytes(
	const struct store *store, const struct log *log, enum letter_kind kind)
{
	return letter_bytes_of(&store->letters.bytes, log, kind);
}

/* The ids that `sql` finds, with three numbers bound. */
static int list_ids(struct store *store, const char *sql,
	const struct column numbers[3], int64_t *ids, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int count = 0;
	int rc = store_refresh(store, fault);
	if (rc == 0)
		rc = sql_prepare(store->db, &statement, sql, fault);
	if (rc == 0)
		sql_bind(statement, numbers, 3);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		ids[count++] = sqlite3_column_int64(statement, 0);
		rc = 0;
	}
	sqlite3_finalize(statement);
	return rc < 0 ? rc : count;
}

int store_due(struct store *store, int64_t now_us, int64_t *ids, int max,
	struct fault *fault)
{
	const struct column numbers[] = {
		column_integer(now_us), column_integer(max), column_null()};
	return list_ids(store,
		"SELECT parked.id FROM _parked AS parked"
		" JOIN _record AS record ON record.id = parked.record"
		" JOIN _partition AS log ON log.id = record.log"
		" WHERE (parked.due IS NULL OR parked.due <= ?1) AND ?3 IS NULL"
		" AND parked.reason <> 'crash_loop'"
		" ORDER BY log.topic, log.partition, log.incarnation,"
		" record.offset, parked.place LIMIT ?2",
		numbers, ids, fault);
}

int store_next_due(struct store *store, int64_t *out_us, struct fault *fault)
{
	int rc = store_refresh(store, fault);
	return rc < 0 ? rc
		      : sql_integer(store->db,
				"SELECT coalesce((SELECT coalesce(due, 0)"
				" FROM _parked WHERE reason <> 'crash_loop'"
				" ORDER BY due LIMIT 1), 9223372036854775807)",
				out_us, fault);
}

int store_clearable(struct store *store, int64_t before_us, int64_t exported_id,
	int64_t *ids, int max, struct fault *fault)
{
	const struct column numbers[] = {column_integer(before_us),
		column_integer(max), column_integer(exported_id)};
	return list_ids(store,
		"SELECT id FROM _dead WHERE id <= ?3"
		" OR acknowledged < ?1"
		" ORDER BY id LIMIT ?2",
		numbers, ids, fault);
}
