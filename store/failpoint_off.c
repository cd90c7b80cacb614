#include "store/failpoint.h"

void failpoint(const char *name)
{
	(void)name;
}
