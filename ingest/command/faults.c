/* holdfast faults: every error that can come, and what is done about it. */
#include "ingest/command/command.h"
#include "ingest/command/options.h"
#include "ingest/command/say.h"
#include "ingest/command/table.h"
#include "ingest/kafka/kafka_codes.h"
#include "schema/disposition.h"
#include "schema/policy.h"
#include "store/file_codes.h"
#include "store/sql_codes.h"

#include <jansson.h>
#include <stdio.h>

static const struct options_spec spec = {
	.usage = "faults [--json]",
	.summary = "Shows every error that events, SQLite, the file system and "
		   "Kafka can give, and what holdfast does\nabout each. What "
		   "is wrong with the infrastructure never becomes a dead "
		   "letter.",
	.json = true,
};

#define FAMILY_COUNT 5

static void list_families(const struct policy_family *out[FAMILY_COUNT])
{
	out[0] = reason_codes();
	out[1] = policy_faults();
	out[2] = sql_codes();
	out[3] = file_codes();
	out[4] = kafka_codes();
}

static bool print_policies(void)
{
	static const struct column columns[] = {
		{"policy", false}, {"what happens", false}};
	struct table *table = table_new(columns, 2);
	if (table == NULL)
		return false;
	for (int i = 0; i < POLICY_COUNT; i++) {
		table_add(table, "%s", policy_name((enum policy)i));
		table_add(table, "%s", policy_meaning((enum policy)i));
	}
	bool printed = table_print(table, stdout);
	table_free(table);
	return printed;
}

static bool print_family(const struct policy_family *family)
{
	const struct column columns[] = {{"code", true}, {family->name, false},
		{"policy", false}, {"what it means; what to do", false}};
	struct table *table = table_new(columns, 4);
	if (table == NULL)
		return false;
	struct policy_entry entry;
	for (size_t i = 0; family->at(i, &entry); i++) {
		if (entry.code == 0)
			table_add(table, "-");
		else
			table_add(table, "%d", entry.code);
		table_add(table, "%s", entry.name);
		table_add(table, "%s", policy_name(entry.policy));
		table_add(table, "%s%s%s", entry.meaning,
			entry.advice[0] == '\0' ? "" : "; ", entry.advice);
	}
	putchar('\n');
	bool printed = table_print(table, stdout);
	table_free(table);
	printf("Others: %s\n", family->otherwise);
	return printed;
}

static bool print_tables(void)
{
	const struct policy_family *families[FAMILY_COUNT];
	list_families(families);
	bool printed = print_policies();
	for (size_t i = 0; printed && i < FAMILY_COUNT; i++)
		printed = print_family(families[i]);
	return printed;
}

static json_t *policies_json(void)
{
	json_t *policies = json_object();
	for (int i = 0; i < POLICY_COUNT; i++)
		json_object_set_new(policies, policy_name((enum policy)i),
			json_string(policy_meaning((enum policy)i)));
	return policies;
}

static json_t *family_json(const struct policy_family *family)
{
	json_t *list = json_array();
	struct policy_entry entry;
	for (size_t i = 0; family->at(i, &entry); i++)
		json_array_append_new(
			list, json_pack("{s:i, s:s, s:s, s:s, s:s}", "code",
				      entry.code, "name", entry.name, "policy",
				      policy_name(entry.policy), "meaning",
				      entry.meaning, "advice", entry.advice));
	return json_pack(
		"{s:s, s:o}", "otherwise", family->otherwise, "codes", list);
}

static bool print_json(void)
{
	const struct policy_family *families[FAMILY_COUNT];
	list_families(families);
	json_t *tables = json_object();
	for (size_t i = 0; i < FAMILY_COUNT; i++)
		json_object_set_new(
			tables, families[i]->name, family_json(families[i]));
	json_t *all = json_pack(
		"{s:o, s:o}", "policies", policies_json(), "families", tables);
	bool printed = all != NULL && json_dumpf(all, stdout, 0) == 0;
	putchar('\n');
	json_decref(all);
	return printed;
}

int command_faults(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	int rc = options_parse(&options, &spec, NULL, argc, argv, &fault);
	bool printed = true;
	if (rc == OPTIONS_GO)
		printed = options.json ? print_json() : print_tables();
	options_finish(&options);
	if (!printed)
		rc = fault_set(&fault, FAULT_OOM, "out of memory");
	return rc < 0 ? say_fault(&fault) : STATUS_GOOD;
}
