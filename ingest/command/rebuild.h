/*
 * A generation being built from the log, following the live one: what
 * rebuild.c and the files named rebuild_* share.
 */
#ifndef HOLDFAST_INGEST_COMMAND_REBUILD_H
#define HOLDFAST_INGEST_COMMAND_REBUILD_H

#include "ingest/bounded_source.h"
#include "ingest/command/config.h"
#include "store/culprits.h"
#include "store/generations.h"
#include "store/reader.h"

#include <limits.h>

#define REBUILD_BUSY_MS 5000

struct rebuild_options {
	char *go_on;		  /* with this generation; NULL: a new one */
	char *schema;		  /* file; NULL: the live one's */
	char *base;		  /* a backup, or "live"; NULL: nothing */
	char *view;		  /* the others are as they are; or NULL */
	int64_t forget_before_us; /* 0: deletes are not forgotten */
	bool partial;		  /* also where the log begins too late */
	bool even_if_different;
	bool diff; /* say what differs, and do not switch */
	/* Of a rollback: nothing is taken then until it is resumed. */
	bool roll_back;
	const char *because; /* for the record */
};

enum course {
	COURSE_FOLLOWS,
	COURSE_LAST_PART, /* the live one stands still */
	COURSE_THERE
};

struct rebuild {
	const struct config *config;
	const struct rebuild_options *options;
	struct schema *schema;	 /* that was asked for; NULL: the live one's */
	struct store *store;	 /* being built */
	bool other_schema;	 /* than the live one's */
	const char *live_schema; /* its text, while a new one is made; or NULL
				  */
	bool forgot;		 /* deletes */
	char base[PATH_MAX];	 /* the file it begins with */
	bool base_is_ours;	 /* made for this, and to be removed */
	char name[GENERATION_NAME_BYTES]; /* of it */
	char live_name[GENERATION_NAME_BYTES];
	struct culprits culprits; /* that the live one knows */
	struct reader *live; /* NULL while an action might open the store */
	struct bounded_source *source;
	struct arena arena;
	enum course course;
	int64_t began_us;     /* monotonic, as all times here */
	int64_t looked_us;    /* at the live one */
	int64_t wanted_us;    /* it was asked whether to look */
	int64_t told_us;      /* how far it is */
	int64_t stopped_us;   /* the owner was asked to stand still */
	int64_t asking_us;    /* until it said that it does */
	int64_t first_behind; /* offsets between the two at the first look; -1
			       */
	/* Of the live one where it stands, or of options->view there. */
	struct digest digest;
};

int64_t rebuild_now_us(void);

/* Take another generation to where the live one is, and roll back to it.
 * Errors: those of the parts below. */
int rebuild_roll_back(const struct config *config, const char *generation,
	const char *because, struct fault *fault);

/* The live generation's reader, opened again if it was closed.
 * Errors: FAULT_REFUSED (another generation is live now), reader_open(). */
int rebuild_look(struct rebuild *rebuild, struct fault *fault);

/* Ask the live one's owner, or be it for a moment. Errors: control_ask(). */
int rebuild_ask(struct rebuild *rebuild, const char *action,
	const char *because, struct fault *fault);

/*
 * Take the log, up to where the live one's owner stands still for it.
 * Errors: FAULT_REFUSED (the log does not hold what the live one took),
 * FAULT_LOG (a partition stopped), FAULT_BUSY (a signal), those of
 * pipeline_run() and rebuild_ask().
 */
int rebuild_follow(struct rebuild *rebuild, struct fault *fault);

/* The live one's owner goes on. Errors: control_ask(). */
int rebuild_go_on(struct rebuild *rebuild, struct fault *fault);

/* Print what the two hold differently where the live one stands, which goes on
 * meanwhile; the built one is closed. Errors: those of readers_compare(). */
int rebuild_diff(struct rebuild *rebuild, struct fault *fault);

/* Keep the live one's schema for a new one; where one is gone on with, `go_on`,
 * nothing. Errors: FAULT_OOM. */
int rebuild_note_schema(
	struct rebuild *rebuild, const char *go_on, struct fault *fault);

/*
 * With both open: is the schema of what is built the live one's, or meant to be
 * another? And is it for the view that it was begun for? Errors: FAULT_USAGE
 * (it is not), FAULT_REFUSED (the live one's was changed since it was begun),
 * store_build_beside().
 */
int rebuild_check_schema(
	struct rebuild *rebuild, const char *go_on, struct fault *fault);

/* Find the base that was asked for, or make it. Errors: FAULT_USAGE (no such
 * backup), FAULT_CORRUPT (a damaged one), those of control_ask(). */
int rebuild_find_base(struct rebuild *rebuild, struct fault *fault);

/* The copy of the live generation is no longer needed. */
void rebuild_drop_base(struct rebuild *rebuild);

/* Forget deletes, if that was asked for: once more is as if only once. Errors:
 * store_forget_deletes(). */
int rebuild_forget(
	struct rebuild *rebuild, const char *go_on, struct fault *fault);

#endif
