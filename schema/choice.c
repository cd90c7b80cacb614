#include "schema/schema.h"

const char *choice_name(enum choice choice)
{
	static const char *const names[CHOICE_COUNT] = {
		[CHOICE_SERVE] = "serve",
		[CHOICE_DEFAULT] = "default",
		[CHOICE_FAIL] = "fail",
	};
	return names[choice];
}

bool choice_parse(struct slice name, enum choice *out)
{
	for (enum choice choice = 0; choice < CHOICE_COUNT; choice++) {
		if (!slice_equal(name, slice_of(choice_name(choice))))
			continue;
		*out = choice;
		return true;
	}
	return false;
}
