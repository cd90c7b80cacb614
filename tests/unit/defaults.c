/* A setting's default is the one its room has: what --help says is what runs.
 */
#include "ingest/command/config.h"
#include "ingest/keeper.h"
#include "ingest/pipeline.h"
#include "store/serve/serve.h"
#include "store/store.h"
#include "tests/lib/check.h"

#include <unistd.h>

static void settings_and_rooms_agree(void **state)
{
	(void)state;
	struct config config;
	static const char *const nothing[] = {NULL};
	struct config_request request = {
		.file = "/dev/stdin", .environment = nothing};
	int pipe_ends[2];
	assert_int_equal(pipe(pipe_ends), 0);
	assert_int_equal(write(pipe_ends[1], "{}", 2), 2);
	assert_int_equal(close(pipe_ends[1]), 0);
	assert_int_equal(dup2(pipe_ends[0], STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(config_load(&config, &request, NULL), 0);

	struct store_options store = store_options_default();
	assert_int_equal(config.store.key_window_us, store.key_window_us);
	assert_int_equal(config.store.key_window_keys, store.key_window_keys);
	assert_int_equal(
		config.store.key_window_max_bytes, store.key_window_max_bytes);
	assert_int_equal(config.store.wal_max_bytes, store.wal_max_bytes);
	assert_int_equal(config.store.cache_bytes, store.cache_bytes);
	assert_int_equal(config.store.ballast_bytes, store.ballast_bytes);
	assert_int_equal(config.store.reader_max_us, store.reader_max_us);
	assert_int_equal(
		config.store.busy_timeout_us / 1000, store.busy_timeout_ms);

	struct pipeline_options pipeline = pipeline_options_default();
	assert_int_equal(config.ingest.linger_us, pipeline.linger_us);
	assert_int_equal(config.ingest.batch_age_us, pipeline.batch_age_us);
	assert_int_equal(config.ingest.batch_records, pipeline.batch_records);
	assert_int_equal(config.ingest.batch_bytes, pipeline.batch_bytes);
	assert_int_equal(
		config.ingest.max_skew_us, pipeline.decoder.max_skew_us);
	assert_int_equal(config.ingest.value_bytes_max,
		pipeline.decoder.value_bytes_max);
	assert_int_equal(config.ingest.depth_max, pipeline.decoder.depth_max);

	struct keeper_options keeper = keeper_options_default();
	assert_int_equal(config.ingest.retry_attempts, keeper.retry_attempts);
	assert_int_equal(config.ingest.parked_max, keeper.limits.parked_max);
	assert_int_equal(
		config.ingest.parked_max_bytes, keeper.limits.parked_max_bytes);
	assert_int_equal(
		config.ingest.dead_max_bytes, keeper.limits.dead_max_bytes);
	assert_int_equal(config.ingest.dead_keep_us, keeper.dead_keep_us);
	assert_true(config.ingest.dead_share_max == keeper.dead_share_max);

	struct serve_options serve = serve_options_default();
	assert_string_equal(config.serve.address, serve.address);
	assert_int_equal(config.serve.port, serve.port);
	assert_int_equal(config.serve.threads, serve.threads);
	assert_int_equal(config.serve.body_bytes_max, serve.body_bytes_max);
	assert_int_equal(
		config.serve.replies_bytes_max, serve.replies_bytes_max);
	assert_int_equal(config.serve.entities_max, serve.entities_max);
	assert_int_equal(config.serve.features_max, serve.features_max);
	assert_int_equal(config.serve.connections_max, serve.connections_max);
	assert_int_equal(config.serve.request_time_us, serve.request_time_us);
	assert_int_equal(config.serve.idle_time_us, serve.idle_time_us);
	assert_int_equal(config.serve.wait_time_us, serve.wait_time_us);
	assert_int_equal(config.serve.waiting_max, serve.waiting_max);
	assert_int_equal(config.serve.stop_time_us, serve.stop_time_us);
	assert_int_equal(
		config.store.busy_timeout_us / 1000, serve.busy_timeout_ms);
	config_finish(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_and_rooms_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
