/*
 * The configuration: one JSON file, then the environment, then `--set`.
 *
 * A later one overrides an earlier one. Everything that can be set is one
 * table of fields (config.c); `kafka.*` goes through to librdkafka. Members
 * whose name starts with `//` are comments. Source: design section 10.
 */
#ifndef HOLDFAST_INGEST_COMMAND_CONFIG_H
#define HOLDFAST_INGEST_COMMAND_CONFIG_H

#include "ingest/kafka/kafka_config.h"
#include "schema/fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_KAFKA_MAX 256	      /* librdkafka 2.8 has 160 settings */
#define CONFIG_SECRET_BYTES_MAX 65536 /* a chain of certificates is 10 KiB */

struct config {
	char *origin; /* the file it was read from; NULL: none was there */
	char *schema; /* the schema file */
	struct config_store {
		char *path;
		int64_t key_window_us;
		int64_t key_window_keys;
		int64_t key_window_max_bytes;
		int64_t wal_max_bytes;
		int64_t cache_bytes;
		int64_t ballast_bytes;
		int64_t reader_max_us;
		int64_t lock_wait_us;
		int64_t busy_timeout_us;
	} store;
	struct config_ingest {
		int64_t linger_us;
		int64_t batch_age_us;
		int64_t batch_records;
		int64_t batch_bytes;
		int64_t max_skew_us;
		int64_t value_bytes_max;
		int64_t depth_max;
		int64_t retry_attempts;
		int64_t parked_max;
		int64_t parked_max_bytes;
		int64_t dead_max_bytes;
		double dead_share_max;
		int64_t dead_keep_us;
	} ingest;
	struct config_serve {
		char *address;
		int64_t port;
		int64_t threads;
		int64_t body_bytes_max;
		int64_t replies_bytes_max;
		int64_t entities_max;
		int64_t features_max;
		int64_t connections_max;
		int64_t request_time_us;
		int64_t idle_time_us;
		int64_t wait_time_us;
		int64_t waiting_max;
		int64_t stop_time_us;
	} serve;
	struct config_backup {
		int64_t every_us; /* 0: never by itself */
		int64_t keep;
	} backup;
	struct config_file {
		char *path, *topic; /* both or none */
	} file;
	/* kafka[0..kafka_count): owned texts, names without "kafka." */
	struct kafka_setting kafka[CONFIG_KAFKA_MAX];
	size_t kafka_count;
};

struct config_request {
	const char *file;		/* of `-c`; NULL: ./holdfast.json, else
					   /etc/holdfast/holdfast.json, else none */
	const char *const *environment; /* "NAME=value", ends with NULL */
	char *const *sets;		/* "name=value", sets[0..set_count) */
	size_t set_count;
};

/* On success the caller calls config_finish(out); on failure *out is finished.
 * Errors: FAULT_USAGE (names file and setting), FAULT_OOM. */
int config_load(struct config *out, const struct config_request *request,
	struct fault *fault);
void config_finish(struct config *config);

/* The value of a kafka setting; NULL: not set. */
const char *config_kafka(const struct config *config, const char *name);

/* All of them for librdkafka, but the group id, which the Kafka source takes
 * apart and a producer not at all; `items` is the room, names and values are
 * borrowed from `config`. */
#define CONFIG_GROUP_ID "group.id"
struct kafka_settings config_kafka_settings(const struct config *config,
	struct kafka_setting items[CONFIG_KAFKA_MAX]);

/* Every setting, with its default. */
void config_help(FILE *out);

#endif
