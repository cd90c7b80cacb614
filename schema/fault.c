#include "schema/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fault_set(struct fault *fault, int code, const char *format, ...)
{
	if (fault == NULL)
		return code;
	va_list arguments;
	va_start(arguments, format);
	int length =
		vsnprintf(fault->text, sizeof fault->text, format, arguments);
	va_end(arguments);
	if (length < 0)
		fault->text[0] = '\0';
	fault->code = code;
	return code;
}

int fault_wrap(struct fault *fault, int code, const char *format, ...)
{
	if (fault == NULL)
		return code;
	char inner[sizeof fault->text];
	memcpy(inner, fault->text, sizeof inner);
	va_list arguments;
	va_start(arguments, format);
	int length =
		vsnprintf(fault->text, sizeof fault->text, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof fault->text)
		length = 0;
	size_t room = sizeof fault->text - (size_t)length;
	/* Cut off at the end rather than lost: the beginning says where. */
	if (snprintf(fault->text + length, room, ": %s", inner) < 0)
		fault->text[length] = '\0';
	return code;
}

int fault_exit_status(int code)
{
	switch (code) {
	case 0:
		return 0;
	case FAULT_USAGE:
		return 2;
	case FAULT_CORRUPT:
		return 3;
	case FAULT_REFUSED:
	case FAULT_LOCKED:
	case FAULT_FENCED:
	case FAULT_LOG:
		return 4;
	default:
		return 1;
	}
}
