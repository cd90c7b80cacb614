/*
 * Where records come from, as the configuration says: a file, or every topic
 * of the store's schema. What commands that take or read the log have in
 * common.
 */
#ifndef HOLDFAST_INGEST_COMMAND_SOURCES_H
#define HOLDFAST_INGEST_COMMAND_SOURCES_H

#include "ingest/command/config.h"
#include "ingest/pipeline.h"
#include "ingest/source.h"
#include "store/store.h"

/* Are the settings of the source good, before anything is written?
 * Errors: FAULT_USAGE. */
int sources_check(const struct config *config, struct fault *fault);

/* Is it a file, not Kafka? */
bool sources_is_file(const struct config *config);

struct sources_options {
	const struct config *config; /* outlives the source */
	const struct store *store;   /* its schema's topics, its id */
	/* Who only reads the log has no store: NULL, and these. */
	const struct schema *schema;
	const char *store_id;
	const char *topic;	/* of these topics only this; NULL: all */
	int32_t only_partition; /* with `topic`; -1: all */
	bool until_end; /* done when all that was there at the start came */
	/* Behind the group's id: for who takes the same topics beside the
	 * store's owner. NULL: the owner. */
	const char *group_suffix;
	/* Asked before each commit to Kafka; NULL: always. */
	bool (*may_commit)(void *payload);
	void *payload;
};

/* On success the caller owns *out. Errors: FAULT_USAGE (a topic the schema does
 * not know; no topics), those of file_source_open(), kafka_source_open(). */
int sources_open(struct source **out, const struct sources_options *options,
	struct fault *fault);

/* The limits of decoding, as the configuration has them; schema and secret are
 * left to the caller. */
struct decoder sources_decoder(const struct config *config);

/* A pipeline's options as the configuration has them, for `store`; source, stop
 * and hooks are left to the caller. */
struct pipeline_options sources_pipeline_options(
	const struct config *config, struct store *store);

#endif
