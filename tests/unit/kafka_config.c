/* Which of librdkafka's settings an operator may give. */
#include "ingest/kafka/kafka_config.h"

#include "ingest/kafka/kafka_client.h"
#include "tests/lib/check.h"

#include <stdio.h>
#include <string.h>

static int check_one(const char *name, const char *value, struct fault *fault)
{
	struct kafka_setting item = {name, value};
	struct kafka_settings settings = {&item, 1};
	return kafka_settings_check(&settings, fault);
}

static void what_would_break_a_promise_is_refused_by_name(void **state)
{
	(void)state;
	static const struct kafka_setting cases[] = {
		{"enable.auto.commit", "true"},
		{"auto.commit.interval.ms", "1000"},
		{"enable.auto.offset.store", "true"},
		{"auto.offset.reset", "earliest"},
		{"isolation.level", "read_uncommitted"},
		{"check.crcs", "false"},
		{"enable.partition.eof", "false"},
		{"partition.assignment.strategy", "range"},
		{"group.protocol", "consumer"},
		{"group.remote.assignor", "uniform"},
		{"group.instance.id", "a"},
		{"enable.idempotence", "false"},
		{"acks", "1"},
		{"transactional.id", "t"},
		{"consume.callback.max.messages", "10"},
		{"allow.auto.create.topics", "true"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fault fault = {0};
		assert_int_equal(
			check_one(cases[i].name, cases[i].value, &fault),
			FAULT_USAGE);
		assert_non_null(strstr(fault.text, cases[i].name));
		/* A reason follows the name. */
		assert_non_null(strstr(fault.text, ": "));
	}
}

static void the_same_value_as_ours_may_be_repeated(void **state)
{
	(void)state;
	assert_int_equal(check_one("enable.auto.commit", "False", NULL), 0);
	assert_int_equal(check_one("auto.offset.reset", "error", NULL), 0);
	assert_int_equal(check_one("acks", "all", NULL), 0);
}

static void other_settings_of_librdkafka_go_through(void **state)
{
	(void)state;
	static const struct kafka_setting cases[] = {
		{"bootstrap.servers", "kafka-1:9092,kafka-2:9092"},
		{"group.id", "holdfast-fraud"},
		{"security.protocol", "SASL_SSL"},
		{"sasl.mechanisms", "SCRAM-SHA-512"},
		{"sasl.username", "holdfast"},
		{"fetch.wait.max.ms", "20"},
		{"max.poll.interval.ms", "600000"},
		{"linger.ms", "5"},	     /* concerns only a sink */
		{"compression.type", "lz4"}, /* likewise */
		{"socket.timeout.ms", "30000"},
	};
	struct kafka_settings settings = {
		cases, sizeof cases / sizeof cases[0]};
	struct fault fault = {0};
	assert_int_equal(kafka_settings_check(&settings, &fault), 0);
	assert_string_equal(fault.text, "");
}

static void unknown_settings_and_bad_values_are_named(void **state)
{
	(void)state;
	static const struct kafka_setting cases[] = {
		{"bootstrap.server", "kafka-1:9092"},
		{"fetch.wait.max.ms", "soon"},
		{"opaque", "x"},
		{"error_cb", "x"},
		{"security.protocol", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fault fault = {0};
		assert_int_equal(
			check_one(cases[i].name, cases[i].value, &fault),
			FAULT_USAGE);
		assert_non_null(strstr(fault.text, cases[i].name));
	}
}

static int open_client(enum kafka_role role,
	const struct kafka_settings *settings, struct fault *fault)
{
	rd_kafka_conf_t *conf = NULL;
	const char *group = role == KAFKA_PRODUCER ? NULL : "g";
	int rc = kafka_client_conf(&conf, settings, role, group, fault);
	if (rc != 0)
		return rc;
	rd_kafka_t *client = NULL;
	rc = kafka_client_open(&client, conf, role, fault);
	assert_true(kafka_client_close(client, 5000));
	return rc;
}

static void settings_of_one_side_do_not_hurt_the_other(void **state)
{
	(void)state;
	static const struct kafka_setting cases[] = {
		{"bootstrap.servers", "127.0.0.1:1"},
		{"linger.ms", "5"},
		{"fetch.wait.max.ms", "20"},
		{"acks", "all"},
		{"auto.offset.reset", "error"},
		{"message.timeout.ms", "5000"},
	};
	struct kafka_settings settings = {
		cases, sizeof cases / sizeof cases[0]};
	struct fault fault = {0};
	for (int role = KAFKA_CONSUMER; role <= KAFKA_PRODUCER; role++)
		assert_int_equal(
			open_client((enum kafka_role)role, &settings, &fault),
			0);
}

static void a_client_without_brokers_is_refused(void **state)
{
	(void)state;
	struct kafka_settings settings = {NULL, 0};
	struct fault fault = {0};
	assert_int_equal(
		open_client(KAFKA_CONSUMER, &settings, &fault), FAULT_USAGE);
	assert_non_null(strstr(fault.text, "bootstrap.servers"));
}

static void bad_versions_of_librdkafka_are_refused(void **state)
{
	(void)state;
	/* As rd_kafka_version() spells them: 0xMMmmrrpp, pp = ff. */
	assert_non_null(kafka_version_refused(0x020500ff));
	assert_non_null(kafka_version_refused(0x020600ff));
	assert_non_null(kafka_version_refused(0x020a00ff));
	assert_null(kafka_version_refused(0x020002ff));
	assert_null(kafka_version_refused(0x020503ff));
	assert_null(kafka_version_refused(0x020800ff));
	assert_null(kafka_version_refused(rd_kafka_version()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_would_break_a_promise_is_refused_by_name),
		cmocka_unit_test(the_same_value_as_ours_may_be_repeated),
		cmocka_unit_test(other_settings_of_librdkafka_go_through),
		cmocka_unit_test(unknown_settings_and_bad_values_are_named),
		cmocka_unit_test(settings_of_one_side_do_not_hurt_the_other),
		cmocka_unit_test(a_client_without_brokers_is_refused),
		cmocka_unit_test(bad_versions_of_librdkafka_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
