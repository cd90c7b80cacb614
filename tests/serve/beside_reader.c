/*
 * beside_reader STORE SECONDS [THREADS] [--keep] [--sql] [--two-snapshots]:
 * reads the stream of beside_stream.h beside its writer and checks each
 * snapshot.
 *
 * The newest record in a snapshot decides every value in it: a batch of which
 * only a part is seen, in one view or over several, shows. So does a version
 * that goes back. One line of JSON tells what was seen; violations go to
 * stderr, the first of them.
 *
 *     --keep           keeps its snapshots while they are the newest
 *     --sql            by plain SQL, one connection a thread
 *     --two-snapshots  asks for the newest record and for the accounts one
 *                      after the other, which is wrong and must be found out
 */
#include "store/holdfast.h"
#include "tests/lib/chance.h"
#include "tests/serve/beside_stream.h"

#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS_MAX 16
#define FEW 20	      /* accounts of most lookups */
#define ALL_PERCENT 3 /* the others ask for all, whose balance is 0 */
#define TOLD_MAX 5    /* violations told by each thread */

/* A thread and what it saw. */
struct witness {
	pthread_t thread;
	const char *path;
	double seconds;
	bool two_snapshots, keep;
	struct chance chance;
	int64_t reads, snapshots, commits, violations;
	int64_t newest;		/* record of the last snapshot; -1 at first */
	int64_t seen[ACCOUNTS]; /* event time of each account's seq */
};

static void die(const char *what)
{
	fprintf(stderr, "beside_reader: %s\n", what);
	exit(1);
}

static void violation(struct witness *witness, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void violation(struct witness *witness, const char *format, ...)
{
	if (witness->violations++ >= TOLD_MAX)
		return;
	va_list arguments;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A snapshot holds the records 0..newest, it says. */
static void see(struct witness *witness, int64_t newest, int64_t count)
{
	witness->snapshots++;
	if (count != newest + 1)
		violation(witness,
			"progress: %" PRId64 " records, the newest is %" PRId64,
			count, newest);
	if (newest < witness->newest)
		violation(witness,
			"record %" PRId64 " was the newest, now it is %" PRId64,
			witness->newest, newest);
	witness->commits += newest > witness->newest;
	witness->newest = newest;
}

/* ---- By libholdfast --------------------------------------------------- */

/* Features of a lookup, in this order. */
enum {
	PROGRESS_SEQ,
	PROGRESS_COUNT,
	ACCOUNT_SEQ,
	ACCOUNT_COUNT,
	BALANCE,
	MIRROR_SEQ,
	MIRROR_COUNT,
	FEATURES
};

static const char *const features[FEATURES] = {"progress:seq", "progress:count",
	"account:seq", "account:count", "account:balance", "mirror:seq",
	"mirror:count"};

static int64_t integer(const struct holdfast_value *value, int64_t otherwise)
{
	return value->type == HOLDFAST_TYPE_INT64 ? value->as.integer
						  : otherwise;
}

static void check_account(struct witness *witness, int64_t account,
	const struct holdfast_value *values)
{
	int64_t newest = witness->newest;
	int64_t seq = stream_seq(newest, account);
	int64_t count = stream_count(newest, account);
	if (integer(&values[ACCOUNT_SEQ], -1) != seq ||
		integer(&values[MIRROR_SEQ], -1) != seq ||
		integer(&values[ACCOUNT_COUNT], 0) != count ||
		integer(&values[MIRROR_COUNT], 0) != count)
		violation(witness,
			"account %" PRId64 " after record %" PRId64
			": seq %" PRId64 " and %" PRId64 ", must be %" PRId64
			"; count %" PRId64 " and %" PRId64 ", must be %" PRId64,
			account, newest, integer(&values[ACCOUNT_SEQ], -1),
			integer(&values[MIRROR_SEQ], -1), seq,
			integer(&values[ACCOUNT_COUNT], 0),
			integer(&values[MIRROR_COUNT], 0), count);
	int64_t event_time_us = values[ACCOUNT_SEQ].event_time_us;
	if (event_time_us < witness->seen[account])
		violation(witness,
			"account %" PRId64 ": version %" PRId64
			" after version %" PRId64,
			account, event_time_us, witness->seen[account]);
	witness->seen[account] = event_time_us;
	witness->reads += FEATURES;
}

static void check_balance(
	struct witness *witness, const struct holdfast_answer *answer)
{
	int64_t total = 0;
	for (size_t row = 0; row < answer->row_count; row++)
		total += integer(&answer->values[row * FEATURES + BALANCE], 0);
	if (total != 0)
		violation(witness, "all balances are %" PRId64 ", must be 0",
			total);
}

static const struct holdfast_answer *ask(
	struct holdfast_query *query, const int64_t *accounts, size_t count)
{
	static const int64_t only = 0;
	const struct holdfast_answer *answer;
	struct holdfast_error error;
	holdfast_bind_int64(query, 0, &only, 1);
	holdfast_bind_int64(query, 1, accounts, count);
	int rc = holdfast_lookup(query, &answer, &error);
	if (rc != HOLDFAST_OK)
		die(rc < 0 ? error.text : "refused");
	return answer;
}

static size_t choose(struct witness *witness, int64_t accounts[ACCOUNTS])
{
	if (chance_percent(&witness->chance, ALL_PERCENT)) {
		for (int64_t i = 0; i < ACCOUNTS; i++)
			accounts[i] = i;
		return ACCOUNTS;
	}
	size_t count = 1 + (size_t)chance_below(&witness->chance, FEW);
	for (size_t i = 0; i < count; i++)
		accounts[i] = (int64_t)chance_below(&witness->chance, ACCOUNTS);
	return count;
}

static void look_up(struct witness *witness, struct holdfast_query *query)
{
	int64_t accounts[ACCOUNTS];
	size_t count = choose(witness, accounts);
	const struct holdfast_answer *answer = ask(query, accounts, count);
	see(witness, integer(&answer->values[PROGRESS_SEQ], -1),
		integer(&answer->values[PROGRESS_COUNT], 0));
	if (witness->two_snapshots)
		answer = ask(query, accounts, count);
	for (size_t row = 0; row < count; row++)
		check_account(witness, accounts[row],
			&answer->values[row * FEATURES]);
	if (count == ACCOUNTS)
		check_balance(witness, answer);
}

static void *by_libholdfast(void *argument)
{
	struct witness *witness = argument;
	struct holdfast *store;
	struct holdfast_query *query;
	struct holdfast_error error;
	if (holdfast_open(&store, witness->path, HOLDFAST_BUSY_TIMEOUT_MS,
		    &error) < 0 ||
		holdfast_query_new(
			&query, store, features, FEATURES, NULL, &error) < 0)
		die(error.text);
	holdfast_keep(store, witness->keep);
	double end = now_s() + witness->seconds;
	while (now_s() < end)
		look_up(witness, query);
	holdfast_close(store);
	return NULL;
}

/* ---- By plain SQL ----------------------------------------------------- */

/* A statement that gives one row of at most 4 integers. */
static void select_row(
	sqlite3 *db, sqlite3_stmt *statement, int64_t out[4], int columns)
{
	int code = sqlite3_step(statement);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		die(sqlite3_errmsg(db));
	for (int i = 0; i < columns; i++)
		out[i] = code == SQLITE_ROW ? sqlite3_column_int64(statement, i)
					    : 0;
	sqlite3_reset(statement);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		die(sqlite3_errmsg(db));
	return statement;
}

enum { BEGIN, COMMIT, PROGRESS, TOTALS, PAIRS, STATEMENTS };

static const char *const sql[STATEMENTS] = {
	[BEGIN] = "BEGIN",
	[COMMIT] = "COMMIT",
	[PROGRESS] = "SELECT seq + 1, count FROM progress",
	[TOTALS] = "SELECT (SELECT total(seq + 1) FROM account),"
		   " (SELECT total(seq + 1) FROM mirror),"
		   " (SELECT sum(count) FROM account),"
		   " (SELECT sum(balance) FROM account)",
	/* One statement is one snapshot as well. */
	[PAIRS] = "SELECT count(*), max(a.seq) - max(p.seq) FROM account a"
		  " JOIN mirror m USING (account), progress p"
		  " WHERE a.seq <> m.seq OR a.count <> m.count"
		  " OR a.seq > p.seq",
};

static void check_totals(struct witness *witness, const int64_t totals[4])
{
	int64_t seqs = 0;
	for (int64_t i = 0; i < ACCOUNTS; i++)
		seqs += stream_seq(witness->newest, i) + 1;
	if (totals[0] != seqs || totals[1] != seqs ||
		totals[2] != witness->newest + 1 || totals[3] != 0)
		violation(witness,
			"SQL after record %" PRId64 ": seqs %" PRId64
			" and %" PRId64 ", must be %" PRId64 "; count %" PRId64
			", balance %" PRId64,
			witness->newest, totals[0], totals[1], seqs, totals[2],
			totals[3]);
	witness->reads += (int64_t)ACCOUNTS * 4;
}

static void select_all(struct witness *witness, sqlite3 *db,
	sqlite3_stmt *const statements[STATEMENTS])
{
	static const struct timespec between = {0, 1000000};
	int64_t progress[4], totals[4], pairs[4];
	if (!witness->two_snapshots)
		select_row(db, statements[BEGIN], NULL, 0);
	select_row(db, statements[PROGRESS], progress, 2);
	if (witness->two_snapshots)
		nanosleep(&between, NULL);
	select_row(db, statements[TOTALS], totals, 4);
	if (!witness->two_snapshots)
		select_row(db, statements[COMMIT], NULL, 0);
	see(witness, progress[0] - 1, progress[1]);
	check_totals(witness, totals);
	select_row(db, statements[PAIRS], pairs, 1);
	witness->snapshots++;
	if (pairs[0] != 0)
		violation(witness, "SQL: %" PRId64 " accounts differ in views",
			pairs[0]);
}

static void *by_sql(void *argument)
{
	struct witness *witness = argument;
	char uri[4096];
	sqlite3 *db = NULL;
	sqlite3_stmt *statements[STATEMENTS];
	int length = snprintf(
		uri, sizeof uri, "file:%s/features.db?mode=ro", witness->path);
	if (length < 0 || (size_t)length >= sizeof uri ||
		sqlite3_open_v2(uri, &db,
			SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
			NULL) != SQLITE_OK)
		die("SQLite can't open the store");
	sqlite3_busy_timeout(db, HOLDFAST_BUSY_TIMEOUT_MS);
	for (int i = 0; i < STATEMENTS; i++)
		statements[i] = prepare(db, sql[i]);
	double end = now_s() + witness->seconds;
	while (now_s() < end)
		select_all(witness, db, statements);
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(statements[i]);
	sqlite3_close(db);
	return NULL;
}

/* ---- The program ------------------------------------------------------ */

static void report(const struct witness *witnesses, size_t count)
{
	int64_t reads = 0, snapshots = 0, commits = 0, violations = 0;
	for (size_t i = 0; i < count; i++) {
		reads += witnesses[i].reads;
		snapshots += witnesses[i].snapshots;
		violations += witnesses[i].violations;
		if (witnesses[i].commits > commits)
			commits = witnesses[i].commits;
	}
	printf("{\"reads\": %" PRId64 ", \"snapshots\": %" PRId64
	       ", \"commits\": %" PRId64 ", \"violations\": %" PRId64 "}\n",
		reads, snapshots, commits, violations);
}

int main(int argc, char **argv)
{
	static struct witness witnesses[THREADS_MAX];
	size_t count = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 1;
	void *(*witnessing)(void *) = by_libholdfast;
	bool two_snapshots = false, keep = false;
	for (int i = 4; i < argc; i++) {
		if (strcmp(argv[i], "--sql") == 0)
			witnessing = by_sql;
		two_snapshots |= strcmp(argv[i], "--two-snapshots") == 0;
		keep |= strcmp(argv[i], "--keep") == 0;
	}
	if (argc < 4 || count < 1 || count > THREADS_MAX)
		die("beside_reader STORE SECONDS THREADS "
		    "[--keep] [--sql] [--two-snapshots]");
	for (size_t i = 0; i < count; i++) {
		witnesses[i] = (struct witness){
			.path = argv[1],
			.seconds = strtod(argv[2], NULL),
			.two_snapshots = two_snapshots,
			.keep = keep,
			.chance = {i + 1},
			.newest = -1,
		};
		for (size_t account = 0; account < ACCOUNTS; account++)
			witnesses[i].seen[account] = HOLDFAST_TIME_NONE;
		if (pthread_create(&witnesses[i].thread, NULL, witnessing,
			    &witnesses[i]) != 0)
			die("no more threads");
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(witnesses[i].thread, NULL);
	report(witnesses, count);
	return 0;
}
