/*
 * reads STORE: a program as users of libholdfast write it, built from nothing
 * but what is installed; as C and as C++. Prints every value of two cards,
 * asked for in one lookup, and what is known of them.
 */
#include <holdfast.h>
#include <inttypes.h>
#include <stdio.h>

static int failed(const char *doing, const struct holdfast_error *error)
{
	fprintf(stderr, "%s: %d: %s\n", doing, error->code, error->text);
	return 1;
}

static void print_value(const struct holdfast_value *value)
{
	const unsigned char *bytes = (const unsigned char *)value->as.bytes;
	switch (value->type) {
	case HOLDFAST_TYPE_BOOL:
	case HOLDFAST_TYPE_INT64:
	case HOLDFAST_TYPE_TIMESTAMP:
		printf("%" PRId64, value->as.integer);
		break;
	case HOLDFAST_TYPE_FLOAT64:
		printf("%.17g", value->as.real);
		break;
	case HOLDFAST_TYPE_DECIMAL:
		printf("%" PRId64 "e-%u", value->as.integer,
			(unsigned)value->scale);
		break;
	case HOLDFAST_TYPE_STRING:
		printf("\"%s\"", value->as.text);
		break;
	case HOLDFAST_TYPE_BYTES:
		for (uint32_t i = 0; i < value->length; i++)
			printf("%02x", (unsigned)bytes[i]);
		break;
	case HOLDFAST_TYPE_VECTOR:
		for (uint32_t i = 0; i < value->length; i++)
			printf("%s%g", i == 0 ? "" : " ",
				(double)value->as.vector[i]);
		break;
	default:
		printf("-");
	}
}

static void print_row(const struct holdfast_answer *answer,
	const struct holdfast_feature *features, size_t row)
{
	for (size_t i = 0; i < answer->feature_count; i++) {
		const struct holdfast_value *value =
			&answer->values[row * answer->feature_count + i];
		printf("%s:%s ", features[i].view, features[i].name);
		print_value(value);
		printf(" %s %s %s\n", holdfast_type_name(value->type),
			holdfast_status_name(value->status),
			holdfast_reason_name(value->reason));
	}
}

static int look_up(struct holdfast *store, struct holdfast_error *error)
{
	static const char *const names[] = {"card:number", "card:spend",
		"card:score", "card:flag", "card:name", "card:photo",
		"card:seen", "card:vector", "card:nothing"};
	static const char *const cards[] = {"4711", "none"};
	struct holdfast_query *query;
	const struct holdfast_answer *answer;
	size_t count;
	if (holdfast_query_new(&query, store, names, 9, NULL, error) < 0)
		return failed("query", error);
	holdfast_bind_text(query, 0, cards, NULL, 2);
	if (holdfast_lookup(query, &answer, error) != HOLDFAST_OK)
		return failed("lookup", error);
	const struct holdfast_feature *features =
		holdfast_query_features(query, &count);
	printf("generation %s, position %s, %zu rows of %zu features\n",
		answer->generation, answer->position, answer->row_count, count);
	for (size_t row = 0; row < answer->row_count; row++)
		print_row(answer, features, row);
	holdfast_query_free(query);
	return 0;
}

int main(int argc, char **argv)
{
	struct holdfast *store;
	struct holdfast_error error;
	if (argc != 2)
		return 2;
	if (holdfast_open(&store, argv[1], HOLDFAST_BUSY_TIMEOUT_MS, &error) <
		0)
		return failed("open", &error);
	int status = look_up(store, &error);
	holdfast_close(store);
	return status;
}
