#include "schema/policy.h"

#include "schema/fault.h"

#include <assert.h>

static const struct {
	const char *name;
	const char *meaning;
} policies[POLICY_COUNT] = {
	[POLICY_NONE] = {"none", "an ordinary answer: nothing is wrong"},
	[POLICY_RETRY] = {"retry",
		"the same is tried again, in place, after a pause"},
	[POLICY_WAIT] = {"wait",
		"ingest waits and goes on by itself when it ends; serving goes "
		"on"},
	[POLICY_STOP] = {"stop_partition",
		"this partition stops with a named reason; the others go on"},
	[POLICY_PARK] = {"park",
		"this update waits in the store; those behind it do not"},
	[POLICY_DEAD] = {"dead_letter",
		"this update becomes a dead letter; the partition goes on"},
	[POLICY_EXIT] = {"exit",
		"the process exits, and starts clean from what is durable"},
	[POLICY_REFUSE] = {"refuse",
		"it does not start, and writes nothing, until it is put right"},
};

/* In the order of enum fault_code, from -1 down. */
static const struct policy_entry faults[] = {
	{FAULT_OOM, "FAULT_OOM", POLICY_EXIT, "memory is exhausted",
		"give the process more memory, or lower the batch and window "
		"limits"},
	{FAULT_USAGE, "FAULT_USAGE", POLICY_REFUSE,
		"command line, configuration or schema file are wrong",
		"correct what the message names"},
	{FAULT_IO, "FAULT_IO", POLICY_EXIT,
		"the disk or a file failed, maybe in a write or fsync",
		"check the disk, the kernel's log and the files' permissions"},
	{FAULT_FULL, "FAULT_FULL", POLICY_WAIT, "the disk is full",
		"make room on the store's disk"},
	{FAULT_BUSY, "FAULT_BUSY", POLICY_RETRY, "somebody holds the database",
		"end what holds the store's write lock"},
	{FAULT_CORRUPT, "FAULT_CORRUPT", POLICY_REFUSE,
		"the store's data is damaged",
		"run `holdfast verify`, then restore a backup"},
	{FAULT_REFUSED, "FAULT_REFUSED", POLICY_REFUSE,
		"the store is foreign or newer; nothing was written",
		"do what the message says"},
	{FAULT_FENCED, "FAULT_FENCED", POLICY_EXIT,
		"another process took this store over",
		"leave it to that process, or stop it first"},
	{FAULT_LOG, "FAULT_LOG", POLICY_STOP, "the log changed or lost records",
		"decide with `holdfast resume T:P`, as the message says"},
	{FAULT_BROKER, "FAULT_BROKER", POLICY_EXIT, "Kafka said no, for good",
		"check Kafka and the kafka.* settings"},
	{FAULT_INTERNAL, "FAULT_INTERNAL", POLICY_EXIT,
		"a library was misused: a bug of ours", "report it"},
	{FAULT_LOCKED, "FAULT_LOCKED", POLICY_REFUSE,
		"another process writes the store, and is no command that ends "
		"within store.lock_wait",
		"one writer a store: stop it first"},
};
#define FAULT_COUNT (sizeof faults / sizeof faults[0])

const char *policy_name(enum policy policy)
{
	assert(policy < POLICY_COUNT);
	return policies[policy].name;
}

const char *policy_meaning(enum policy policy)
{
	assert(policy < POLICY_COUNT);
	return policies[policy].meaning;
}

enum policy policy_of_fault(int code)
{
	if (code >= 0)
		return POLICY_NONE;
	for (size_t i = 0; i < FAULT_COUNT; i++)
		if (faults[i].code == code)
			return faults[i].policy;
	return POLICY_EXIT;
}

bool policy_passes(enum policy policy)
{
	return policy == POLICY_RETRY || policy == POLICY_WAIT;
}

static bool fault_at(size_t index, struct policy_entry *out)
{
	if (index >= FAULT_COUNT)
		return false;
	*out = faults[index];
	return true;
}

const struct policy_family *policy_faults(void)
{
	static const struct policy_family family = {"holdfast",
		"exit: every fault of the program is one of these", fault_at};
	return &family;
}
