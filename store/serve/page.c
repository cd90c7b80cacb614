#include "schema/buffer.h"
#include "store/serve/endpoints.h"

int page_write(struct exchange *exchange, struct fault *fault)
{
	(void)fault;
	exchange->reply = (struct reply){
		.status = 200,
		.content_type = "text/plain; version=0.0.4; charset=utf-8",
		.body = slice_of(""),
	};
	return 0;
}
