/* The configuration: where a setting comes from, and what is refused. Expected
 * defaults are design section 10 and 11's. */
#include "ingest/command/config.h"
#include "tests/lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rig {
	char directory[64];
	char file[96], secret[96];
	struct config config;
	struct fault fault;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	strcpy(rig->directory, "/tmp/holdfast-config-XXXXXX");
	assert_non_null(mkdtemp(rig->directory));
	assert_true(snprintf(rig->file, sizeof rig->file, "%s/holdfast.json",
			    rig->directory) > 0);
	assert_true(snprintf(rig->secret, sizeof rig->secret, "%s/secret",
			    rig->directory) > 0);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	config_finish(&rig->config);
	(void)unlink(rig->file);
	(void)unlink(rig->secret);
	(void)rmdir(rig->directory);
	free(rig);
	return 0;
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* A file with `text` (NULL: none), an environment and sets. */
static int load(struct rig *rig, const char *text,
	const char *const *environment, const char *set)
{
	char *sets[] = {set == NULL ? NULL : strdup(set)};
	if (text != NULL)
		write_text(rig->file, text);
	config_finish(&rig->config);
	int rc = config_load(&rig->config,
		&(struct config_request){
			.file = text == NULL ? NULL : rig->file,
			.environment = environment,
			.sets = sets,
			.set_count = set != NULL,
		},
		&rig->fault);
	free(sets[0]);
	return rc;
}

static void refused(struct rig *rig, const char *text, const char *told)
{
	assert_int_equal(load(rig, text, NULL, NULL), FAULT_USAGE);
	if (strstr(rig->fault.text, told) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", rig->fault.text, told);
	assert_non_null(strstr(rig->fault.text, "holdfast.json"));
}

static void without_a_file_all_is_default(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(chdir(rig->directory), 0);
	assert_int_equal(load(rig, NULL, NULL, NULL), 0);
	const struct config *config = &rig->config;
	assert_string_equal(config->schema, "schema.json");
	assert_string_equal(config->store.path, "/var/lib/holdfast");
	assert_int_equal(config->store.key_window_us, 3600000000);
	assert_int_equal(config->store.key_window_keys, 1000000);
	assert_int_equal(config->store.key_window_max_bytes, 8589934592);
	assert_int_equal(config->store.wal_max_bytes, 209715200);
	assert_int_equal(config->store.lock_wait_us, 10000000);
	assert_int_equal(config->store.busy_timeout_us, 5000000);
	assert_int_equal(config->ingest.linger_us, 3000);
	assert_int_equal(config->ingest.batch_age_us, 1000000);
	assert_int_equal(config->ingest.batch_records, 20000);
	assert_int_equal(config->ingest.batch_bytes, 67108864);
	assert_int_equal(config->ingest.max_skew_us, 3600000000);
	assert_int_equal(config->ingest.value_bytes_max, 1048576);
	assert_int_equal(config->ingest.depth_max, 64);
	assert_string_equal(config->serve.address, "127.0.0.1");
	assert_int_equal(config->serve.port, 6566);
	assert_null(config->file.path);
	assert_null(config->file.topic);
	assert_int_equal(config->kafka_count, 0);
	assert_null(config->origin);
}

static void the_file_in_the_working_directory_is_taken(void **state)
{
	struct rig *rig = *state;
	write_text(rig->file, "{\"store\": {\"path\": \"here\"}}");
	assert_int_equal(chdir(rig->directory), 0);
	assert_int_equal(load(rig, NULL, NULL, NULL), 0);
	assert_string_equal(rig->config.store.path, "here");
	assert_string_equal(rig->config.origin, "holdfast.json");
	assert_string_equal(rig->config.schema, "schema.json");
}

static void a_file_sets_what_it_names(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(
		load(rig,
			"{\"// why\": 1, \"store\": {\"path\": \"/s\", "
			"\"// that\": \"is\", \"key_window\": \"2h\", "
			"\"wal_max_bytes\": \"64MiB\"}, \"ingest\": "
			"{\"linger\": \"500us\", \"batch_records\": "
			"100}, \"kafka\": {\"bootstrap.servers\": "
			"\"a:1,b:2\", \"session.timeout.ms\": 6000, "
			"\"log.connection.close\": false}}",
			NULL, NULL),
		0);
	const struct config *config = &rig->config;
	assert_string_equal(config->store.path, "/s");
	assert_int_equal(config->store.key_window_us, 7200000000);
	assert_int_equal(config->store.wal_max_bytes, 67108864);
	assert_int_equal(config->ingest.linger_us, 500);
	assert_int_equal(config->ingest.batch_records, 100);
	assert_int_equal(config->ingest.batch_bytes, 67108864);
	assert_string_equal(
		config_kafka(config, "bootstrap.servers"), "a:1,b:2");
	assert_string_equal(config_kafka(config, "session.timeout.ms"), "6000");
	assert_string_equal(
		config_kafka(config, "log.connection.close"), "false");
	assert_null(config_kafka(config, "group.id"));
}

static void a_relative_schema_stands_beside_the_file(void **state)
{
	struct rig *rig = *state;
	char beside[128];
	assert_int_equal(
		load(rig, "{\"schema\": \"v2/s.json\"}", NULL, NULL), 0);
	assert_true(snprintf(beside, sizeof beside, "%s/v2/s.json",
			    rig->directory) > 0);
	assert_string_equal(rig->config.schema, beside);
	assert_int_equal(
		load(rig, "{\"schema\": \"/etc/s.json\"}", NULL, NULL), 0);
	assert_string_equal(rig->config.schema, "/etc/s.json");
	/* Not the file's: as the shell has it. */
	assert_int_equal(load(rig, "{}", NULL, "schema=s.json"), 0);
	assert_string_equal(rig->config.schema, "s.json");
}

static void environment_beats_the_file_and_set_beats_both(void **state)
{
	struct rig *rig = *state;
	static const char *const environment[] = {"HOME=/root",
		"HOLDFAST_STORE_PATH=/environment",
		"HOLDFAST_INGEST_BATCH_RECORDS=7",
		"HOLDFAST_KAFKA_BOOTSTRAP_SERVERS=e:1", "HOLDFAST_CACHE=/tmp/x",
		"HOLDFAST_FAILPOINT=commit:1", NULL};
	assert_int_equal(
		load(rig,
			"{\"store\": {\"path\": \"/file\"}, \"ingest\":"
			" {\"batch_records\": 5, \"depth_max\": 9}, "
			"\"kafka\": {\"bootstrap.servers\": \"f:1\"}}",
			environment, "ingest.batch_records=11"),
		0);
	assert_string_equal(rig->config.store.path, "/environment");
	assert_int_equal(rig->config.ingest.batch_records, 11);
	assert_int_equal(rig->config.ingest.depth_max, 9);
	assert_string_equal(
		config_kafka(&rig->config, "bootstrap.servers"), "e:1");
	assert_int_equal(rig->config.kafka_count, 1);
}

static void an_unknown_setting_names_the_nearest(void **state)
{
	struct rig *rig = *state;
	refused(rig, "{\"ingest\": {\"batch_record\": 5}}",
		"unknown setting ingest.batch_record: did you mean "
		"ingest.batch_records?");
	refused(rig, "{\"stroe\": {}}", "did you mean store?");
	refused(rig, "{\"store.path\": \"/x\"}", "settings are nested");
	assert_int_equal(load(rig, "{}", NULL, "store.pth=/x"), FAULT_USAGE);
	assert_non_null(strstr(rig->fault.text, "did you mean store.path?"));
	static const char *const environment[] = {
		"HOLDFAST_STORE_KEY_WINDWO=1h", NULL};
	assert_int_equal(load(rig, "{}", environment, NULL), FAULT_USAGE);
	assert_non_null(
		strstr(rig->fault.text, "did you mean store.key_window?"));
}

static void settings_of_serving_come_from_anywhere(void **state)
{
	struct rig *rig = *state;
	static const char *const environment[] = {
		"HOLDFAST_SERVE_ADDRESS=0.0.0.0", "HOLDFAST_SERVE_PORT=0",
		NULL};
	assert_int_equal(load(rig,
				 "{\"serve\": {\"port\": 7000, "
				 "\"wait_time\": \"250ms\", "
				 "\"body_bytes_max\": \"2MiB\"}}",
				 environment, "serve.entities_max=500"),
		0);
	assert_string_equal(rig->config.serve.address, "0.0.0.0");
	assert_int_equal(rig->config.serve.port, 0);
	assert_int_equal(rig->config.serve.wait_time_us, 250000);
	assert_int_equal(rig->config.serve.body_bytes_max, 2097152);
	assert_int_equal(rig->config.serve.entities_max, 500);
	refused(rig, "{\"serve\": {\"port\": 65536}}",
		"serve.port is \"65536\": give 0 to 65535");
	refused(rig, "{\"serv\": {}}", "did you mean serve?");
}

/* What a pod finds beside services named holdfast-serve and holdfast-kafka. */
static void service_links_of_kubernetes_are_told_apart(void **state)
{
	struct rig *rig = *state;
	static const char *const links[] = {
		"HOLDFAST_SERVE_SERVICE_HOST=10.0.0.11",
		"HOLDFAST_SERVE_SERVICE_PORT=6566",
		"HOLDFAST_SERVE_SERVICE_PORT_HTTP=6566",
		"HOLDFAST_SERVE_PORT=tcp://10.0.0.11:6566",
		"HOLDFAST_SERVE_PORT_6566_TCP=tcp://10.0.0.11:6566",
		"HOLDFAST_SERVE_PORT_6566_TCP_PROTO=tcp",
		"HOLDFAST_KAFKA_PORT=tcp://10.0.0.12:9092",
		"HOLDFAST_KAFKA_PORT_9092_TCP_ADDR=10.0.0.12"};
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
		const char *const environment[] = {links[i], NULL};
		assert_int_equal(
			load(rig, "{}", environment, NULL), FAULT_USAGE);
		if (strstr(rig->fault.text, "enableServiceLinks") == NULL)
			fail_msg("%s: %s", links[i], rig->fault.text);
	}
	static const char *const others[] = {"HOLDFAST_PORT=tcp://10.0.0.13:80",
		"HOLDFAST_SERVICE_HOST=10.0.0.13", NULL};
	assert_int_equal(load(rig, "{}", others, NULL), 0);
	static const char *const plain[] = {"HOLDFAST_SERVE_PORT=http", NULL};
	assert_int_equal(load(rig, "{}", plain, NULL), FAULT_USAGE);
	assert_non_null(strstr(rig->fault.text, "give a whole number"));
}

static void numbers_without_unit_are_refused_with_the_units(void **state)
{
	struct rig *rig = *state;
	refused(rig, "{\"ingest\": {\"linger\": 3}}", "us, ms, s, m, h or d");
	refused(rig, "{\"ingest\": {\"linger\": \"3\"}}",
		"us, ms, s, m, h or d");
	refused(rig, "{\"store\": {\"wal_max_bytes\": 1000000}}",
		"B, kB, MB, GB, KiB, MiB or GiB");
	refused(rig, "{\"ingest\": {\"batch_records\": \"5ms\"}}",
		"a whole number");
}

static void bounds_are_checked_and_told(void **state)
{
	struct rig *rig = *state;
	refused(rig, "{\"ingest\": {\"batch_records\": 20001}}",
		"ingest.batch_records is \"20001\": give 1 to 20000");
	refused(rig, "{\"ingest\": {\"batch_records\": 0}}", "1 to 20000");
	refused(rig, "{\"store\": {\"wal_max_bytes\": \"1kB\"}}",
		"give 1MiB to 64GiB");
	refused(rig, "{\"ingest\": {\"batch_age\": \"2h\"}}", "give 1ms to 1m");
	refused(rig, "{\"store\": {\"path\": \"\"}}", "store.path is empty");
}

static void what_is_no_setting_is_refused_with_its_place(void **state)
{
	struct rig *rig = *state;
	refused(rig, "{\"store\": 5}", "store is no object");
	refused(rig, "[]", "one JSON object");
	refused(rig, "{\"store\": {\"path\": [1]}}", "store.path is neither");
	refused(rig, "{\n\"store\":\n}", ":3: ");
	refused(rig, "{\"schema\": \"a\", \"schema\": \"b\"}", "duplicate");
	assert_int_equal(load(rig, "{}", NULL, "file.topic=t"), FAULT_USAGE);
	assert_non_null(strstr(rig->fault.text, "file.topic is set"));
	assert_int_equal(
		config_load(&rig->config,
			&(struct config_request){.file = "/nowhere/h.json"},
			&rig->fault),
		FAULT_USAGE);
	assert_non_null(strstr(rig->fault.text, "/nowhere/h.json"));
}

static void a_secret_is_read_from_its_file(void **state)
{
	struct rig *rig = *state;
	char text[256];
	write_text(rig->secret, "two words\n");
	assert_true(snprintf(text, sizeof text,
			    "{\"kafka\": {\"sasl.password\": {\"file\": "
			    "\"%s\"}}}",
			    rig->secret) > 0);
	assert_int_equal(load(rig, text, NULL, NULL), 0);
	assert_string_equal(
		config_kafka(&rig->config, "sasl.password"), "two words");
	assert_int_equal(unlink(rig->secret), 0);
	refused(rig, text, "secret");
	refused(rig, "{\"kafka\": {\"sasl.password\": {\"fiel\": \"x\"}}}",
		"{\"file\": \"PATH\"}");
	refused(rig, "{\"store\": {\"path\": {\"file\": \"x\"}}}",
		"store.path is neither");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			without_a_file_all_is_default, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_file_in_the_working_directory_is_taken, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_file_sets_what_it_names, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_relative_schema_stands_beside_the_file, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			environment_beats_the_file_and_set_beats_both, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			an_unknown_setting_names_the_nearest, setup, teardown),
		cmocka_unit_test_setup_teardown(
			settings_of_serving_come_from_anywhere, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			service_links_of_kubernetes_are_told_apart, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			numbers_without_unit_are_refused_with_the_units, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			bounds_are_checked_and_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_no_setting_is_refused_with_its_place, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_secret_is_read_from_its_file, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
