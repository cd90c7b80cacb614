/* libholdfast: what was found, handed out. */
#include "store/library_inside.h"

#include <math.h>
#include <stdalign.h>
#include <string.h>

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for an answer");
}

static bool is_native(const struct slice *vector)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ &&
	       (uintptr_t)vector->data % alignof(float) == 0;
}

/* The store's little-endian elements as this machine's floats. */
static const float *to_vector(struct arena *arena, struct slice stored)
{
	if (is_native(&stored))
		return (const float *)(const void *)stored.data;
	float *vector = arena_take(arena, stored.length);
	const unsigned char *at = (const unsigned char *)stored.data;
	for (size_t i = 0; vector != NULL && i < stored.length / 4; i++) {
		uint32_t bits = (uint32_t)at[0] | (uint32_t)at[1] << 8 |
				(uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
		memcpy(&vector[i], &bits, sizeof bits);
		at += 4;
	}
	return vector;
}

/* False when out of memory. A default is the schema's, whose reader another
 * query's lookup may close while this answer is still borrowed. */
static bool put_bytes_of(
	struct holdfast_value *out, struct slice bytes, struct arena *arena)
{
	if (out->status == HOLDFAST_STATUS_DEFAULT)
		bytes = arena_copy(arena, bytes);
	if (bytes.data == NULL)
		return false;
	out->length = (uint32_t)bytes.length;
	if (out->type == HOLDFAST_TYPE_VECTOR) {
		out->length = (uint32_t)(bytes.length / sizeof(float));
		out->as.vector = to_vector(arena, bytes);
		return out->as.vector != NULL;
	}
	out->as.text = bytes.data;
	return true;
}

/* False when out of memory. */
static bool put_value(struct holdfast_value *out,
	const struct lookup_value *found,
	const struct holdfast_feature *feature, struct arena *arena)
{
	*out = (struct holdfast_value){
		.type = (uint8_t)feature->type,
		.status = (uint8_t)found->verdict.status,
		.reason = (uint8_t)found->verdict.reason,
		.scale = (uint8_t)feature->scale,
		.event_time_us = found->event_time_us,
	};
	const struct value *value = &found->value;
	if (value->state == VALUE_UNSET)
		out->type = HOLDFAST_TYPE_NONE;
	else if (value->state == VALUE_NULL)
		out->type = HOLDFAST_TYPE_NULL;
	else if (feature->type == HOLDFAST_TYPE_FLOAT64)
		out->as.real = value->as.real;
	else if (feature->type == HOLDFAST_TYPE_STRING ||
		 feature->type == HOLDFAST_TYPE_BYTES ||
		 feature->type == HOLDFAST_TYPE_VECTOR)
		return put_bytes_of(out, value->as.bytes, arena);
	else
		out->as.integer = value->as.integer;
	return true;
}

static struct holdfast_value *put_values(struct holdfast_query *query,
	const struct lookup_answer *found, size_t rows)
{
	size_t count = query->feature_count;
	struct holdfast_value *values =
		arena_take(&query->scratch, rows * count * sizeof *values);
	struct holdfast_value *value = values;
	for (size_t row = 0; values != NULL && row < rows; row++)
		for (size_t i = 0; i < count; i++, value++) {
			const struct query_place *place = &query->places[i];
			const struct lookup_value *from =
				lookup_row(&found->parts[place->part], row);
			if (!put_value(value, &from[place->column],
				    &query->features[i], &query->scratch))
				return NULL;
		}
	return values;
}

/* Where something is refused, nothing is served. */
static void withhold(struct holdfast_value *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		values[i].type = HOLDFAST_TYPE_NONE;
		values[i].length = 0;
		values[i].as.integer = 0;
	}
}

static struct holdfast_view *put_views(
	struct holdfast_query *query, const struct lookup_answer *found)
{
	struct holdfast_view *views =
		arena_take(&query->scratch, found->part_count * sizeof *views);
	for (size_t i = 0; views != NULL && i < found->part_count; i++) {
		const struct lookup_part_answer *part = &found->parts[i];
		views[i] = (struct holdfast_view){
			NULL, part->as_of_us, part->lag_us, part->behind};
	}
	for (size_t i = 0; views != NULL && i < query->feature_count; i++)
		views[query->places[i].part].name = query->features[i].view;
	return views;
}

int answer_put(struct holdfast_query *query, const struct lookup_answer *found,
	size_t rows, const struct holdfast_answer **out, struct fault *fault)
{
	struct holdfast_answer *answer =
		arena_take(&query->scratch, sizeof *answer);
	struct holdfast_value *values = put_values(query, found, rows);
	struct holdfast_view *views = put_views(query, found);
	const char *generation =
		arena_copy(&query->scratch, slice_of(found->generation)).data;
	if (answer == NULL || values == NULL || views == NULL ||
		generation == NULL)
		return no_memory(fault);
	size_t refused = 0;
	for (size_t i = 0; i < rows * query->feature_count; i++)
		refused += values[i].status == HOLDFAST_STATUS_REFUSED;
	if (refused > 0)
		withhold(values, rows * query->feature_count);
	*answer = (struct holdfast_answer){
		.values = values,
		.row_count = rows,
		.feature_count = query->feature_count,
		.refused = refused,
		.as_of_us = found->as_of_us,
		.lag_us = found->lag_us,
		.generation = generation,
		.position = found->position.data,
		.views = views,
		.view_count = found->part_count,
	};
	*out = answer;
	return refused > 0 ? HOLDFAST_REFUSED : HOLDFAST_OK;
}

double holdfast_number(const struct holdfast_value *value, double otherwise)
{
	switch (value->type) {
	case HOLDFAST_TYPE_BOOL:
	case HOLDFAST_TYPE_INT64:
	case HOLDFAST_TYPE_TIMESTAMP:
		return (double)value->as.integer;
	case HOLDFAST_TYPE_DECIMAL:
		return decimal_to_real(value->as.integer, value->scale);
	case HOLDFAST_TYPE_FLOAT64:
		return value->as.real;
	default:
		return otherwise;
	}
}
