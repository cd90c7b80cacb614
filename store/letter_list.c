#include "store/letter_list.h"

#include "schema/buffer.h"
#include "store/letters.h"
#include "store/reader_inside.h"

#include <assert.h>
#include <inttypes.h>

static struct column text_or_any(const char *text)
{
	return text == NULL ? column_null() : column_text(slice_of(text));
}

static struct column time_or_any(int64_t us)
{
	return us == TIMESTAMP_NONE ? column_null() : column_integer(us);
}

/* "[1,2,3]", or absent for any. */
static struct slice ids_text(
	const struct letter_filter *filter, struct arena *arena, bool *failed)
{
	struct buffer text = BUFFER_INIT(arena);
	*failed = false;
	if (filter->id_count == 0)
		return (struct slice){NULL, 0};
	for (size_t i = 0; i < filter->id_count; i++) {
		buffer_print(&text, "%c%" PRId64, i == 0 ? '[' : ',',
			filter->ids[i]);
	}
	buffer_text(&text, "]");
	*failed = text.failed;
	return buffer_content(&text);
}

/* One whose record is gone is found, and then told to be damaged. */
#define FIND(table)                                                            \
	"SELECT letter.id FROM " table " AS letter"                            \
	" LEFT JOIN _record AS record ON record.id = letter.record"            \
	" LEFT JOIN _partition AS log ON log.id = record.log"                  \
	" WHERE letter.id > ?1"                                                \
	" AND (?2 IS NULL OR letter.reason = ?2)"                              \
	" AND (?3 IS NULL OR letter.view = ?3)"                                \
	" AND (?4 IS NULL OR log.topic = ?4)"                                  \
	" AND (?5 IS NULL OR record.timestamp >= ?5)"                          \
	" AND (?6 IS NULL OR record.timestamp < ?6)"                           \
	" AND (?7 IS NULL OR letter.id IN"                                     \
	" (SELECT value FROM json_each(?7)))"                                  \
	" ORDER BY letter.id LIMIT ?8"

/* The ids that fit: ids[0..result). */
static int find(struct reader *reader, const struct letter_filter *filter,
	struct arena *arena, int64_t *ids, size_t max, struct fault *fault)
{
	static const char *const sql[] = {
		[LETTER_DEAD] = FIND("_dead"),
		[LETTER_PARKED] = FIND("_parked"),
	};
	bool failed;
	struct slice wanted = ids_text(filter, arena, &failed);
	if (failed)
		return fault_set(fault, FAULT_OOM, "no memory for letters");
	const struct column values[] = {
		column_integer(filter->after_id),
		text_or_any(filter->reason == REASON_NONE
				    ? NULL
				    : reason_name(filter->reason)),
		text_or_any(filter->view),
		text_or_any(filter->topic),
		time_or_any(filter->since_us),
		time_or_any(filter->until_us),
		column_text(wanted),
		column_integer((int64_t)max),
	};
	sqlite3_stmt *statement = NULL;
	int count = 0;
	int rc = sql_prepare(reader->db, &statement, sql[filter->kind], fault);
	if (rc == 0)
		sql_bind(statement, values, sizeof values / sizeof values[0]);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		ids[count++] = sqlite3_column_int64(statement, 0);
		rc = 0;
	}
	sqlite3_finalize(statement);
	return rc < 0 ? rc : count;
}

/* 1: it is there, as in a snapshot it must be. */
static int read_one(struct reader *reader, struct letters *letters,
	struct letter_whole *out, struct arena *arena, struct fault *fault)
{
	int rc = letters_get(letters, out->letter.kind, out->letter.id, arena,
		&out->letter, fault);
	if (rc != 1)
		return rc;
	rc = letters_get_record(letters, out->letter.record,
		partitions_logs(&reader->partitions), arena, &out->record,
		fault);
	return rc < 0 ? rc : 1;
}

static int read_page(struct reader *reader, const struct letter_filter *filter,
	struct arena *arena, struct letter_whole *out, size_t max,
	struct fault *fault)
{
	int64_t ids[LETTER_PAGE_MAX];
	struct letters letters;
	int rc = letters_init(&letters, reader->db, fault);
	if (rc == 0)
		rc = find(reader, filter, arena, ids, max, fault);
	int found = rc, count = 0;
	size_t before = arena->total_bytes;
	while (rc >= 0 && count < found &&
		arena->total_bytes - before < LETTER_PAGE_BYTES) {
		out[count].letter =
			(struct letter){.kind = filter->kind, .id = ids[count]};
		rc = read_one(reader, &letters, &out[count++], arena, fault);
	}
	letters_finish(&letters);
	return rc < 0 ? rc : count;
}

int reader_letters(struct reader *reader, const struct letter_filter *filter,
	struct arena *arena, struct letter_whole *letters, size_t max,
	struct fault *fault)
{
	assert(max >= 1 && max <= LETTER_PAGE_MAX);
	int rc = reader_begin(reader, fault);
	if (rc == 0)
		rc = read_page(reader, filter, arena, letters, max, fault);
	reader_end(reader);
	return rc;
}

int reader_exported(struct reader *reader, int64_t *out_id, struct fault *fault)
{
	return sql_integer(reader->db,
		"SELECT coalesce((SELECT value FROM _meta"
		" WHERE name = '" META_EXPORTED "'), 0)",
		out_id, fault);
}
