#include "ingest/command/ingestion.h"

#include "ingest/command/backup_duty.h"
#include "ingest/command/control_client.h"
#include "ingest/command/control_server.h"
#include "ingest/command/repair.h"
#include "ingest/command/say.h"
#include "ingest/command/schema_apply.h"
#include "ingest/command/schema_tell.h"
#include "ingest/command/signals.h"
#include "ingest/command/sources.h"
#include "ingest/command/summary.h"
#include "ingest/keeper.h"
#include "ingest/pipeline.h"
#include "schema/policy.h"
#include "store/backup.h"
#include "store/damage.h"
#include "store/generations.h"
#include "store/ownership.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SWITCH_AGAIN_US INT64_C(1000000) /* tried so often, then */
#define LOAD_KEYS 100000 /* in a step: some 0.1 s, in which signals wait */

static const struct timespec disk_pause = {.tv_sec = 1};
static const struct timespec lock_pause = {.tv_nsec = 100000000};

struct ingestion {
	struct ingestion_options options;
	const struct config *config;
	struct schema *file_schema; /* NULL: no usable file; see file_fault */
	struct fault file_fault;    /* why not */
	struct store *store;
	struct ownership *ownership; /* of the store; Kafka's only */
	struct source *source;
	struct keeper *keeper;
	struct backup_duty backups;
	struct control_server *control;
	struct fault damage; /* that it was opened to wait for; code 0: none */
	bool began; /* others of this process may read the store since */
	int64_t damage_due_us; /* monotonic: then it is looked for */
	int64_t goes_on_us; /* monotonic: whoever it stands still for is gone;
			       0: it does not */
};

struct store_options store_options_of(const struct config *all)
{
	const struct config_store *config = &all->store;
	struct store_options options = store_options_default();
	options.path = config->path;
	options.key_window_us = config->key_window_us;
	options.key_window_keys = (uint64_t)config->key_window_keys;
	options.key_window_max_bytes = (uint64_t)config->key_window_max_bytes;
	options.wal_max_bytes = (uint64_t)config->wal_max_bytes;
	options.cache_bytes = (uint64_t)config->cache_bytes;
	options.ballast_bytes = (uint64_t)config->ballast_bytes;
	options.reader_max_us = config->reader_max_us;
	options.busy_timeout_ms = (uint32_t)(config->busy_timeout_us / 1000);
	return options;
}

static int64_t now_us(void)
{
	struct clock *clock = clock_system();
	return clock->monotonic_us(clock);
}

/* A disk that is full is waited for, at the start as later, and a command that
 * does something to the store. An owner listens, and stays. */
static bool passes(const struct ingestion *ingestion, int rc, int64_t until_us)
{
	if (rc == FAULT_LOCKED)
		return now_us() < until_us &&
		       !control_owner_listens(ingestion->config);
	return policy_of_fault(rc) == POLICY_WAIT;
}

static void tell_wait(
	const struct ingestion *ingestion, int rc, const struct fault *why)
{
	if (rc == FAULT_LOCKED)
		say(SAY_INFO,
			"another process has the store's lock and does not "
			"listen: a command does that. Waiting for it, for "
			"%.1f s at most (store.lock_wait)",
			(double)ingestion->config->store.lock_wait_us / 1e6);
	else
		say(SAY_WARNING,
			"waiting, and going on by itself when this ends: %s",
			why->text);
}

/* Until it can be opened, or is refused; a stop ends it. */
static int open_in_the_end(struct ingestion *ingestion,
	const struct store_options *options, struct fault *fault)
{
	const int64_t until_us =
		now_us() + ingestion->config->store.lock_wait_us;
	int told = 0;
	int rc;
	while ((rc = store_open(&ingestion->store, options, fault)) < 0 &&
		passes(ingestion, rc, until_us) &&
		!atomic_load(signals_stop())) {
		if (told != rc)
			tell_wait(ingestion, rc, fault);
		told = rc;
		(void)nanosleep(
			rc == FAULT_LOCKED ? &lock_pause : &disk_pause, NULL);
	}
	return rc;
}

/* An existing store rules, so that an unusable file keeps nobody from going
 * on; a new store can't do without. */
static int open_store(struct ingestion *ingestion, struct fault *fault)
{
	schema_free(ingestion->file_schema); /* of an earlier opening */
	int rc = schema_load(&ingestion->file_schema, ingestion->config->schema,
		&ingestion->file_fault);
	if (rc == FAULT_OOM)
		return fault_set(fault, rc, "%s", ingestion->file_fault.text);
	struct store_options options = store_options_of(ingestion->config);
	options.schema = ingestion->file_schema;
	options.keys_later = true;
	options.beside_readers = ingestion->began;
	rc = open_in_the_end(ingestion, &options, fault);
	if (rc != FAULT_USAGE || ingestion->file_schema != NULL)
		return rc;
	return fault_set(fault, FAULT_USAGE,
		"%s holds no store yet, and a new one needs a schema: %s",
		ingestion->config->store.path, ingestion->file_fault.text);
}

static void notice(void *payload, const char *text)
{
	(void)payload;
	say(SAY_WARNING, "%s", text);
}

static void landed(void *payload, const struct store_tally *tally)
{
	struct ingestion *ingestion = payload;
	keeper_landed(ingestion->keeper, tally);
}

/* While another generation is about to take this one's place nothing is to
 * change but what operators ask for. */
static bool wants(void *payload)
{
	struct ingestion *ingestion = payload;
	if (signals_reload() || control_server_wants(ingestion->control) ||
		now_us() >= ingestion->damage_due_us)
		return true;
	if (ingestion->goes_on_us != 0)
		return now_us() >= ingestion->goes_on_us;
	return keeper_wants(ingestion->keeper) ||
	       backup_duty_wants(&ingestion->backups);
}

/* Which store it is: not by its address, since one that is opened again may
 * have that of the one before. */
struct sight {
	char generation[GENERATION_NAME_BYTES];
	int64_t epoch;
};

static struct sight look_at(const struct store *store)
{
	struct sight sight = {.epoch = store_epoch(store)};
	(void)snprintf(sight.generation, sizeof sight.generation, "%s",
		store_generation(store));
	return sight;
}

static bool is_another(const struct store *store, const struct sight *before)
{
	return store_epoch(store) != before->epoch ||
	       strcmp(store_generation(store), before->generation) != 0;
}

/* A request may have been to stand still for a switch, or to go on. */
static int attend_control(struct ingestion *ingestion, struct fault *fault)
{
	const struct sight before = look_at(ingestion->store);
	int rc = control_server_attend(ingestion->control, fault);
	if (rc == 0 && is_another(ingestion->store, &before)) {
		ingestion->goes_on_us = 0;
		return PIPELINE_LEAVE;
	}
	if (rc == 0)
		rc = switch_stands(ingestion->store, fault);
	/* From the first request on: others may ask and ask. */
	if (rc != 1)
		ingestion->goes_on_us = 0;
	else if (ingestion->goes_on_us == 0)
		ingestion->goes_on_us = now_us() + SWITCH_PATIENCE_US;
	return rc < 0 ? rc : 0;
}

/* SIGHUP: read after it is taken up, so that none is lost. */
static int take_schema_file(struct ingestion *ingestion, struct fault *fault)
{
	const struct sight before = look_at(ingestion->store);
	signals_reload_taken();
	int rc = schema_take_file(
		&ingestion->store, ingestion->config->schema, fault);
	return rc == 0 && is_another(ingestion->store, &before) ? PIPELINE_LEAVE
								: rc;
}

/* Whoever builds the generation has died, or can't be heard. What passes, as a
 * full disk does, is waited for. */
static int go_on(struct ingestion *ingestion, struct fault *fault)
{
	struct fault why = {0};
	int rc = switch_abandon(ingestion->store, &why);
	if (policy_passes(policy_of_fault(rc))) {
		ingestion->goes_on_us = now_us() + SWITCH_AGAIN_US;
		return 0;
	}
	ingestion->goes_on_us = 0;
	if (rc < 0)
		return fault_set(fault, rc, "%s", why.text);
	say(SAY_WARNING,
		"ingest stood still for %lld s, and no other generation took "
		"this one's place: going on with this one",
		(long long)(SWITCH_PATIENCE_US / 1000000));
	return 0;
}

/* Somebody may have found damage: nothing more is taken into that. */
static int look_for_damage(struct ingestion *ingestion, struct fault *fault)
{
	if (now_us() < ingestion->damage_due_us)
		return 0;
	ingestion->damage_due_us = now_us() + DAMAGE_LOOK_US;
	return store_check_damage(ingestion->store, fault);
}

static int attend(void *payload, struct fault *fault)
{
	struct ingestion *ingestion = payload;
	int rc = 0;
	if (signals_reload())
		rc = take_schema_file(ingestion, fault);
	if (rc == 0 && control_server_wants(ingestion->control))
		rc = attend_control(ingestion, fault);
	if (rc == 0 && store_backup_phase(ingestion->store) != BACKUP_ENDED)
		rc = look_for_damage(ingestion, fault);
	if (rc == 0 && ingestion->goes_on_us != 0)
		return now_us() >= ingestion->goes_on_us
			       ? go_on(ingestion, fault)
			       : 0;
	if (rc == 0 && keeper_wants(ingestion->keeper))
		rc = keeper_attend(ingestion->keeper, fault);
	if (rc == 0 && backup_duty_wants(&ingestion->backups))
		rc = backup_duty_attend(&ingestion->backups, fault);
	return rc;
}

static struct pipeline_options pipeline_options_of(struct ingestion *ingestion)
{
	struct pipeline_options options =
		sources_pipeline_options(ingestion->config, ingestion->store);
	options.source = ingestion->source;
	options.stop = signals_stop();
	options.stays = ingestion->options.stays;
	options.notice = notice;
	options.landed = landed;
	options.wants = wants;
	options.attend = attend;
	options.payload = ingestion;
	return options;
}

static int open_keeper(struct ingestion *ingestion,
	const struct pipeline_options *pipeline, struct fault *fault)
{
	const struct config_ingest *config = &ingestion->config->ingest;
	struct keeper_options options = keeper_options_default();
	options.store = ingestion->store;
	options.decoder = pipeline->decoder;
	options.clock = pipeline->clock;
	options.seed = (uint64_t)options.clock->wall_us(options.clock);
	options.retry_attempts = config->retry_attempts;
	options.limits = (struct letter_limits){config->parked_max,
		config->parked_max_bytes, config->dead_max_bytes};
	options.dead_keep_us = config->dead_keep_us;
	options.dead_share_max = config->dead_share_max;
	options.notice = notice;
	options.until_end = ingestion->options.until_end;
	return keeper_open(&ingestion->keeper, &options, fault);
}

static bool is_still_ours(void *payload)
{
	const struct ingestion *ingestion = payload;
	return ownership_holds(ingestion->ownership);
}

static int open_source(struct ingestion *ingestion, struct fault *fault)
{
	const struct sources_options options = {.config = ingestion->config,
		.store = ingestion->store,
		.until_end = ingestion->options.until_end,
		.may_commit = is_still_ours,
		.payload = ingestion};
	int rc = 0;
	if (!sources_is_file(ingestion->config))
		rc = ownership_open(
			&ingestion->ownership, ingestion->store, fault);
	return rc < 0 ? rc : sources_open(&ingestion->source, &options, fault);
}

static void close_source(struct ingestion *ingestion)
{
	keeper_close(ingestion->keeper);
	source_close(ingestion->source);
	ownership_close(ingestion->ownership);
	ingestion->keeper = NULL;
	ingestion->source = NULL;
	ingestion->ownership = NULL;
}

/* Until it ends, or PIPELINE_LEAVE: the store is another generation. */
static int stream(struct ingestion *ingestion, struct fault *fault)
{
	struct pipeline_result result = {0};
	int rc = open_source(ingestion, fault);
	if (rc < 0)
		return rc;
	struct pipeline_options options = pipeline_options_of(ingestion);
	rc = open_keeper(ingestion, &options, fault);
	if (rc < 0)
		return rc;
	backup_duty_init(&ingestion->backups, ingestion->store,
		ingestion->config, options.clock);
	int64_t began_us = options.clock->monotonic_us(options.clock);
	rc = pipeline_run(&options, &result, fault);
	int64_t elapsed_us =
		options.clock->monotonic_us(options.clock) - began_us;
	if (rc == 0 && atomic_load(signals_stop()))
		say(SAY_INFO, "told to stop: all that was polled is durable");
	if (rc != PIPELINE_LEAVE && ingestion->store != NULL)
		summary_tell(ingestion->store, &result, elapsed_us,
			ingestion->options.json);
	close_source(ingestion);
	return rc;
}

/* All that a damaged store is open for. 1: its repair is to be waited for, and
 * *fault says why. */
static int leave_damaged(struct ingestion *ingestion, struct fault *fault)
{
	control_server_close(ingestion->control);
	ingestion->control = NULL;
	close_source(ingestion);
	store_close(ingestion->store);
	ingestion->store = NULL;
	return repair_is_needed(ingestion->config->store.path, fault) == 1 &&
	       ingestion->options.stays;
}

static int begin(struct ingestion *ingestion, struct fault *fault)
{
	int rc = sources_check(ingestion->config, fault);
	if (rc == 0)
		rc = open_store(ingestion, fault);
	if (rc == FAULT_CORRUPT && leave_damaged(ingestion, fault) == 1) {
		ingestion->damage = *fault;
		return 0;
	}
	if (rc < 0)
		return rc;
	const struct schema *rules = store_schema(ingestion->store);
	schema_tell(rules, ingestion->file_schema, ingestion->config->schema,
		ingestion->file_fault.text);
	schema_tell_keys(rules);
	return 0;
}

int ingestion_open(struct ingestion **out,
	const struct ingestion_options *options, struct fault *fault)
{
	*out = NULL;
	struct ingestion *ingestion = calloc(1, sizeof *ingestion);
	if (ingestion == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	ingestion->options = *options;
	ingestion->config = options->config;
	int rc = signals_install_reload(fault);
	if (rc == 0)
		rc = begin(ingestion, fault);
	if (rc < 0)
		ingestion_close(ingestion);
	else
		*out = ingestion;
	return rc;
}

/* A file system without sockets keeps no records away. */
static void listen_to_operators(struct ingestion *ingestion)
{
	struct fault fault = {0};
	if (control_server_open(&ingestion->control, &ingestion->store,
		    ingestion->config, &fault) < 0)
		say(SAY_WARNING,
			"pause, hold and what else changes a store has to wait "
			"until this process has ended: %s",
			fault.text);
}

/* What is served meanwhile is as far as the store was. A signal need not wait
 * for all of it. */
static int load_keys(struct ingestion *ingestion, struct fault *fault)
{
	int rc;
	do
		rc = store_load_keys(ingestion->store, LOAD_KEYS, fault);
	while (rc == 1 && !atomic_load(signals_stop()));
	return rc < 0 ? fault_wrap(fault, rc, "loading the key window") : 0;
}

static int take(struct ingestion *ingestion, struct fault *fault)
{
	listen_to_operators(ingestion);
	int rc = load_keys(ingestion, fault);
	if (rc < 0)
		return rc;
	while ((rc = stream(ingestion, fault)) == PIPELINE_LEAVE)
		say(SAY_INFO,
			"going on with generation %s of the store, as it is "
			"now",
			store_generation(ingestion->store));
	return rc;
}

static int take_again(struct ingestion *ingestion, struct fault *fault)
{
	int rc = open_store(ingestion, fault);
	if (rc < 0)
		return rc;
	say(SAY_INFO, "going on with generation %s of the store",
		store_generation(ingestion->store));
	return take(ingestion, fault);
}

int ingestion_run(struct ingestion *ingestion, struct fault *fault)
{
	int rc = FAULT_CORRUPT;
	ingestion->began = true;
	if (ingestion->store != NULL)
		rc = take(ingestion, fault);
	else
		*fault = ingestion->damage;
	while (rc == FAULT_CORRUPT) {
		if (ingestion->damage.code == 0 &&
			leave_damaged(ingestion, fault) == 0)
			return rc;
		ingestion->damage.code = 0;
		if (repair_await(ingestion->config->store.path, fault) == 0)
			return 0;
		rc = take_again(ingestion, fault);
	}
	return rc;
}

int ingestion_leave(struct ingestion *ingestion, struct fault *fault)
{
	int rc = store_leave(ingestion->store, fault);
	return rc == 0 ? 0
		       : fault_wrap(fault, rc,
				 "the store was not left in order, though what "
				 "was taken is durable, and the next start "
				 "checks it");
}

void ingestion_close(struct ingestion *ingestion)
{
	if (ingestion == NULL)
		return;
	control_server_close(ingestion->control);
	close_source(ingestion);
	store_close(ingestion->store);
	schema_free(ingestion->file_schema);
	free(ingestion);
}
