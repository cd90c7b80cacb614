#include "store/trace.h"

#include "store/letters.h"
#include "store/reader_inside.h"
#include "store/trace_cleared.h"
#include "store/trace_doubts.h"
#include "store/trace_keys.h"

#include <stdlib.h>

#define LETTER_COLUMNS 9
#define LETTER_PLACE 3
#define LETTER_REASON 4
#define LETTER_KEY 6

/* A record that can't be decoded has one letter, another as many as updates. */
struct found_letter {
	enum letter_kind kind;
	uint32_t place;
	bool whole_record;
	bool crash_loop;
};

struct trace {
	struct reader *reader;
	struct trace_options options;
	sqlite3_stmt *letters[2]; /* by letter_kind */
	sqlite3_stmt *letter_of_key;
	struct trace_keys keys;
	struct trace_doubts doubts;
	bool forced; /* letters were, as of the snapshot */
	struct trace_cleared cleared;
	bool open;

	/* of the record under way */
	const struct store_partition *partition;
	int64_t record_time_us;
	bool time_known;
	struct found_letter *found; /* found[0..found_count) */
	size_t found_count, found_capacity;
	/* Largest record timestamp seen, by log id - 1. */
	int64_t *times;
	size_t time_count;
};

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory to trace updates");
}

static int prepare(struct trace *trace, struct fault *fault)
{
	static const char *const sql[] = {
		[LETTER_DEAD] = "SELECT letter.* FROM _record AS record"
				" JOIN _dead AS letter"
				" ON letter.record = record.id"
				" WHERE record.log = ? AND record.offset = ?",
		[LETTER_PARKED] = "SELECT letter.* FROM _record AS record"
				  " JOIN _parked AS letter"
				  " ON letter.record = record.id"
				  " WHERE record.log = ? AND record.offset = ?",
	};
	sqlite3 *db = trace->reader->db;
	int rc = trace_keys_init(&trace->keys, db, fault);
	for (int kind = LETTER_DEAD; rc == 0 && kind <= LETTER_PARKED; kind++)
		rc = sql_prepare(db, &trace->letters[kind], sql[kind], fault);
	if (rc == 0)
		rc = sql_prepare(db, &trace->letter_of_key,
			"SELECT 1 FROM _dead WHERE key = ?", fault);
	return rc;
}

int trace_open(struct trace **out, struct reader *reader,
	const struct trace_options *options, struct fault *fault)
{
	*out = NULL;
	struct trace *trace = calloc(1, sizeof *trace);
	if (trace == NULL)
		return no_memory(fault);
	trace->reader = reader;
	trace->options = *options;
	int rc = prepare(trace, fault);
	if (rc == 0)
		rc = trace_begin(trace, fault);
	if (rc == 0)
		rc = trace_doubts_read(&trace->doubts, reader->db, fault);
	trace_end(trace);
	if (rc < 0)
		trace_close(trace);
	else
		*out = trace;
	return rc;
}

void trace_close(struct trace *trace)
{
	if (trace == NULL)
		return;
	trace_end(trace);
	sqlite3_finalize(trace->letters[LETTER_DEAD]);
	sqlite3_finalize(trace->letters[LETTER_PARKED]);
	sqlite3_finalize(trace->letter_of_key);
	trace_keys_finish(&trace->keys);
	trace_doubts_finish(&trace->doubts);
	trace_cleared_finish(&trace->cleared);
	free(trace->found);
	free(trace->times);
	free(trace);
}

const unsigned char *trace_secret(const struct trace *trace)
{
	return trace->reader->identity.secret;
}

static int64_t count_cleared(const struct partitions *partitions)
{
	int64_t count = 0;
	for (size_t i = 0; i < partitions->count; i++)
		count += partitions->items[i]->accounts.cleared;
	return count;
}

/* Keys that the writer took since the last snapshot. A page at a time, each in
 * a snapshot of its own, until the last one has all. */
int trace_begin(struct trace *trace, struct fault *fault)
{
	struct reader *reader = trace->reader;
	int rc;
	do {
		trace_end(trace);
		rc = reader_begin(reader, fault);
		if (rc < 0)
			return rc;
		trace->open = true;
		rc = trace_keys_read(
			&trace->keys, reader->partitions.count, fault);
	} while (rc == 1);
	trace->cleared.letters = count_cleared(&reader->partitions);
	if (rc == 0)
		rc = trace_forced(trace->reader->db, fault);
	trace->forced = rc == 1;
	return rc < 0 ? rc : 0;
}

void trace_end(struct trace *trace)
{
	if (trace->open)
		reader_end(trace->reader);
	trace->open = false;
}

const struct store_partition *trace_partition(
	const struct trace *trace, const char *topic, int32_t partition)
{
	return partitions_find(&trace->reader->partitions, topic, partition);
}

static bool keep_letter(struct trace *trace, const struct found_letter *letter)
{
	if (trace->found_count == trace->found_capacity) {
		size_t capacity = trace->found_capacity * 2 + 8;
		struct found_letter *larger =
			realloc(trace->found, capacity * sizeof *trace->found);
		if (larger == NULL)
			return false;
		trace->found = larger;
		trace->found_capacity = capacity;
	}
	trace->found[trace->found_count++] = *letter;
	return true;
}

static bool is_crash_loop(const struct column row[LETTER_COLUMNS])
{
	return reason_parse(column_as_bytes(&row[LETTER_REASON])) ==
	       REASON_CRASH_LOOP;
}

static int find_letters(struct trace *trace, const struct record *record,
	enum letter_kind kind, struct fault *fault)
{
	const char *table = kind == LETTER_DEAD ? "_dead" : "_parked";
	sqlite3_stmt *statement = trace->letters[kind];
	const struct column where[2] = {column_integer(record->log->id),
		column_integer(record->offset)};
	sql_bind(statement, where, 2);
	int rc;
	while ((rc = sql_step(statement, fault)) == 1) {
		struct column row[LETTER_COLUMNS];
		rc = sql_read_row(statement, table, row, LETTER_COLUMNS, fault);
		struct found_letter letter = {
			.kind = kind,
			.place = rc < 0 ? 0
					: (uint32_t)column_as_integer(
						  &row[LETTER_PLACE]),
			.whole_record =
				rc == 0 && row[LETTER_KEY].kind == COLUMN_NULL,
			.crash_loop = rc == 0 && is_crash_loop(row),
		};
		if (rc == 0 && !keep_letter(trace, &letter))
			rc = no_memory(fault);
		if (rc < 0)
			break;
	}
	sqlite3_reset(statement);
	return rc;
}

/* A record without any time stands where its partition stood, which is known
 * from what came before it. */
static int find_time(struct trace *trace, const struct store_record *record,
	struct fault *fault)
{
	size_t count = trace->reader->partitions.count;
	if (trace->time_count < count) {
		int64_t *larger =
			realloc(trace->times, count * sizeof *trace->times);
		if (larger == NULL)
			return no_memory(fault);
		for (size_t i = trace->time_count; i < count; i++)
			larger[i] = TIMESTAMP_NONE;
		trace->times = larger;
		trace->time_count = count;
	}
	int64_t *time = &trace->times[record->record.log->id - 1];
	if (record->decoded.timestamp_us > *time)
		*time = record->decoded.timestamp_us;
	trace->record_time_us = record->decoded.timestamp_us != TIMESTAMP_NONE
					? record->decoded.timestamp_us
					: *time;
	trace->time_known = trace->record_time_us != TIMESTAMP_NONE;
	return 0;
}

int trace_record(
	struct trace *trace, const struct record *record, struct fault *fault)
{
	const struct log *log = record->log;
	bool spared = false;
	trace->found_count = 0;
	trace->partition = trace_partition(trace, log->topic, log->partition);
	int rc = find_letters(trace, record, LETTER_DEAD, fault);
	if (rc == 0)
		rc = find_letters(trace, record, LETTER_PARKED, fault);
	for (size_t i = 0; i < trace->found_count; i++)
		spared |= trace->found[i].kind == LETTER_PARKED &&
			  trace->found[i].crash_loop;
	return rc < 0 ? rc : spared;
}

static void look_at_letters(const struct trace *trace,
	const struct update *update, struct proof_evidence *out)
{
	for (size_t i = 0; i < trace->found_count; i++) {
		const struct found_letter *letter = &trace->found[i];
		if (letter->whole_record || letter->place == update->place)
			out->letter = letter->kind == LETTER_DEAD
					      ? PROOF_LETTER_DEAD
					      : PROOF_LETTER_PARKED;
	}
}

static bool is_within(int64_t a_us, int64_t b_us, int64_t span_us)
{
	uint64_t distance = a_us > b_us ? (uint64_t)a_us - (uint64_t)b_us
					: (uint64_t)b_us - (uint64_t)a_us;
	return distance <= (uint64_t)span_us;
}

static void look_at_holder(const struct trace *trace,
	const struct store_record *record, const struct update *update,
	const struct key_holder *holder, struct proof_evidence *out)
{
	bool same_log = holder->log == record->record.log->id;
	int64_t offset = record->record.offset;
	bool itself = same_log && holder->offset == offset &&
		      holder->place == update->place;
	out->holder = itself ? HOLDER_ITSELF : HOLDER_OTHER;
	out->holder_dead = holder->state == KEY_DEAD;
	out->holder_has_letter =
		holder->state == KEY_DEAD || holder->state == KEY_PARKED;
	out->same_content = holder->content == update->content;
	out->holder_first =
		same_log && (holder->offset < offset ||
				    (holder->offset == offset &&
					    holder->place < update->place));
	out->in_window =
		!trace->time_known ||
		is_within(holder->record_time_us, trace->record_time_us,
			trace->options.key_window_us);
}

/* Keys are let go when their partition is beyond the window; where it was
 * stopped for long, earlier, but never with older ones of it left. */
static void look_at_window(const struct trace *trace,
	const struct store_record *record, struct proof_evidence *out)
{
	const struct trace_keys *keys = &trace->keys;
	size_t index = record->record.log->id - 1;
	int64_t bound;
	if (!trace->time_known ||
		__builtin_add_overflow(trace->record_time_us,
			trace->options.key_window_us, &bound) ||
		bound < trace->partition->record_time_us)
		return;
	out->all_stay =
		(uint64_t)keys->last_seq <= trace->options.key_window_keys;
	out->key_stays =
		out->all_stay ||
		(index < keys->log_count &&
			keys->first_offsets[index] <= record->record.offset);
}

static int look_at_key(struct trace *trace, const struct store_record *record,
	const struct update *update, struct proof_evidence *out,
	struct fault *fault)
{
	struct key_holder holder;
	if (!update->has_key)
		return 0;
	int rc = trace_keys_find(&trace->keys, update->key, &holder, fault);
	if (rc == 1)
		look_at_holder(trace, record, update, &holder, out);
	look_at_window(trace, record, out);
	return rc < 0 ? rc : 0;
}

/* One without a letter of its own may be a copy of one that has. */
static int look_for_copy(struct trace *trace, const struct update *update,
	struct proof_evidence *out, struct fault *fault)
{
	if (!update->has_key)
		return 0;
	const struct column key = column_blob(
		(struct slice){(const char *)update->key, KEY_BYTES});
	sql_bind(trace->letter_of_key, &key, 1);
	int rc = sql_step(trace->letter_of_key, fault);
	sqlite3_reset(trace->letter_of_key);
	out->copy_letter = rc == 1;
	return rc < 0 ? rc : 0;
}

/* A damaged row is evidence, too: none. */
static int look_at_row(struct trace *trace, const struct update *update,
	struct arena *arena, struct held_row *held, struct proof_evidence *out,
	struct fault *fault)
{
	struct reader *reader = trace->reader;
	if (update->reason != REASON_NONE)
		return 0;
	size_t index = (size_t)(update->view - reader->identity.schema->views);
	int rc = view_rows_get(
		&reader->views[index], update->entity, arena, held, fault);
	out->row = rc < 0 ? NULL : &held->row;
	return rc == FAULT_CORRUPT ? 0 : rc;
}

int trace_update(struct trace *trace, const struct store_record *record,
	const struct update *update, struct arena *arena, struct proof *out,
	struct fault *fault)
{
	const struct record *at = &record->record;
	struct version version = {
		update->event_us, at->log, at->offset, update->place};
	struct proof_evidence evidence = {
		.taken = trace->partition != NULL &&
			 at->offset < trace->partition->accounts.next_offset,
		.cleared = trace_cleared_explains(&trace->cleared, update),
		.forced = trace->forced,
		.forgotten_before_us = trace->doubts.forgotten_before_us,
		.copy_span_us = update->event_us == record->decoded.timestamp_us
					? trace->options.key_window_us
					: 0,
	};
	struct held_row held;
	int rc = find_time(trace, record, fault);
	if (rc < 0)
		return rc;
	look_at_letters(trace, update, &evidence);
	if (evidence.taken && evidence.letter == PROOF_NO_LETTER) {
		rc = look_at_key(trace, record, update, &evidence, fault);
		if (rc == 0)
			rc = look_at_row(
				trace, update, arena, &held, &evidence, fault);
	}
	if (rc < 0)
		return rc;
	*out = proof_judge(update, &version, &evidence);
	if (out->answer == PROOF_MISSING) {
		rc = look_for_copy(trace, update, &evidence, fault);
		*out = proof_judge(update, &version, &evidence);
	}
	if (rc < 0)
		return rc;
	return trace_cleared_settle(&trace->cleared, update, out, fault);
}

void trace_give_cleared_back(struct trace *trace)
{
	trace_cleared_give_back(&trace->cleared);
}

int trace_spent(
	const struct trace *trace, struct trace_spent *out, struct fault *fault)
{
	return trace_cleared_spent(&trace->cleared, out, fault);
}

int trace_spend(struct trace *trace, const struct trace_spent *spent,
	struct fault *fault)
{
	return trace_cleared_spend(&trace->cleared, spent, fault);
}

bool trace_predates_schema(
	const struct trace *trace, const struct record *record)
{
	return trace_doubts_predates(&trace->doubts, record);
}

const struct schema *trace_schema_before(
	const struct trace *trace, size_t index)
{
	return index < trace->doubts.schema_count ? trace->doubts.schemas[index]
						  : NULL;
}

static void note_key(
	const struct key_holder *holder, struct trace_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct version *version = &keys[i].version;
		if (holder->log != version->log->id ||
			holder->offset != version->offset ||
			holder->place != version->place)
			continue;
		keys[i].record_time_us = holder->record_time_us;
		keys[i].state = holder->state == KEY_DEAD     ? "dead"
				: holder->state == KEY_PARKED ? "parked"
							      : "taken";
	}
}

/* A page of keys behind *seq; 0 when there are no more. */
static int walk_page(struct trace *trace, int64_t *seq, struct trace_key *keys,
	size_t count, struct fault *fault)
{
	sqlite3_stmt *statement = trace->keys.list;
	const struct column after = column_integer(*seq);
	int64_t before = *seq;
	sql_bind(statement, &after, 1);
	int rc;
	while ((rc = sql_step(statement, fault)) == 1) {
		struct key_holder holder;
		rc = keys_read_holder(statement, &holder, fault);
		if (rc < 0)
			break;
		note_key(&holder, keys, count);
		*seq = holder.seq;
	}
	sqlite3_reset(statement);
	return rc < 0 ? rc : *seq != before;
}

int trace_find_keys(struct trace *trace, struct trace_key *keys, size_t count,
	struct fault *fault)
{
	int64_t seq = 0;
	int rc = 1;
	for (size_t i = 0; i < count; i++) {
		keys[i].state = NULL;
		keys[i].record_time_us = TIMESTAMP_NONE;
	}
	trace_end(trace);
	while (rc == 1) {
		rc = reader_begin(trace->reader, fault);
		if (rc == 0)
			rc = walk_page(trace, &seq, keys, count, fault);
		reader_end(trace->reader);
	}
	return rc;
}
