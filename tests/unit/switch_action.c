/*
 * Standing still for a switch: whoever stands must not go on by itself.
 */
#include "ingest/command/control.h"
#include "store/decisions.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <string.h>

static const char *why(struct store_rig *rig, int32_t number)
{
	const char *reason = "";
	const struct log *log = &store_rig_partition(rig, number)->log;
	(void)store_why_stopped(rig->store, log, &rig->arena, &reason, NULL);
	return reason;
}

static void stop(struct store_rig *rig, int32_t number, const char *reason)
{
	const struct store_stop stop = {
		.log = &store_rig_partition(rig, number)->log,
		.reason = reason,
		.detail = "a test",
		.log_start = LOG_START_UNKNOWN};
	assert_int_equal(
		store_stop_partition(rig->store, &stop, NULL, NULL), 0);
}

static void ask(struct store_rig *rig, control_action *action)
{
	const struct control control = {
		.store = rig->store, .owner = &rig->store, .who = "ada"};
	struct fault fault = {0};
	json_t *reply = NULL;
	json_t *arguments = json_pack("{s:s}", "generation", "g2");
	assert_int_equal(action(&control, arguments, &reply, &fault), 0);
	json_decref(arguments);
	json_decref(reply);
}

static void all_stand_still_and_go_on(void **state)
{
	struct store_rig *rig = *state;
	(void)store_rig_partition(rig, 0);
	ask(rig, control_switch_begin);
	assert_string_equal(why(rig, 0), STOP_SWITCHING);
	assert_int_equal(switch_stands(rig->store, NULL), 1);
	ask(rig, control_switch_abandon);
	assert_string_equal(why(rig, 0), "");
	assert_int_equal(switch_stands(rig->store, NULL), 0);
}

static void what_somebody_stopped_stays_as_it_is(void **state)
{
	struct store_rig *rig = *state;
	stop(rig, 0, STOP_PAUSED);
	stop(rig, 1, STOP_CHANGED);
	ask(rig, control_switch_begin);
	assert_string_equal(why(rig, 0), STOP_PAUSED);
	assert_string_equal(why(rig, 1), STOP_CHANGED);
	ask(rig, control_switch_abandon);
	assert_string_equal(why(rig, 0), STOP_PAUSED);
	assert_string_equal(why(rig, 1), STOP_CHANGED);
}

/* The pipeline would let it go on as soon as the key window has room. */
static void who_waits_for_the_key_window_stands_still_too(void **state)
{
	struct store_rig *rig = *state;
	stop(rig, 0, STOP_AHEAD);
	stop(rig, 1, STOP_WINDOW);
	ask(rig, control_switch_begin);
	assert_string_equal(why(rig, 0), STOP_SWITCHING);
	assert_string_equal(why(rig, 1), STOP_SWITCHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(all_stand_still_and_go_on),
		WITH_STORE(what_somebody_stopped_stays_as_it_is),
		WITH_STORE(who_waits_for_the_key_window_stands_still_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
