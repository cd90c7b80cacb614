/*
 * librdkafka's error codes, and what is done about each.
 *
 * A code counts where it is met: as the error of a record of a partition (see
 * kafka_messages.c), of the client (error_cb), or of a commit. Commits are for
 * dashboards: whatever fails there is tried again. Source: rdkafka.h;
 * kafka.apache.org/protocol, Error Codes.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_CODES_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_CODES_H

#include "schema/policy.h"

#include <librdkafka/rdkafka.h>

/* Of a code the table does not have: POLICY_STOP. Of a partition's error:
 * RETRY compares its log and goes on where it stood; WAIT tells of it;
 * STOP tries several times before. */
enum policy kafka_policy(rd_kafka_resp_err_t code);

/* What to do; "": nothing. */
const char *kafka_advice(rd_kafka_resp_err_t code);

const struct policy_family *kafka_codes(void);

#endif
