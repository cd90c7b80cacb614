/*
 * Records with a null value: a delete of the entity in their key.
 */
#include "schema/canonical.h"
#include "schema/decoding.h"
#include "schema/json.h"
#include "schema/pointer.h"

/* A record's key, as far as it can be read. */
struct key_document {
	json_t *root;	    /* owned; NULL: not JSON */
	json_t *plain_text; /* owned; the bytes as a string; NULL: not UTF-8 */
};

static bool open_key(struct decoding *decoding, struct key_document *out)
{
	const struct decoder *decoder = decoding->decoder;
	struct slice key = decoding->record.key;
	*out = (struct key_document){NULL, NULL};
	if (key.data == NULL || key.length == 0 ||
		key.length > decoder->value_bytes_max)
		return true;
	struct json_text json;
	if (json_read(key, decoder->depth_max, decoding->arena, &json) < 0) {
		decoding->out_of_memory = true;
		return false;
	}
	out->root = json.root;
	decoding->converter.lossy = json.lossy;
	/* An object names its keys; any other text may be the key itself. */
	if (!json_is_object(json.root) && !json_is_array(json.root))
		out->plain_text = json_stringn(key.data, key.length);
	return true;
}

static void close_key(struct key_document *key)
{
	json_decref(key->root);
	json_decref(key->plain_text);
}

/* A scalar is the one join key. Where that is a string, a key without quotes
 * (4711, card-4711) is its text: producers of plain keys write it so. */
static json_t *scalar(const struct key_document *key, const struct view *view)
{
	if (view->key_count != 1 || json_is_null(key->root))
		return NULL;
	if (view->keys[0].type.kind == TYPE_STRING &&
		!json_is_string(key->root))
		return key->plain_text;
	return json_is_array(key->root) ? NULL : key->root;
}

/* Look one join key up: where the mapping finds it in values, else under its
 * own name. */
static json_t *find_in_key(const struct key_document *key,
	const struct pointer *pointer, const struct view *view, size_t i)
{
	if (!json_is_object(key->root))
		return scalar(key, view);
	json_t *found = pointer_find(pointer, key->root);
	if (found == NULL)
		found = json_object_get(key->root, view->keys[i].name);
	return found;
}

static void put_content(
	struct decoding *decoding, json_t *const *entity, size_t count)
{
	decoding->scratch.length = 0;
	buffer_byte(&decoding->scratch, OPERATION_DELETE);
	for (size_t i = 0; i < count; i++)
		canonical_json(&decoding->scratch, entity[i]);
}

/* One delete of an entity is enough: the first stays. The content of a delete
 * is its entity, whether that is good or bad. */
static void drop_repeated(struct decoded *out)
{
	const struct update *last = &out->updates[out->update_count - 1];
	for (size_t i = 0; i + 1 < out->update_count; i++)
		if (out->updates[i].view == last->view &&
			out->updates[i].content == last->content) {
			out->update_count--;
			return;
		}
}

static void delete_mapped(struct decoding *decoding,
	const struct key_document *key, uint32_t place)
{
	const struct mapping *mapping = &decoding->source->updates[place];
	const struct view *view =
		&decoding->decoder->schema->views[mapping->view];
	json_t *entity[SCHEMA_KEYS_MAX];
	for (size_t i = 0; i < view->key_count; i++) {
		entity[i] = find_in_key(key, &mapping->entity[i], view, i);
		if (entity[i] == NULL || json_is_null(entity[i]))
			return;
	}
	put_content(decoding, entity, view->key_count);
	struct update *update =
		decoding_update(decoding, place, slice_of(view->name));
	update->view = view;
	update->operation = OPERATION_DELETE;
	(void)(judge_entity(decoding, update, entity) &&
		judge_time(decoding, update));
	drop_repeated(decoding->out);
}

static void delete_all_mapped(
	struct decoding *decoding, const struct key_document *key)
{
	const struct source_schema *source = decoding->source;
	if (!decoding_reserve(decoding, source->update_count))
		return;
	for (uint32_t i = 0; i < source->update_count; i++)
		delete_mapped(decoding, key, i);
	if (decoding->out->update_count > 0 || decoding->out_of_memory)
		return;
	const struct view *view =
		&decoding->decoder->schema->views[source->updates[0].view];
	put_content(decoding, NULL, 0);
	struct update *update =
		decoding_update(decoding, 0, slice_of(view->name));
	update->operation = OPERATION_DELETE;
	update_blame(update, REASON_MISSING_ENTITY,
		"a null value deletes the entity in the record's key, and "
		"there is none in it");
}

void decode_tombstone(struct decoding *decoding)
{
	struct key_document key;
	if (!open_key(decoding, &key))
		return;
	if (decoding->source->envelope)
		decode_envelope_key(decoding, key.root);
	else
		delete_all_mapped(decoding, &key);
	close_key(&key);
}
