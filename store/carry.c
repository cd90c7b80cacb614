/* Decisions, holds, stops and facts, taken over from the live generation. */
#include "store/carry.h"

#include "store/carry_views.h"
#include "store/culprits_inside.h"
#include "store/decisions.h"
#include "store/failpoint.h"
#include "store/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define COLUMNS_MAX 10 /* of the tables that are taken over */

static struct store_partition *find_incarnation(
	const struct partitions *partitions, const struct log *log)
{
	for (size_t i = 0; i < partitions->count; i++) {
		const struct log *one = &partitions->items[i]->log;
		if (one->partition == log->partition &&
			one->incarnation == log->incarnation &&
			strcmp(one->topic, log->topic) == 0)
			return partitions->items[i];
	}
	return NULL;
}

/* A generation from the log alone knows the newest incarnation only, as its
 * first. */
struct store_partition *carry_partition(const struct carry *carry, int64_t id)
{
	if (id < 1 || (uint64_t)id > carry->partitions.count)
		return NULL;
	const struct store_partition *live = carry->partitions.items[id - 1];
	const struct store_partition *newest = partitions_find(
		&carry->partitions, live->log.topic, live->log.partition);
	struct store_partition *here =
		partitions_find(&carry->store->partitions, live->log.topic,
			live->log.partition);
	if (live == newest || here == NULL)
		return here;
	return here->log.incarnation == newest->log.incarnation
		       ? find_incarnation(&carry->store->partitions, &live->log)
		       : NULL;
}

const struct store_partition *carry_live_partition(
	const struct carry *carry, const struct store_partition *here)
{
	const struct log *log = &here->log;
	const struct store_partition *live =
		partitions_find(&carry->partitions, log->topic, log->partition);
	const struct store_partition *newest = partitions_find(
		&carry->store->partitions, log->topic, log->partition);
	if (here == newest || live == NULL)
		return live;
	return newest->log.incarnation == live->log.incarnation
		       ? find_incarnation(&carry->partitions, log)
		       : NULL;
}

bool carry_schema_has(const struct schema *schema, struct slice target)
{
	const char *colon = memchr(target.data, ':', target.length);
	struct slice name = target;
	if (colon != NULL)
		name.length = (size_t)(colon - target.data);
	const struct view *view = schema_view(schema, name);
	if (view == NULL || colon == NULL)
		return view != NULL;
	struct slice feature = {colon + 1, target.length - name.length - 1};
	return view_feature(view, feature) >= 0;
}

static bool decision_fits(const struct carry *carry, struct column *row)
{
	(void)row;
	carry->out->decisions++;
	return true;
}

static bool hold_fits(const struct carry *carry, struct column *row)
{
	bool fits = carry_schema_has(
		carry->store->identity.schema, column_as_bytes(&row[0]));
	carry->out->holds += fits;
	return fits;
}

/* What was found in the log or the store is found anew. */
static bool stop_fits(const struct carry *carry, struct column *row)
{
	const struct store_partition *here =
		carry_partition(carry, column_as_integer(&row[0]));
	struct slice reason = column_as_bytes(&row[1]);
	if (here == NULL || reason.data == NULL || !stop_lasts(reason.data))
		return false;
	row[0] = column_integer(here->log.id);
	carry->out->stops++;
	return true;
}

static bool fact_fits(const struct carry *carry, struct column *row)
{
	(void)carry;
	(void)row;
	return true;
}

/* A table whose rows are taken over as they are, or as `fits` makes them. */
static const struct {
	const char *table;
	size_t columns;
	const char *clear, *list, *put;
	bool (*fits)(const struct carry *carry, struct column *row);
	/* Something goes by it: none may be missing. */
	bool counts;
} tables[] = {
	{"_decision", 8, "DELETE FROM _decision",
		"SELECT * FROM _decision ORDER BY id",
		"INSERT INTO _decision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		decision_fits, false},
	{"_schema", 6, "DELETE FROM _schema",
		"SELECT * FROM _schema ORDER BY id",
		"INSERT INTO _schema VALUES (?, ?, ?, ?, ?, ?, ?)", fact_fits,
		false},
	{"_hold", 4, "DELETE FROM _hold", "SELECT * FROM _hold",
		"INSERT INTO _hold VALUES (?, ?, ?, ?, ?)", hold_fits, true},
	{"_stop", 5, "DELETE FROM _stop", "SELECT * FROM _stop",
		"INSERT INTO _stop VALUES (?, ?, ?, ?, ?, ?)", stop_fits, true},
	{"_meta", 2,
		"DELETE FROM _meta WHERE name IN ('" META_EXPORTED
		"', '" META_EDITION "') OR name LIKE 'backup\\_%' ESCAPE '\\'",
		"SELECT * FROM _meta WHERE name IN ('" META_EXPORTED
		"', '" META_EDITION "') OR name LIKE 'backup\\_%' ESCAPE '\\'",
		"INSERT INTO _meta VALUES (?, ?, ?)", fact_fits, true},
};

static int copy_row(const struct carry *carry, size_t index, sqlite3_stmt *from,
	sqlite3_stmt *to, struct fault *fault)
{
	struct column row[COLUMNS_MAX];
	size_t columns = tables[index].columns;
	int rc = sql_read_row(from, tables[index].table, row, columns, fault);
	if (rc == FAULT_CORRUPT && !tables[index].counts) {
		carry->out->damaged++;
		return 0;
	}
	if (rc < 0 || !tables[index].fits(carry, row))
		return rc;
	if (!sql_bind_row(to, tables[index].table, row, columns))
		return fault_set(fault, FAULT_OOM, "no memory for a row");
	return sql_run(to, fault);
}

static int copy_table(
	const struct carry *carry, size_t index, struct fault *fault)
{
	sqlite3_stmt *from = NULL, *to = NULL;
	assert(tables[index].columns <= COLUMNS_MAX);
	int rc = sql_execute(carry->store->db, tables[index].clear, fault);
	if (rc == 0)
		rc = sql_prepare(carry->live, &from, tables[index].list, fault);
	if (rc == 0)
		rc = sql_prepare(
			carry->store->db, &to, tables[index].put, fault);
	while (rc == 0 && (rc = sql_step(from, fault)) == 1)
		rc = copy_row(carry, index, from, to, fault);
	sqlite3_finalize(from);
	sqlite3_finalize(to);
	return rc;
}

/* Row counts and sums of checksums: what changes one of the rows changes the
 * line. Halves of 64 bits, since sums of whole ones overflow. */
#define SUMS(rows)                                                             \
	"SELECT count(*) || '.' || coalesce(sum(_checksum >> 32), 0) ||"       \
	" '.' || coalesce(sum(_checksum & 4294967295), 0) FROM " rows

/* NULL: no memory, as SQLite has none for a text either. */
static const char *extend(
	const char *stamp, sqlite3_stmt *statement, struct arena *arena)
{
	const char *sum = (const char *)sqlite3_column_text(statement, 0);
	return sum == NULL ? NULL
			   : arena_print(arena, "%s%s%s", stamp,
				     stamp[0] == '\0' ? "" : " ", sum);
}

int carry_stamp(
	sqlite3 *db, const char **out, struct arena *arena, struct fault *fault)
{
	static const char *const sums[] = {SUMS("_view"), SUMS("_decision"),
		SUMS("_hold"), SUMS("_dead"), SUMS("_parked"),
		SUMS("_meta WHERE name = '" META_EXPORTED "'")};
	const char *stamp = "";
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < sizeof sums / sizeof sums[0]; i++) {
		sqlite3_stmt *statement = NULL;
		rc = sql_prepare(db, &statement, sums[i], fault);
		if (rc == 0)
			rc = sql_step(statement, fault);
		if (rc == 1)
			stamp = extend(stamp, statement, arena);
		sqlite3_finalize(statement);
		if (stamp == NULL)
			return fault_set(fault, FAULT_OOM,
				"no memory to take over what is live");
		rc = rc == 1 ? 0 : rc;
	}
	*out = stamp;
	return rc;
}

/* Found and not taken, as of a partition that is paused; all others are letters
 * in both. */
static int carry_culprits(struct carry *carry, struct fault *fault)
{
	int64_t ignored;
	struct culprits found = CULPRITS_INIT;
	sqlite3 *db = carry->store->db;
	int rc = culprits_find(&found, carry->live, &carry->partitions, fault);
	if (rc == 0)
		rc = culprits_clear(db, fault);
	if (rc == 0)
		rc = culprits_keep(
			&found, db, &carry->store->partitions, &ignored, fault);
	culprits_finish(&found);
	return rc;
}

static int note_stamp(struct carry *carry, struct fault *fault)
{
	const char *stamp = NULL;
	int rc = carry_stamp(carry->live, &stamp, carry->arena, fault);
	if (rc < 0)
		return rc;
	const struct column value = column_text(slice_of(stamp));
	return meta_put(carry->store->db, META_CARRIED, &value, fault);
}

/* From here on no other view is what the log alone gives. */
static int note_view(struct carry *carry, struct fault *fault)
{
	const struct column view = column_text(slice_of(carry->view->name));
	return meta_put(carry->store->db, META_CARRIED_VIEW, &view, fault);
}

static int carry_all(struct carry *carry, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof tables[0]; i++)
		rc = copy_table(carry, i, fault);
	failpoint("carry_rows");
	if (rc == 0 && carry->view != NULL)
		rc = carry_views(carry, fault);
	if (rc == 0 && carry->view != NULL)
		rc = carry_view_letters(carry, fault);
	if (rc == 0)
		rc = carry_letters(carry, fault);
	if (rc == 0)
		rc = carry_culprits(carry, fault);
	failpoint("carry_letters");
	if (rc == 0 && carry->view != NULL)
		rc = note_view(carry, fault);
	return rc < 0 ? rc : note_stamp(carry, fault);
}

/* Memory knows nothing of it: it is read again before anything else, the keys
 * only if somebody asks for one. Ingest stands still meanwhile. */
static int in_transaction(struct carry *carry, struct fault *fault)
{
	struct store *store = carry->store;
	int rc = store_begin(store, fault);
	if (rc < 0)
		return rc;
	rc = carry_all(carry, fault);
	if (rc == 0)
		rc = store_commit(store, fault);
	if (rc < 0)
		store_rollback(store);
	store->stale = true;
	keys_unload(&store->keys);
	return rc == STORE_OUTCOME_UNKNOWN ? FAULT_BUSY : rc;
}

static int open_live(struct carry *carry, struct fault *fault)
{
	struct layout layout;
	bool exists = false;
	int rc = layout_find(
		&layout, carry->store->layout.directory, &exists, fault);
	if (rc == 0)
		rc = sql_open(&carry->live, layout.database, SQL_READ,
			carry->store->options.busy_timeout_ms, fault);
	if (rc == 0)
		rc = sql_execute(carry->live, "BEGIN", fault);
	return rc < 0 ? rc
		      : partitions_load(&carry->partitions, carry->live, fault);
}

int store_carry_others(struct store *store, const char *view,
	struct carried *out, struct fault *fault)
{
	assert(store->role == ROLE_BUILD);
	const struct schema *schema = store_schema(store);
	struct carried ignored;
	struct arena arena = ARENA_INIT;
	struct carry carry = {.store = store,
		.out = out == NULL ? &ignored : out,
		.view = view == NULL ? NULL
				     : schema_view(schema, slice_of(view)),
		.arena = &arena};
	*carry.out = (struct carried){0};
	assert(view == NULL || carry.view != NULL);
	int rc = store_need_keys(store, fault);
	if (rc == 0)
		rc = open_live(&carry, fault);
	if (rc == 0)
		rc = in_transaction(&carry, fault);
	partitions_finish(&carry.partitions);
	sqlite3_close(carry.live);
	arena_finish(&arena);
	return rc < 0 ? fault_wrap(fault, rc, "taking over what is live") : 0;
}

int store_carried_view(struct store *store, const char **out,
	struct arena *arena, struct fault *fault)
{
	return meta_get_text(store->db, META_CARRIED_VIEW, out, arena, fault);
}

int store_carry(struct store *store, struct carried *out, struct fault *fault)
{
	return store_carry_others(store, NULL, out, fault);
}
