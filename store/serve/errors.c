#include "store/serve/errors.h"

#include "schema/json_write.h"

#include <stdarg.h>
#include <stdio.h>

#define RETRY_AFTER_S 1 /* a caller may wait for as long as it is told */
#define MESSAGE_BYTES_MAX 1024

static const struct {
	const char *name;
	unsigned status;
} errors[ERROR_COUNT] = {
	[ERROR_BAD_HEADERS] = {"bad_headers", 400},
	[ERROR_BAD_PATH] = {"bad_path", 400},
	[ERROR_BAD_JSON] = {"bad_json", 400},
	[ERROR_BAD_MEMBER] = {"bad_member", 400},
	[ERROR_BAD_FEATURES] = {"bad_features", 400},
	[ERROR_SAME_FEATURE] = {"same_feature", 400},
	[ERROR_BAD_ENTITY] = {"bad_entity", 400},
	[ERROR_BAD_TERMS] = {"bad_terms", 400},
	[ERROR_BAD_POSITION] = {"bad_position", 400},
	[ERROR_UNKNOWN_VIEW] = {"unknown_view", 404},
	[ERROR_UNKNOWN_FEATURE] = {"unknown_feature", 404},
	[ERROR_UNKNOWN_SERVICE] = {"unknown_service", 404},
	[ERROR_NO_ROUTE] = {"no_route", 404},
	[ERROR_METHOD_NOT_ALLOWED] = {"method_not_allowed", 405},
	[ERROR_REFUSED] = {"refused", 412},
	[ERROR_POSITION_NOT_TAKEN] = {"position_not_taken", 412},
	[ERROR_BODY_TOO_LARGE] = {"body_too_large", 413},
	[ERROR_TOO_MANY] = {"too_many", 413},
	[ERROR_INTERNAL] = {"internal", 500},
	[ERROR_STORE_UNREADABLE] = {"store_unreadable", 503},
	[ERROR_STORE_BUSY] = {"store_busy", 503},
	[ERROR_OUT_OF_MEMORY] = {"out_of_memory", 503},
	[ERROR_OVERLOADED] = {"overloaded", 503},
};

const char *error_name(enum error error)
{
	return errors[error].name;
}

unsigned error_status(enum error error)
{
	return errors[error].status;
}

int complain(struct complaint *complaint, struct arena *arena, enum error error,
	const char *format, ...)
{
	char text[MESSAGE_BYTES_MAX];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	complaint->error = error;
	complaint->message = length < 0 ? NULL : arena_print(arena, "%s", text);
	return COMPLAINED;
}

static const char no_memory[] =
	"{\"error\":{\"code\":\"out_of_memory\",\"message\":\"no memory for "
	"a reply: try again\"}}";

void reply_json(
	struct exchange *exchange, unsigned status, const struct buffer *out)
{
	if (out->failed)
		status = 503;
	exchange->reply.status = status;
	exchange->reply.content_type = "application/json";
	exchange->reply.body =
		out->failed ? slice_of(no_memory) : buffer_content(out);
	exchange->reply.retry_after_s = status == 503 ? RETRY_AFTER_S : 0;
}

void error_reply(
	struct exchange *exchange, enum error error, const char *message)
{
	struct buffer out = BUFFER_INIT(exchange->arena);
	buffer_text(&out, "{\"error\":{\"code\":");
	json_write_text(&out, error_name(error));
	buffer_text(&out, ",\"message\":");
	json_write_text(&out, message == NULL ? "" : message);
	buffer_text(&out, "}}");
	reply_json(exchange, error_status(error), &out);
}

enum error error_of_fault(int code)
{
	switch (code) {
	case FAULT_OOM:
		return ERROR_OUT_OF_MEMORY;
	case FAULT_BUSY:
		return ERROR_STORE_BUSY;
	case FAULT_INTERNAL:
		return ERROR_INTERNAL;
	default:
		return ERROR_STORE_UNREADABLE;
	}
}
