#include "ingest/command/replay_cursor.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool path_of(
	const char *directory, const char *suffix, char out[PATH_MAX])
{
	int length = snprintf(out, PATH_MAX, "%s/" REPLAY_CURSOR_NAME "%s",
		directory, suffix);
	return length > 0 && length < PATH_MAX;
}

static bool read_place(const json_t *json, struct replay_place *out)
{
	const json_t *topic = json_object_get(json, "topic");
	const json_t *partition = json_object_get(json, "partition");
	const json_t *next = json_object_get(json, "next_offset");
	if (!json_is_string(topic) || !json_is_integer(partition) ||
		!json_is_integer(next))
		return false;
	out->topic = strdup(json_string_value(topic));
	out->partition = (int32_t)json_integer_value(partition);
	out->next_offset = json_integer_value(next);
	return out->topic != NULL;
}

static bool read_places(struct replay_cursor *out, const json_t *list)
{
	size_t count = json_array_size(list);
	if (count == 0)
		return false;
	out->places = calloc(count, sizeof *out->places);
	for (size_t i = 0; out->places != NULL && i < count; i++) {
		if (!read_place(json_array_get(list, i), &out->places[i]))
			return false;
		out->count++;
	}
	return out->places != NULL;
}

static int64_t number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void read_tally(struct replay_tally *out, const json_t *json)
{
	out->records = number(json, "records");
	out->skipped = number(json, "skipped");
	out->updates = number(json, "updates");
	for (int i = 0; i < PROOF_ANSWER_COUNT; i++)
		out->answers[i] =
			number(json, proof_answer_name((enum proof_answer)i));
}

/* 64 bits of a key are a number that may be negative. False: out of memory. */
static bool read_spent(struct trace_spent *out, const json_t *json)
{
	const json_t *keys = json_object_get(json, "keys");
	size_t count = json_array_size(keys);
	out->letters = number(json, "letters");
	out->keys = calloc(count + 1, sizeof *out->keys);
	for (size_t i = 0; out->keys != NULL && i < count; i++)
		out->keys[out->count++] =
			(uint64_t)json_integer_value(json_array_get(keys, i));
	return out->keys != NULL;
}

static bool read_all(struct replay_cursor *out, const json_t *file)
{
	read_tally(&out->before.tally, json_object_get(file, "tally"));
	return read_places(out, json_object_get(file, "places")) &&
	       read_spent(&out->before.spent, json_object_get(file, "spent"));
}

int replay_cursor_read(
	struct replay_cursor *out, const char *directory, const char *question)
{
	char path[PATH_MAX];
	*out = (struct replay_cursor){0};
	if (!path_of(directory, "", path))
		return 0;
	json_t *file = json_load_file(path, 0, NULL);
	const char *asked = json_string_value(json_object_get(file, "of"));
	bool found = asked != NULL && strcmp(asked, question) == 0 &&
		     read_all(out, file);
	json_decref(file);
	if (!found) { /* nor is a part of it */
		replay_cursor_finish(out);
		*out = (struct replay_cursor){0};
	}
	return found;
}

void replay_cursor_finish(struct replay_cursor *cursor)
{
	for (size_t i = 0; i < cursor->count; i++)
		free(cursor->places[i].topic);
	free(cursor->places);
	free(cursor->before.spent.keys);
}

static void append(json_t *list, const struct replay_place *place)
{
	json_array_append_new(
		list, json_pack("{s:s, s:i, s:I}", "topic", place->topic,
			      "partition", (int)place->partition, "next_offset",
			      (json_int_t)place->next_offset));
}

static bool is_among(const struct replay_place *places, size_t count,
	const struct replay_place *place)
{
	for (size_t i = 0; i < count; i++)
		if (places[i].partition == place->partition &&
			strcmp(places[i].topic, place->topic) == 0)
			return true;
	return false;
}

static json_t *places_json(
	const struct replay *replay, const struct replay_cursor *before)
{
	size_t count = 0;
	const struct replay_place *places = replay_places(replay, &count);
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		append(list, &places[i]);
	for (size_t i = 0; i < before->count; i++)
		if (!is_among(places, count, &before->places[i]))
			append(list, &before->places[i]);
	return list;
}

static json_t *tally_json(const struct replay_tally *tally)
{
	json_t *json = json_pack("{s:I, s:I, s:I}", "records",
		(json_int_t)tally->records, "skipped",
		(json_int_t)tally->skipped, "updates",
		(json_int_t)tally->updates);
	for (int i = 0; i < PROOF_ANSWER_COUNT; i++)
		json_object_set_new(json,
			proof_answer_name((enum proof_answer)i),
			json_integer(tally->answers[i]));
	return json;
}

/* NULL: out of memory. */
static json_t *spent_json(const struct replay *replay)
{
	struct trace_spent spent;
	int rc = replay_spent(replay, &spent, NULL);
	json_t *keys = json_array();
	for (size_t i = 0; rc == 0 && i < spent.count; i++)
		rc = json_array_append_new(
			keys, json_integer((json_int_t)spent.keys[i]));
	free(spent.keys);
	if (rc == 0)
		return json_pack("{s:I, s:o}", "letters",
			(json_int_t)spent.letters, "keys", keys);
	json_decref(keys);
	return NULL;
}

int replay_cursor_write(const struct replay *replay,
	const struct replay_cursor *before, const char *directory,
	const char *question, struct fault *fault)
{
	char path[PATH_MAX], made[PATH_MAX];
	if (!path_of(directory, "", path) || !path_of(directory, ".new", made))
		return fault_set(
			fault, FAULT_IO, "%s: too long a path", directory);
	json_t *file = json_pack("{s:s, s:o, s:o, s:o}", "of", question,
		"places", places_json(replay, before), "tally",
		tally_json(replay_tally(replay)), "spent", spent_json(replay));
	if (file == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	bool written = json_dump_file(file, made, JSON_INDENT(1)) == 0 &&
		       rename(made, path) == 0;
	int rc = written ? 0
			 : fault_set(fault, FAULT_IO, "can't write %s: %s",
				   path, strerror(errno));
	json_decref(file);
	return rc;
}

void replay_cursor_remove(const char *directory)
{
	char path[PATH_MAX];
	if (path_of(directory, "", path))
		(void)unlink(path);
}
