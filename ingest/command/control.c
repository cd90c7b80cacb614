#include "ingest/command/control.h"

#include "schema/utf8.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every action: one row. */
static const struct {
	const char *name;
	control_action *run;
} actions[] = {
	{"pause", control_pause},
	{"resume", control_resume},
	{"hold", control_hold},
	{"release", control_release},
	{"switch_begin", control_switch_begin},
	{"switch_abandon", control_switch_abandon},
	{"switch", control_switch},
	{"backup", control_backup},
	{"backup_state", control_backup_state},
	{"restore", control_restore},
	{"generation_drop", control_generation_drop},
	{"rollback", control_rollback},
	{"rollback_there", control_rollback_there},
	{"schema_apply", control_schema_apply},
	{"load", control_load},
	{"dead_retry", control_dead_retry},
	{"dead_drop", control_dead_drop},
	{"dead_exported", control_dead_exported},
};

static bool is_one_of(
	const json_t *request, const char *const *names, size_t count)
{
	const char *name =
		json_string_value(json_object_get(request, "action"));
	for (size_t i = 0; i < count; i++)
		if (name != NULL && strcmp(names[i], name) == 0)
			return true;
	return false;
}

bool control_only_asks(const json_t *request)
{
	static const char *const asking[] = {"backup_state"};
	return is_one_of(request, asking, sizeof asking / sizeof asking[0]);
}

bool control_turns_away(const json_t *request)
{
	static const char *const turning[] = {"switch_begin", "switch_abandon",
		"switch", "restore", "rollback", "rollback_there",
		"generation_drop"};
	return is_one_of(request, turning, sizeof turning / sizeof turning[0]);
}

int control_run(const struct control *control, const json_t *request,
	json_t **reply, struct fault *fault)
{
	const char *name =
		json_string_value(json_object_get(request, "action"));
	const json_t *arguments = json_object_get(request, "arguments");
	*reply = NULL;
	if (name == NULL || !json_is_object(arguments))
		return fault_set(fault, FAULT_USAGE,
			"a request is a line {\"action\": NAME, \"arguments\": "
			"{…}}");
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(actions[i].name, name) == 0)
			return actions[i].run(control, arguments, reply, fault);
	return fault_set(fault, FAULT_USAGE,
		"the store's owner knows no action %.64s: is it of another "
		"version of holdfast?",
		name);
}

/* Steals `object`. */
static char *encode(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	size_t length = text == NULL ? 0 : strlen(text);
	char *line = text == NULL ? NULL : realloc(text, length + 2);
	if (line == NULL) {
		free(text);
		return NULL;
	}
	memcpy(line + length, "\n", 2);
	return line;
}

/* A fault may name a path, or be cut off within a character: what is no UTF-8
 * becomes a question mark, since JSON has no other. */
static json_t *encode_text(const struct fault *fault)
{
	char text[sizeof fault->text];
	size_t length = strlen(fault->text);
	for (size_t i = 0, step; i < length; i += step) {
		const char *at = fault->text + i;
		step = utf8_character((const unsigned char *)at, length - i);
		memcpy(text + i, step == 0 ? "?" : at, step == 0 ? 1 : step);
		step += step == 0;
	}
	return json_stringn(text, length);
}

char *control_encode(int rc, json_t *reply, const struct fault *fault)
{
	if (rc < 0)
		return encode(json_pack(
			"{s:i, s:o}", "code", rc, "text", encode_text(fault)));
	return encode(json_pack("{s:i, s:o}", "code", 0, "reply",
		reply == NULL ? json_object() : reply));
}

static int no_reply(struct fault *fault)
{
	return fault_set(fault, FAULT_INTERNAL,
		"the store's owner gave no reply that can be read: is it of "
		"another version of holdfast?");
}

int control_decode(
	const char *line, size_t length, json_t **reply, struct fault *fault)
{
	*reply = NULL;
	json_t *object = json_loadb(line, length, 0, NULL);
	json_t *code = json_object_get(object, "code");
	const char *text = json_string_value(json_object_get(object, "text"));
	int rc = (int)json_integer_value(code);
	if (!json_is_integer(code) || rc > 0 || (rc < 0 && text == NULL))
		rc = no_reply(fault);
	else if (rc < 0)
		fault_set(fault, rc, "%s", text);
	else
		*reply = json_incref(json_object_get(object, "reply"));
	json_decref(object);
	return rc;
}

bool control_ends_owner(int rc)
{
	return rc == FAULT_IO || rc == FAULT_FENCED;
}

void control_who(unsigned uid, char out[CONTROL_WHO_BYTES])
{
	char room[4096]; /* one line of /etc/passwd, generously */
	struct passwd user, *found = NULL;
	if (getpwuid_r(uid, &user, room, sizeof room, &found) == 0 &&
		found != NULL &&
		snprintf(out, CONTROL_WHO_BYTES, "%s", user.pw_name) > 0)
		return;
	(void)snprintf(out, CONTROL_WHO_BYTES, "uid %u", uid);
}
