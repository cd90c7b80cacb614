#include "store/serve/descriptors.h"

#include <stdint.h>
#include <sys/resource.h>

size_t descriptors_raise(size_t wanted)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return SIZE_MAX; /* nobody knows: accept() will say so */
	if (limit.rlim_cur < wanted && limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = limit;
		raised.rlim_cur =
			wanted < limit.rlim_max ? wanted : limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return (size_t)limit.rlim_cur;
}
