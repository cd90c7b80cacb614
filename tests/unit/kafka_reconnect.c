/* What comes over a connection that is newer than the comparison of its log. */
#include "tests/lib/check.h"
#include "tests/lib/kafka_rig.h"

#define LIST_OFFSETS 2	  /* Kafka's number of the request */
#define REFUSALS_MAX 1000 /* far more than are asked for in a test */

static int tear_down(void **state)
{
	rig_stop(*state);
	return 0;
}

/* t:0 is led by broker 1, t:1 by broker 2. No log is compared but for a
 * reason: its turn comes far behind the end of the test. */
static int two_brokers(void **state)
{
	static struct kafka_rig rig;
	*state = &rig;
	rig_start_brokers(&rig, 2, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(rd_kafka_mock_partition_set_leader(
					 rig.mock.cluster, "t", i, i + 1),
			RD_KAFKA_RESP_ERR_NO_ERROR);
	rig.options.identity_check_ms = 3600000;
	return 0;
}

/* A log whose bounds nobody tells can't be compared; it can be read. */
static void refuse_comparing(struct kafka_rig *rig)
{
	static rd_kafka_resp_err_t refusals[REFUSALS_MAX];
	for (int i = 0; i < REFUSALS_MAX; i++)
		refusals[i] = RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR;
	rd_kafka_mock_push_request_errors_array(
		rig->mock.cluster, LIST_OFFSETS, REFUSALS_MAX, refusals);
}

static void allow_comparing(struct kafka_rig *rig)
{
	rd_kafka_mock_clear_request_errors(rig->mock.cluster, LIST_OFFSETS);
}

/* Five records of each are taken, and both ends were seen. */
static bool both_have_ended(const struct kafka_rig *rig)
{
	return rig->records == 10 && rig->partitions[0].ends > 0 &&
	       rig->partitions[1].ends > 0;
}

static void take_five_of_each(struct kafka_rig *rig)
{
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	mock_kafka_fill(&rig->mock, "t", 1, 0, 5);
	rig_open(rig);
	rig_until(rig, both_have_ended);
}

static void break_connections(struct kafka_rig *rig, int broker)
{
	rd_kafka_mock_broker_set_down(rig->mock.cluster, broker);
	rd_kafka_mock_broker_set_up(rig->mock.cluster, broker);
}

static bool first_has_ten(const struct kafka_rig *rig)
{
	return rig->partitions[0].records == 10;
}

static bool second_has_ten(const struct kafka_rig *rig)
{
	return rig->partitions[1].records == 10;
}

/* The rig sees to it that they come once, and in order. */
static void a_broken_connection_loses_nothing(void **state)
{
	struct kafka_rig *rig = *state;
	take_five_of_each(rig);
	for (int i = 1; i <= 3; i++) {
		break_connections(rig, 1);
		break_connections(rig, 2);
		mock_kafka_fill(&rig->mock, "t", 0, 5 * i, 5);
		mock_kafka_fill(&rig->mock, "t", 1, 5 * i, 5);
		rig_until_records(rig, 10 + 10 * i);
	}
	assert_false(rig->partitions[0].stopped);
	assert_false(rig->partitions[1].stopped);
}

static void nothing_is_taken_over_a_new_connection_before_it_is_compared(
	void **state)
{
	struct kafka_rig *rig = *state;
	take_five_of_each(rig);
	refuse_comparing(rig);
	break_connections(rig, 1);
	mock_kafka_fill(&rig->mock, "t", 0, 5, 5);
	rig_for_ms(rig, 2000);
	assert_int_equal(rig->partitions[0].records, 5);
	allow_comparing(rig);
	rig_until(rig, first_has_ten);
}

static void who_is_led_by_another_broker_goes_on(void **state)
{
	struct kafka_rig *rig = *state;
	take_five_of_each(rig);
	refuse_comparing(rig);
	break_connections(rig, 1);
	rig_for_ms(rig, 500);
	rd_kafka_mock_broker_set_down(rig->mock.cluster, 1);
	rig_for_ms(rig, 500);
	mock_kafka_fill(&rig->mock, "t", 1, 5, 5);
	rig_until(rig, second_has_ten);
	assert_int_equal(rig->partitions[0].records, 5);
	rd_kafka_mock_broker_set_up(rig->mock.cluster, 1);
	allow_comparing(rig);
	mock_kafka_fill(&rig->mock, "t", 0, 5, 5);
	rig_until(rig, first_has_ten);
}

static void nothing_is_taken_from_a_new_leader_before_it_is_compared(
	void **state)
{
	struct kafka_rig *rig = *state;
	take_five_of_each(rig);
	refuse_comparing(rig);
	assert_int_equal(rd_kafka_mock_partition_set_leader(
				 rig->mock.cluster, "t", 0, 2),
		RD_KAFKA_RESP_ERR_NO_ERROR);
	mock_kafka_fill(&rig->mock, "t", 0, 5, 5);
	rig_for_ms(rig, 2000);
	assert_int_equal(rig->partitions[0].records, 5);
	mock_kafka_fill(&rig->mock, "t", 1, 5, 5);
	rig_until(rig, second_has_ten);
	allow_comparing(rig);
	rig_until(rig, first_has_ten);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, two_brokers, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_broken_connection_loses_nothing),
		TEST(nothing_is_taken_over_a_new_connection_before_it_is_compared),
		TEST(who_is_led_by_another_broker_goes_on),
		TEST(nothing_is_taken_from_a_new_leader_before_it_is_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
