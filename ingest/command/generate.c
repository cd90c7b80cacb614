#include "ingest/command/generate.h"

#include "ingest/command/generate_line.h"
#include "ingest/command/random.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define PROFILE_SHARE 0.1      /* of the sample: profile_changed */
#define HISTORY_DISTANCES 4    /* copies come from so many distances back */
#define HISTORY_RECORDS_MIN 64 /* and from at least so many records */

/* Ids are reused so soon: within the key window, also where records have no
 * times but their event times (1,000 s). */
#define REUSE_RECORDS 20000

/* Of copies, those from beyond the distance: half, and that wherever the stream
 * is cut off. */
#define FAR_SHARE 0.51

static const char *const poison_names[POISON_COUNT] = {
	[POISON_NONE] = "none",
	[POISON_BAD_JSON] = "bad_json",
	[POISON_BAD_UTF8] = "bad_utf8",
	[POISON_DUPLICATE_MEMBER] = "duplicate_member",
	[POISON_TOO_DEEP] = "too_deep",
	[POISON_NO_KEY] = "no_key",
	[POISON_KEY_REUSED] = "key_reused",
	[POISON_MISSING_ENTITY] = "missing_entity",
	[POISON_BAD_ENTITY] = "bad_entity",
	[POISON_EVENT_TIME_UNREADABLE] = "event_time_unreadable",
	[POISON_EVENT_TIME_IMPLAUSIBLE] = "event_time_implausible",
	[POISON_EVENT_TIME_IN_FUTURE] = "event_time_in_future",
	[POISON_TYPE_MISMATCH] = "type_mismatch",
	[POISON_OUT_OF_RANGE] = "out_of_range",
	[POISON_WRONG_LENGTH] = "wrong_length",
	[POISON_OUT_OF_BOUNDS] = "out_of_bounds",
};

/* A share that is met exactly in the long run, and irregularly. */
struct share {
	double due;
};

struct sent {
	struct ticket ticket;
	uint64_t position; /* among all lines, copies too */
};

/* What the stream has of an entity so far; serials from 1, 0: none. */
struct past {
	uint32_t newest[2];    /* in order: payments or stats; profile */
	uint32_t good_payment; /* in order: whose id poison may take */
};

struct generator {
	struct generate_options options;
	struct random random;
	struct past *past;  /* past[0..entities) */
	double *popularity; /* summed up, popularity[0..entities); NULL:
			       all alike */
	struct sent *sent;  /* a ring of the last records, copies apart */
	uint64_t sent_room;
	uint64_t near_first; /* number of the first record within distance */
	uint32_t serial;     /* of the next record */
	uint64_t position;   /* of the next line */
	struct share copies, far, late, broken;
	uint32_t poisoned; /* turns through the kinds */
	char *line;
};

const char *poison_name(enum poison poison)
{
	assert(poison < POISON_COUNT);
	return poison_names[poison];
}

/* Is it time? Between one early and two late, at random. */
static bool share_is_due(const struct share *share, struct random *random)
{
	return share->due > 0 && share->due >= 2 * random_unit(random);
}

static uint32_t draw_entity(struct generator *generator)
{
	uint64_t count = (uint64_t)generator->options.entities;
	if (generator->popularity == NULL)
		return (uint32_t)random_below(&generator->random, count);
	double wanted = random_unit(&generator->random) *
			generator->popularity[count - 1];
	uint64_t low = 0, high = count - 1;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (generator->popularity[middle] > wanted)
			high = middle;
		else
			low = middle + 1;
	}
	return (uint32_t)low;
}

static enum event_type draw_type(struct generator *generator)
{
	if (generator->options.shape == GENERATE_BENCH)
		return EVENT_STATS;
	double deletes = generator->options.deletes;
	double drawn = random_unit(&generator->random);
	if (drawn < deletes)
		return EVENT_CARD_CLOSED;
	return drawn < deletes + PROFILE_SHARE * (1 - deletes)
		       ? EVENT_PROFILE_CHANGED
		       : EVENT_PAYMENT;
}

/* The type whose updates are all dead of it. */
static enum event_type type_of_poison(
	const struct generator *generator, enum poison poison)
{
	if (generator->options.shape == GENERATE_BENCH)
		return EVENT_STATS;
	switch (poison) {
	case POISON_MISSING_ENTITY:
	case POISON_BAD_ENTITY:
	case POISON_OUT_OF_RANGE:
	case POISON_WRONG_LENGTH:
	case POISON_OUT_OF_BOUNDS:
		return EVENT_PROFILE_CHANGED;
	default:
		return EVENT_PAYMENT;
	}
}

static enum poison next_poison(
	struct generator *generator, const struct past *past)
{
	uint32_t kinds = generator->options.shape == GENERATE_BENCH
				 ? POISON_WRONG_LENGTH - 1
				 : POISON_COUNT - 1;
	enum poison poison = (enum poison)(1 + generator->poisoned++ % kinds);
	if (poison == POISON_KEY_REUSED &&
		(past->good_payment == 0 ||
			generator->serial - past->good_payment > REUSE_RECORDS))
		return POISON_NO_KEY;
	return poison;
}

static void poison_ticket(struct generator *generator, struct ticket *ticket)
{
	const struct past *past = &generator->past[ticket->entity];
	ticket->poison = next_poison(generator, past);
	ticket->type = type_of_poison(generator, ticket->poison);
	if (ticket->poison == POISON_KEY_REUSED)
		ticket->reused = past->good_payment - 1;
	generator->broken.due -= 1;
}

/* Puts the event time below the newest of the entity, if it has one and that
 * lies within reach. */
static void make_late(
	struct generator *generator, struct ticket *ticket, uint32_t newest)
{
	uint32_t reach = ticket->serial < GENERATE_SLOT_US - 1
				 ? ticket->serial
				 : GENERATE_SLOT_US - 1;
	if (newest == 0)
		return;
	/* Slot `newest - 1` is the newest; one before it is late. */
	uint32_t least = ticket->serial - (newest - 1) + 1;
	if (least > reach)
		return;
	ticket->back = least + (uint32_t)random_below(
				       &generator->random, reach - least + 1);
	generator->late.due -= 1;
}

static void remember(struct generator *generator, const struct ticket *ticket)
{
	struct past *past = &generator->past[ticket->entity];
	bool profile = ticket->type == EVENT_PROFILE_CHANGED ||
		       ticket->type == EVENT_CARD_CLOSED;
	if (ticket->poison != POISON_NONE)
		return;
	if (ticket->back != 0)
		return;
	past->newest[profile] = ticket->serial + 1;
	if (!profile)
		past->good_payment = ticket->serial + 1;
}

static struct ticket new_ticket(struct generator *generator)
{
	struct ticket ticket = {.serial = generator->serial++,
		.entity = draw_entity(generator),
		.type = draw_type(generator)};
	generator->late.due += generator->options.disorder;
	if (share_is_due(&generator->broken, &generator->random)) {
		poison_ticket(generator, &ticket);
	} else if (share_is_due(&generator->late, &generator->random)) {
		bool profile = ticket.type == EVENT_PROFILE_CHANGED ||
			       ticket.type == EVENT_CARD_CLOSED;
		make_late(generator, &ticket,
			generator->past[ticket.entity].newest[profile]);
	}
	remember(generator, &ticket);
	generator->sent[ticket.serial % generator->sent_room] =
		(struct sent){ticket, generator->position};
	return ticket;
}

/* A record to send again: the number of one in first..last-1. */
static const struct ticket *draw_sent(
	struct generator *generator, uint64_t first, uint64_t last)
{
	uint64_t number =
		first + random_below(&generator->random, last - first);
	return &generator->sent[number % generator->sent_room].ticket;
}

/* The ticket of an earlier record, half of the time from beyond the distance;
 * NULL when there is none yet. */
static const struct ticket *old_ticket(struct generator *generator)
{
	uint64_t distance = (uint64_t)generator->options.duplicate_distance;
	uint64_t count = generator->serial;
	uint64_t held =
		count < generator->sent_room ? 0 : count - generator->sent_room;
	if (generator->near_first < held)
		generator->near_first = held;
	while (generator->near_first < count &&
		generator->sent[generator->near_first % generator->sent_room]
					.position +
				distance <
			generator->position)
		generator->near_first++;
	uint64_t near_first = generator->near_first;
	if (count == 0)
		return NULL;
	generator->copies.due -= 1;
	generator->far.due += FAR_SHARE;
	bool far_wanted = share_is_due(&generator->far, &generator->random);
	if (held < near_first && (far_wanted || near_first == count)) {
		generator->far.due -= 1;
		return draw_sent(generator, held, near_first);
	}
	return draw_sent(generator, near_first, count);
}

bool generator_next(struct generator *generator, struct slice *line)
{
	if (generator->position == (uint64_t)generator->options.records)
		return false;
	generator->copies.due += generator->options.duplicates;
	generator->broken.due += generator->options.broken;
	const struct ticket *old = NULL;
	if (share_is_due(&generator->copies, &generator->random))
		old = old_ticket(generator);
	struct ticket ticket = old == NULL ? new_ticket(generator) : *old;
	generator->position++;
	size_t length = generate_line(&generator->options, &ticket,
		old == NULL ? 1 : 2, generator->line);
	*line = (struct slice){generator->line, length};
	return true;
}

int64_t generate_span_us(const struct generate_options *options)
{
	return options->records * GENERATE_SLOT_US;
}

/* Zipf's law: the entity of rank k has 1 / k^exponent of the first's share. */
static bool sum_popularity(struct generator *generator)
{
	if (generator->options.zipf == 0)
		return true;
	size_t count = (size_t)generator->options.entities;
	generator->popularity = calloc(count, sizeof *generator->popularity);
	if (generator->popularity == NULL)
		return false;
	double sum = 0;
	for (size_t i = 0; i < count; i++) {
		sum += pow((double)(i + 1), -generator->options.zipf);
		generator->popularity[i] = sum;
	}
	return true;
}

static bool allocate(struct generator *generator)
{
	const struct generate_options *options = &generator->options;
	uint64_t wanted =
		(uint64_t)options->duplicate_distance * HISTORY_DISTANCES;
	generator->sent_room =
		wanted < HISTORY_RECORDS_MIN ? HISTORY_RECORDS_MIN : wanted;
	generator->past =
		calloc((size_t)options->entities, sizeof *generator->past);
	generator->sent = calloc(generator->sent_room, sizeof *generator->sent);
	generator->line = malloc(generate_line_room(options));
	return generator->past != NULL && generator->sent != NULL &&
	       generator->line != NULL && sum_popularity(generator);
}

static int check(const struct generate_options *options, struct fault *fault)
{
	assert(options->records >= 0);
	assert(options->entities > 0);
	if (options->sums > options->features)
		return fault_set(fault, FAULT_USAGE,
			"%lld sums of %lld features: give fewer sums",
			(long long)options->sums, (long long)options->features);
	if (options->duplicates + options->broken > 1)
		return fault_set(fault, FAULT_USAGE,
			"the shares of duplicates and of broken records are "
			"more than 1 together");
	return 0;
}

int generator_open(struct generator **out,
	const struct generate_options *options, struct fault *fault)
{
	*out = NULL;
	int rc = check(options, fault);
	if (rc < 0)
		return rc;
	struct generator *generator = calloc(1, sizeof *generator);
	if (generator == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	generator->options = *options;
	generator->random.state = (uint64_t)options->seed;
	if (!allocate(generator)) {
		generator_close(generator);
		return fault_set(fault, FAULT_OOM,
			"out of memory for the state of %lld entities",
			(long long)options->entities);
	}
	*out = generator;
	return 0;
}

void generator_close(struct generator *generator)
{
	if (generator == NULL)
		return;
	free(generator->past);
	free(generator->popularity);
	free(generator->sent);
	free(generator->line);
	free(generator);
}
