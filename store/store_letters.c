/* Letters as the store's owner reads them. */
#include "store/writer.h"

int store_letter(struct store *store, enum letter_kind kind, int64_t id,
	struct arena *arena, struct letter *letter, struct record *record,
	struct fault *fault)
{
	int rc = store_refresh(store, fault);
	if (rc == 0)
		rc = letters_get(
			&store->letters, kind, id, arena, letter, fault);
	if (rc != 1)
		return rc;
	rc = letters_get_record(&store->letters, letter->record,
		partitions_logs(&store->partitions), arena, record, fault);
	return rc < 0 ? rc : 1;
}

int store_due(struct store *store, int64_t now_us, int64_t *ids, int max,
	struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = store_refresh(store, fault);
	if (rc == 0)
		rc = sql_prepare(store->db, &statement,
			"SELECT parked.id FROM _parked AS parked"
			" JOIN _record AS record ON record.id = parked.record"
			" JOIN _partition AS log ON log.id = record.log"
			" WHERE parked.due IS NULL OR parked.due <= ?"
			" ORDER BY log.topic, log.partition, log.incarnation,"
			" record.offset, parked.place LIMIT ?",
			fault);
	int count = 0;
	if (rc == 0) {
		const struct column row[] = {
			column_integer(now_us), column_integer(max)};
		sql_bind(statement, row, 2);
	}
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		ids[count++] = sqlite3_column_int64(statement, 0);
		rc = 0;
	}
	sqlite3_finalize(statement);
	return rc < 0 ? rc : count;
}
