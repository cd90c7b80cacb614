/*
 * The tables of errors: complete, by the libraries' own headers; and no error
 * of the infrastructure ever becomes a dead letter.
 */
#include "ingest/kafka/kafka_codes.h"
#include "schema/disposition.h"
#include "schema/policy.h"
#include "store/file_codes.h"
#include "store/sql.h"
#include "store/sql_codes.h"
#include "tests/lib/check.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQLITE_KNOWN 3046001   /* Debian 13's; newer ones may have more */
#define KAFKA_KNOWN 0x020f00ff /* 2.15 */
#define SQLITE_CODES_LEAST 100 /* or the header was not read */
#define KAFKA_CODES_LEAST 150

static bool find_name(const struct policy_family *family, const char *name,
	struct policy_entry *out)
{
	for (size_t i = 0; family->at(i, out); i++)
		if (strcmp(out->name, name) == 0)
			return true;
	return false;
}

static int code_named(const char *name)
{
	struct policy_entry entry;
	if (!find_name(sql_codes(), name, &entry))
		fail_msg("%s is in no line", name);
	return entry.code;
}

/* "#define SQLITE_BUSY 5" or "(SQLITE_BUSY | (1<<8))". */
static bool read_sqlite_line(const char *line, char name[64], int *code)
{
	char base[64];
	int shifted = 0;
	if (sscanf(line, "#define %63[A-Z_] (%63[A-Z_] | (%d<<8))", name, base,
		    &shifted) == 3) {
		*code = code_named(base) | shifted << 8;
		return true;
	}
	return sscanf(line, "#define %63[A-Z_] %d", name, code) == 2;
}

static void every_code_of_sqlite_has_its_line(void **state)
{
	(void)state;
	FILE *header = fopen(SQLITE_HEADER, "r");
	assert_non_null(header);
	char line[512], name[64];
	int code = 0, seen = 0;
	bool inside = false;
	while (fgets(line, sizeof line, header) != NULL) {
		inside |= strncmp(line, "#define SQLITE_OK ", 18) == 0;
		if (strncmp(line, "#define SQLITE_OPEN_", 20) == 0)
			break;
		if (!inside || !read_sqlite_line(line, name, &code))
			continue;
		struct policy_entry entry;
		seen++;
		if (find_name(sql_codes(), name, &entry))
			assert_int_equal(entry.code, code);
		else if (SQLITE_VERSION_NUMBER <= SQLITE_KNOWN)
			fail_msg("%s has no line", name);
	}
	fclose(header);
	assert_true(seen >= SQLITE_CODES_LEAST);
}

static void every_code_of_librdkafka_has_its_line(void **state)
{
	(void)state;
	static const char prefix[] = "RD_KAFKA_RESP_ERR_";
	FILE *header = fopen(RDKAFKA_HEADER, "r");
	assert_non_null(header);
	char line[512], name[96];
	int code = 0, seen = 0;
	while (fgets(line, sizeof line, header) != NULL) {
		const char *start = line + strspn(line, " \t");
		if (strncmp(start, prefix, sizeof prefix - 1) != 0 ||
			sscanf(start + sizeof prefix - 1, "%95[A-Z_0-9] = %d",
				name, &code) != 2)
			continue;
		struct policy_entry entry;
		seen++;
		if (find_name(kafka_codes(), name, &entry))
			assert_int_equal(entry.code, code);
		else if (RD_KAFKA_VERSION <= KAFKA_KNOWN)
			fail_msg("%s has no line", name);
	}
	fclose(header);
	assert_true(seen >= KAFKA_CODES_LEAST);
}

/* Source: design section 8; faults.md S4 to S8. */
static void what_sqlite_says_leads_to_what_the_design_says(void **state)
{
	(void)state;
	static const struct {
		int code, fault;
		enum policy policy;
	} cases[] = {
		{SQLITE_BUSY, FAULT_BUSY, POLICY_RETRY},
		{SQLITE_BUSY_SNAPSHOT, FAULT_BUSY, POLICY_RETRY},
		{SQLITE_BUSY_RECOVERY, FAULT_BUSY, POLICY_RETRY},
		{SQLITE_LOCKED, FAULT_BUSY, POLICY_RETRY},
		{SQLITE_PROTOCOL, FAULT_BUSY, POLICY_RETRY},
		{SQLITE_FULL, FAULT_FULL, POLICY_WAIT},
		{SQLITE_IOERR_SHMSIZE, FAULT_FULL, POLICY_WAIT},
		{SQLITE_IOERR_FSYNC, FAULT_IO, POLICY_EXIT},
		{SQLITE_IOERR_WRITE, FAULT_IO, POLICY_EXIT},
		{SQLITE_IOERR_TRUNCATE, FAULT_IO, POLICY_EXIT},
		{SQLITE_IOERR_DIR_FSYNC, FAULT_IO, POLICY_EXIT},
		{SQLITE_IOERR_READ, FAULT_IO, POLICY_EXIT},
		{SQLITE_IOERR_SHORT_READ, FAULT_IO, POLICY_EXIT},
		{SQLITE_IOERR_NOMEM, FAULT_OOM, POLICY_EXIT},
		{SQLITE_NOMEM, FAULT_OOM, POLICY_EXIT},
		{SQLITE_CORRUPT, FAULT_CORRUPT, POLICY_REFUSE},
		{SQLITE_CORRUPT_INDEX, FAULT_CORRUPT, POLICY_REFUSE},
		{SQLITE_NOTADB, FAULT_CORRUPT, POLICY_REFUSE},
		{SQLITE_CANTOPEN, FAULT_IO, POLICY_EXIT},
		{SQLITE_READONLY_DBMOVED, FAULT_IO, POLICY_EXIT},
		{SQLITE_CONSTRAINT, FAULT_INTERNAL, POLICY_EXIT},
		{SQLITE_MISUSE, FAULT_INTERNAL, POLICY_EXIT},
		/* Codes of a later SQLite: as their primary one; or ours. */
		{SQLITE_IOERR | 200 << 8, FAULT_IO, POLICY_EXIT},
		{SQLITE_BUSY | 200 << 8, FAULT_BUSY, POLICY_RETRY},
		{99, FAULT_INTERNAL, POLICY_EXIT},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int fault = sql_fault(NULL, cases[i].code, NULL, "here");
		if (fault != cases[i].fault)
			fail_msg("SQLite %d gave %d", cases[i].code, fault);
		assert_int_equal(policy_of_fault(fault), cases[i].policy);
	}
}

static void each_line_of_sqlite_is_what_its_fault_asks_for(void **state)
{
	(void)state;
	struct policy_entry entry;
	for (size_t i = 0; sql_codes()->at(i, &entry); i++) {
		if (entry.policy == POLICY_NONE)
			continue;
		int fault = sql_fault(NULL, entry.code, NULL, "here");
		assert_int_equal(policy_of_fault(fault), entry.policy);
	}
}

static void what_the_file_system_says_leads_to_what_the_design_says(
	void **state)
{
	(void)state;
	static const struct {
		int error, fault;
	} cases[] = {
		{ENOSPC, FAULT_FULL}, {EDQUOT, FAULT_FULL}, {EIO, FAULT_IO},
		{ENOMEM, FAULT_OOM}, {EMFILE, FAULT_IO}, {EINTR, FAULT_BUSY},
		{EACCES, FAULT_REFUSED}, {EROFS, FAULT_REFUSED},
		{ENOTDIR, FAULT_REFUSED},
		{ENOTTY, FAULT_IO}, /* never seen here */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fault fault = {0};
		assert_int_equal(
			file_fault(&fault, cases[i].error, "can't open", "/x"),
			cases[i].fault);
		assert_non_null(strstr(fault.text, "can't open /x: "));
		assert_non_null(strstr(fault.text, strerror(cases[i].error)));
	}
}

static void what_kafka_says_leads_to_what_the_design_says(void **state)
{
	(void)state;
	static const struct {
		rd_kafka_resp_err_t code;
		enum policy policy;
	} cases[] = {
		{RD_KAFKA_RESP_ERR__TRANSPORT, POLICY_WAIT},
		{RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, POLICY_WAIT},
		{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, POLICY_WAIT},
		{RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, POLICY_RETRY},
		{RD_KAFKA_RESP_ERR_NOT_COORDINATOR, POLICY_RETRY},
		{RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, POLICY_RETRY},
		{RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, POLICY_RETRY},
		{RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, POLICY_RETRY},
		{RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, POLICY_RETRY},
		{RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, POLICY_RETRY},
		{RD_KAFKA_RESP_ERR__BAD_MSG, POLICY_STOP},
		{RD_KAFKA_RESP_ERR__FATAL, POLICY_EXIT},
		{RD_KAFKA_RESP_ERR__PARTITION_EOF, POLICY_NONE},
		{RD_KAFKA_RESP_ERR_NO_ERROR, POLICY_NONE},
		{(rd_kafka_resp_err_t)9999, POLICY_STOP}, /* of a later one */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (kafka_policy(cases[i].code) != cases[i].policy)
			fail_msg("Kafka %d", (int)cases[i].code);
}

static const struct policy_family *family(int index)
{
	switch (index) {
	case 0:
		return policy_faults();
	case 1:
		return sql_codes();
	case 2:
		return file_codes();
	case 3:
		return kafka_codes();
	default:
		return NULL;
	}
}

static void no_error_of_the_infrastructure_condemns_an_event(void **state)
{
	(void)state;
	const struct policy_family *held;
	struct policy_entry entry;
	for (int f = 0; (held = family(f)) != NULL; f++)
		for (size_t i = 0; held->at(i, &entry); i++)
			if (entry.policy == POLICY_DEAD ||
				entry.policy == POLICY_PARK)
				fail_msg("%s", entry.name);
}

static void only_events_are_parked_or_dead_and_nothing_else_of_them(
	void **state)
{
	(void)state;
	static const enum reason parks[] = {
		REASON_UNKNOWN_VIEW, REASON_CRASH_LOOP};
	struct policy_entry entry;
	size_t parked = 0, count = 0;
	for (; reason_codes()->at(count, &entry); count++) {
		assert_true(entry.policy == POLICY_DEAD ||
			    entry.policy == POLICY_PARK);
		parked += entry.policy == POLICY_PARK;
	}
	assert_int_equal(count, REASON_COUNT - 1);
	assert_int_equal(parked, sizeof parks / sizeof parks[0]);
	for (size_t i = 0; i < sizeof parks / sizeof parks[0]; i++)
		assert_int_equal(reason_policy(parks[i]), POLICY_PARK);
}

static void lines_are_whole_and_said_once(void **state)
{
	(void)state;
	const struct policy_family *held;
	struct policy_entry one, other;
	for (int f = 0; (held = family(f)) != NULL; f++) {
		for (size_t i = 0; held->at(i, &one); i++) {
			assert_true(one.name[0] != '\0');
			assert_true(one.meaning[0] != '\0');
			assert_non_null(one.advice);
			for (size_t k = 0; k < i; k++) {
				assert_true(held->at(k, &other));
				if (strcmp(one.name, other.name) == 0 ||
					one.code == other.code)
					fail_msg("twice: %s", one.name);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_of_sqlite_has_its_line),
		cmocka_unit_test(every_code_of_librdkafka_has_its_line),
		cmocka_unit_test(
			what_sqlite_says_leads_to_what_the_design_says),
		cmocka_unit_test(
			each_line_of_sqlite_is_what_its_fault_asks_for),
		cmocka_unit_test(
			what_the_file_system_says_leads_to_what_the_design_says),
		cmocka_unit_test(what_kafka_says_leads_to_what_the_design_says),
		cmocka_unit_test(
			no_error_of_the_infrastructure_condemns_an_event),
		cmocka_unit_test(
			only_events_are_parked_or_dead_and_nothing_else_of_them),
		cmocka_unit_test(lines_are_whole_and_said_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
