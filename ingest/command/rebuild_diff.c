/* rebuild --diff: what the new generation and the live one hold differently. */
#include "ingest/command/control.h"
#include "ingest/command/rebuild.h"
#include "ingest/command/rebuild_causes.h"
#include "ingest/command/say.h"
#include "ingest/command/sources.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"
#include "store/generation_diff.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* More than a person reads; all are counted. Of what the schemas explain, some
 * examples. */
#define LISTED_MAX 100
#define EXPLAINED_MAX 10

struct list {
	struct table *table;
	int64_t count, most;
};

enum { LIST_UNEXPLAINED, LIST_DECIDED, LIST_SCHEMA, LIST_COUNT };

struct listing {
	struct rebuild *rebuild;
	struct causes *causes;
	const char *cause; /* of the difference being told */
	struct list lists[LIST_COUNT];
};

/* Where nobody owns the store nobody stands still (store/decisions.h). */
static int begun(void *payload, struct fault *fault)
{
	const struct listing *listing = payload;
	char path[PATH_MAX];
	int length = snprintf(path, sizeof path, "%s/" CONTROL_SOCKET,
		listing->rebuild->config->store.path);
	if (length < 0 || (size_t)length >= sizeof path ||
		access(path, F_OK) != 0)
		return 0;
	return rebuild_go_on(listing->rebuild, fault);
}

static void add_entity(struct table *table, const struct difference *one)
{
	char *texts[SCHEMA_KEYS_MAX];
	char all[256] = "";
	size_t at = 0;
	for (size_t i = 0; i < one->view->key_count; i++) {
		texts[i] =
			value_text(&one->view->keys[i].type, &one->entity[i]);
		int length = snprintf(all + at, sizeof all - at, "%s%s",
			i == 0 ? "" : "/", texts[i] == NULL ? "?" : texts[i]);
		if (length > 0 && (size_t)length < sizeof all - at)
			at += (size_t)length;
		free(texts[i]);
	}
	table_add(table, "%s", all);
}

/* Its value, and the record that it is of. */
static void add_cell(struct table *table, const struct feature *feature,
	const struct cell *cell)
{
	if (feature == NULL || cell == NULL ||
		cell->value.state == VALUE_UNSET) {
		table_add(table, "-");
		table_add(table, "-");
		return;
	}
	char *text = value_text(&feature->type, &cell->value);
	table_add(table, "%.60s", text == NULL ? "?" : text);
	table_add(table, "%s:%" PRId32 "@%" PRId64, cell->version.log->topic,
		cell->version.log->partition, cell->version.offset);
	free(text);
}

static bool decided(void *payload, const struct difference *one)
{
	struct listing *listing = payload;
	listing->cause = causes_of(listing->causes, one);
	return listing->cause != NULL;
}

static void differs(void *payload, const struct difference *one)
{
	struct listing *listing = payload;
	struct list *list =
		&listing->lists[one->by_schema	   ? LIST_SCHEMA
				: one->by_decision ? LIST_DECIDED
						   : LIST_UNEXPLAINED];
	struct table *table = list->table;
	if (list->count++ >= list->most)
		return;
	table_add(table, "%s", one->view->name);
	add_entity(table, one);
	table_add(table, "%s",
		one->left_feature != NULL ? one->left_feature->name
					  : one->right_feature->name);
	add_cell(table, one->left_feature, one->left);
	add_cell(table, one->right_feature, one->right);
	if (one->by_decision)
		table_add(table, "%s", listing->cause);
}

/* What the schemas say of a view. */
static const char *note_of(const struct diff_view *view)
{
	if (view->only_left && view->only_right)
		return " (other keys)";
	if (view->only_left)
		return " (gone)";
	return view->only_right ? " (new)" : "";
}

static void add_view(struct table *table, const struct diff_view *view)
{
	const int64_t numbers[] = {view->same, view->left, view->right,
		view->differing, view->features, view->by_schema,
		view->by_decision, view->left_deleted, view->right_deleted};
	table_add(table, "%s%s", view->name, note_of(view));
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		table_add(table, "%" PRId64, numbers[i]);
}

static int print_views(const struct diff *diff, struct fault *fault)
{
	static const struct column columns[] = {{"view", false}, {"same", true},
		{"live only", true}, {"new only", true}, {"differing", true},
		{"features", true}, {"by schema", true}, {"by decision", true},
		{"deleted, live", true}, {"new", true}};
	struct table *table =
		table_new(columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; table != NULL && i < diff->count; i++)
		add_view(table, &diff->views[i]);
	bool printed = table != NULL && table_print(table, stdout);
	table_free(table);
	return printed ? 0
		       : fault_set(fault, FAULT_OOM, "no memory for a table");
}

static int print_list(
	const struct list *list, const char *heading, struct fault *fault)
{
	if (list->count == 0)
		return 0;
	fputs(heading, stdout);
	if (!table_print(list->table, stdout))
		return fault_set(fault, FAULT_OOM, "no memory for a table");
	if (list->count > list->most)
		printf("and %" PRId64 " more\n", list->count - list->most);
	putchar('\n');
	return 0;
}

static int print_all(const struct listing *listing, const struct diff *diff,
	struct fault *fault)
{
	static const char *const headings[] = {[LIST_UNEXPLAINED] = "",
		[LIST_DECIDED] = "explained by decisions:\n",
		[LIST_SCHEMA] = "explained by the schemas:\n"};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < LIST_COUNT; i++)
		rc = print_list(&listing->lists[i], headings[i], fault);
	return rc < 0 ? rc : print_views(diff, fault);
}

static int compare(
	struct listing *listing, struct reader *built, struct fault *fault)
{
	struct rebuild *rebuild = listing->rebuild;
	const struct diff_options options = {.view = rebuild->options->view,
		.begun = begun,
		.decided = decided,
		.differs = differs,
		.payload = listing};
	const struct decoder limits = sources_decoder(rebuild->config);
	struct diff diff = {0};
	arena_reset(&rebuild->arena);
	int rc = rebuild_look(rebuild, fault);
	if (rc == 0)
		rc = causes_find(
			&listing->causes, rebuild->live, built, &limits, fault);
	if (rc == 0)
		rc = readers_compare(rebuild->live, built, &options,
			&rebuild->arena, &diff, fault);
	if (rc == 0)
		rc = print_all(listing, &diff, fault);
	causes_free(listing->causes);
	return rc;
}

static int make_lists(struct listing *listing, struct fault *fault)
{
	static const struct column columns[] = {{"view", false},
		{"entity", false}, {"feature", false}, {"live", false},
		{"of", false}, {"new", false}, {"of", false}, {"why", false}};
	const size_t count = sizeof columns / sizeof columns[0];
	for (size_t i = 0; i < LIST_COUNT; i++) {
		struct list *list = &listing->lists[i];
		list->most = i == LIST_SCHEMA ? EXPLAINED_MAX : LISTED_MAX;
		list->table = table_new(
			columns, i == LIST_DECIDED ? count : count - 1);
		if (list->table == NULL)
			return fault_set(
				fault, FAULT_OOM, "no memory for a table");
	}
	return 0;
}

int rebuild_diff(struct rebuild *rebuild, struct fault *fault)
{
	struct listing listing = {.rebuild = rebuild};
	struct reader *built = NULL;
	int rc = make_lists(&listing, fault);
	if (rc == 0)
		rc = reader_open_generation(&built, rebuild->config->store.path,
			rebuild->name, REBUILD_BUSY_MS, fault);
	if (rc == 0)
		rc = compare(&listing, built, fault);
	reader_close(built);
	for (size_t i = 0; i < LIST_COUNT; i++)
		table_free(listing.lists[i].table);
	return rc;
}
