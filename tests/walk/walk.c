/*
 * walk KIND CHAPTER EVERY: each EVERY-th request for memory, or call of the
 * disk, of a chapter (or of all) fails, once and for ever.
 * walk KIND CHAPTER at N once|forever: that one again.
 *
 * Each point is a process of its own on a copy of the chapter's store. It must
 * end with a fault that says what was short, without a block of memory or a
 * descriptor left; and the chapter played again, in the same process, must end
 * well, with the store that an undisturbed run leaves.
 */
#include "tests/lib/directory.h"
#include "tests/walk/chapters.h"
#include "tests/walk/shortage.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEAD_IN_JANSSON 77 /* a child's exit status */
#define CODES 16
#define UNREADABLE "error code=" /* integrity_check, of a page */
#define TEXT_BYTES 1400

struct point {
	const struct chapter *chapter;
	enum shortage kind;
	long n;
	bool forever;
};

/* What a child found, in memory shared with it. */
struct finding {
	long asked;
	int code; /* that the chapter ended with */
	char violation[TEXT_BYTES];
	struct stage_sum sum;
};

struct walk {
	struct directory before, work; /* a chapter's store, and its copy */
	struct finding *finding;
	struct stage_sum good; /* of an undisturbed run */
	long requests;	       /* that such a run makes */
	long points, violations, jansson;
	long codes[CODES]; /* by fault, how many */
};

/* jansson asserts that its buffer grew, and ends the process there: as good a
 * death as any. Our own assertions are not allowed to. */
void __assert_fail(const char *what, const char *file, unsigned line,
	const char *function) /* NOLINT(bugprone-reserved-identifier) */
{
	(void)fprintf(stderr, "%s:%u: %s: %s\n", file, line, function, what);
	if (strstr(file, "strbuffer.c") != NULL ||
		strstr(file, "load.c") != NULL)
		_exit(DEAD_IN_JANSSON);
	abort();
}

static void give_up(const char *what)
{
	perror(what);
	exit(2);
}

static void copy_file(const char *from, const char *to)
{
	char bytes[65536];
	ssize_t length;
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (in < 0 || out < 0)
		give_up(from);
	while ((length = read(in, bytes, sizeof bytes)) > 0)
		if (write(out, bytes, (size_t)length) != length)
			give_up(to);
	(void)close(in);
	(void)close(out);
}

static void copy_tree(const struct directory *from, const struct directory *to);

static void copy_entry(const char *from, const char *to)
{
	char target[DIRECTORY_PATH_MAX];
	struct stat status;
	ssize_t length = readlink(from, target, sizeof target - 1);
	if (length >= 0) {
		target[length] = '\0';
		if (symlink(target, to) < 0)
			give_up(to);
	} else if (lstat(from, &status) < 0) {
		give_up(from);
	} else if (S_ISDIR(status.st_mode)) {
		struct directory inner, made;
		(void)snprintf(inner.path, sizeof inner.path, "%s", from);
		(void)snprintf(made.path, sizeof made.path, "%s", to);
		if (mkdir(to, 0750) < 0)
			give_up(to);
		copy_tree(&inner, &made);
	} else if (S_ISREG(status.st_mode)) {
		copy_file(from, to);
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): two levels of directories */
static void copy_tree(const struct directory *from, const struct directory *to)
{
	DIR *directory = opendir(from->path);
	const struct dirent *entry;
	if (directory == NULL)
		give_up(from->path);
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			copy_entry(directory_entry(from, entry->d_name).path,
				directory_entry(to, entry->d_name).path);
	(void)closedir(directory);
}

static int descriptors(void)
{
	int count = 0;
	DIR *directory = opendir("/proc/self/fd");
	while (directory != NULL && readdir(directory) != NULL)
		count++;
	if (directory != NULL)
		(void)closedir(directory);
	return count;
}

/* The first thing that is wrong stays. */
static void violated(
	struct finding *finding, const char *what, int code, const char *text)
{
	if (finding->violation[0] == '\0')
		(void)snprintf(finding->violation, sizeof finding->violation,
			"%s: %d: %s", what, code, text);
}

/* A fault that says the truth about a shortage; without memory, some exits are
 * those after which a process starts anew. SQLite itself calls it
 * SQLITE_IOERR_SHMLOCK where a checkpoint finds no memory for the WAL's index
 * (os_unix.c, unixShmLock()). */
static bool is_honest(enum shortage kind, int code, const char *text)
{
	if (code == 0)
		return true;
	if (kind == SHORTAGE_STATEMENTS)
		return text[0] != '\0' &&
		       (code == FAULT_IO || code == FAULT_OOM ||
			       code == FAULT_BUSY);
	if (kind == SHORTAGE_DISK || kind == SHORTAGE_FILES)
		return (code == FAULT_IO && text[0] != '\0') ||
		       (code == FAULT_CORRUPT &&
			       strstr(text, UNREADABLE) != NULL);
	if (code == FAULT_IO && strstr(text, "(SQLite 5130)") != NULL)
		return true;
	return strstr(text, "memory") != NULL &&
	       (code == FAULT_OOM || code == FAULT_IO);
}

static int play(
	struct stage *stage, const struct chapter *chapter, const char *path)
{
	int rc = stage_begin(stage, path);
	return rc == 0 ? chapter->play(stage) : rc;
}

static void play_short(const struct walk *walk, const struct point *point)
{
	struct finding *finding = walk->finding;
	struct stage stage;
	struct fault fault;
	long held = shortage_held();
	int files = descriptors();
	shortage_begin(point->kind, point->n, point->forever);
	int rc = play(&stage, point->chapter, walk->work.path);
	fault = stage.fault;
	stage_finish(&stage);
	finding->asked = shortage_end();
	finding->code = rc;
	if (!is_honest(point->kind, rc, fault.text))
		violated(finding, "what it ended with", rc, fault.text);
	if (shortage_held() != held)
		violated(finding, "blocks left", (int)(shortage_held() - held),
			fault.text);
	if (descriptors() != files)
		violated(finding, "descriptors left", descriptors() - files,
			fault.text);
}

/* Nothing is short any more. */
static void look(const struct walk *walk)
{
	struct finding *finding = walk->finding;
	struct stage stage;
	int rc = stage_begin(&stage, walk->work.path);
	if (rc == 0)
		rc = stage_look(&stage, &finding->sum);
	if (rc != 0)
		violated(finding, "looked at", rc, stage.fault.text);
	if (finding->sum.problems > 0)
		violated(finding, "verify", (int)finding->sum.problems,
			finding->sum.problem);
	stage_finish(&stage);
}

static void play_again(const struct walk *walk, const struct chapter *chapter)
{
	struct finding *finding = walk->finding;
	struct stage stage;
	int rc = play(&stage, chapter, walk->work.path);
	if (rc != 0)
		violated(finding, "played again", rc, stage.fault.text);
	stage_finish(&stage);
	look(walk);
}

static void compare(struct walk *walk)
{
	struct finding *finding = walk->finding;
	for (int i = 0; i < STAGE_TOPICS; i++)
		if (finding->sum.next_offsets[i] !=
				walk->good.next_offsets[i] ||
			finding->sum.updates[i] != walk->good.updates[i])
			violated(finding, "other accounts", i, "");
	if (!digest_equal(finding->sum.digest, walk->good.digest))
		violated(finding, "another digest", 0, "");
}

/* Returns the child's wait status. */
static int in_child(void (*what)(const struct walk *, const struct point *),
	const struct walk *walk, const struct point *point)
{
	int status = 0;
	(void)fflush(stdout);
	pid_t child = fork();
	if (child < 0)
		give_up("fork");
	if (child == 0) {
		what(walk, point);
		exit(0); /* gcov writes what it counted */
	}
	if (waitpid(child, &status, 0) != child)
		give_up("waitpid");
	return status;
}

static void short_and_again(const struct walk *walk, const struct point *point)
{
	play_short(walk, point);
	if (walk->finding->code == 0) /* it says that all is well */
		look(walk);
	play_again(walk, point->chapter);
}

static void only_again(const struct walk *walk, const struct point *point)
{
	play_again(walk, point->chapter);
}

static void prepare(const struct walk *walk, const struct point *point)
{
	struct stage stage;
	int rc = stage_begin(&stage, walk->before.path);
	if (rc == 0 && point->chapter->before != NULL)
		rc = point->chapter->before(&stage);
	if (rc != 0)
		violated(walk->finding, "prepared", rc, stage.fault.text);
	stage_finish(&stage);
}

static void fresh_copy(struct walk *walk)
{
	memset(walk->finding, 0, sizeof *walk->finding);
	directory_make(&walk->work);
	copy_tree(&walk->before, &walk->work);
}

static void report(struct walk *walk, const struct point *point)
{
	const struct finding *finding = walk->finding;
	if (-finding->code >= 0 && -finding->code < CODES)
		walk->codes[-finding->code]++;
	if (finding->violation[0] == '\0')
		return;
	walk->violations++;
	printf("%s %s at %ld %s: %s\n", shortage_name(point->kind),
		point->chapter->name, point->n,
		point->forever ? "forever" : "once", finding->violation);
}

static void try(struct walk *walk, const struct point *point)
{
	fresh_copy(walk);
	int status = in_child(short_and_again, walk, point);
	if (WIFEXITED(status) && WEXITSTATUS(status) == DEAD_IN_JANSSON) {
		walk->jansson++;
		status = in_child(only_again, walk, point);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		violated(walk->finding, "died", status, "");
	compare(walk);
	directory_remove(&walk->work);
	report(walk, point);
	walk->points++;
}

/* What must end well, or there is nothing to compare with. */
static void undisturbed(void (*what)(const struct walk *, const struct point *),
	const struct walk *walk, const struct point *point)
{
	int status = in_child(what, walk, point);
	if (status == 0 && walk->finding->violation[0] == '\0')
		return;
	printf("%s: undisturbed: %d: %s\n", point->chapter->name, status,
		walk->finding->violation);
	exit(2);
}

/* The store it begins with, and what an undisturbed run makes of it. */
static void begin(struct walk *walk, struct point *point)
{
	memset(walk->finding, 0, sizeof *walk->finding);
	directory_make(&walk->before);
	undisturbed(prepare, walk, point);
	fresh_copy(walk);
	point->n = 0;
	undisturbed(short_and_again, walk, point);
	walk->good = walk->finding->sum;
	walk->requests = walk->finding->asked;
	directory_remove(&walk->work);
}

static void whole(struct walk *walk, struct point *point, long every)
{
	for (int forever = 0; forever <= 1; forever++) {
		point->forever = forever == 1;
		/* Others than the first mode's. */
		point->n = forever == 1 ? 1 + every / 2 : 1;
		for (; point->n <= walk->requests; point->n += every)
			try(walk, point);
	}
	printf("%s %s: every %ld of %ld\n", shortage_name(point->kind),
		point->chapter->name, every, walk->requests);
}

static void summarize(const struct walk *walk)
{
	for (int i = 0; i < CODES; i++)
		if (walk->codes[i] > 0)
			printf("%ld ended with %d\n", walk->codes[i], -i);
	if (walk->jansson > 0)
		printf("%ld died in jansson\n", walk->jansson);
	printf("%ld points, %ld violations\n", walk->points, walk->violations);
}

/* Once, so that what is made for the whole process is there. */
static void warm_up(void)
{
	struct directory directory;
	struct stage stage;
	directory_make(&directory);
	(void)play(&stage, &chapters[0], directory.path);
	stage_finish(&stage);
	directory_remove(&directory);
}

static int usage(void)
{
	(void)fputs("walk KIND CHAPTER|all EVERY\n"
		    "walk KIND CHAPTER at N once|forever\n"
		    "KIND: memory, disk, files, pieces, rooms, "
		    "statements. CHAPTER:",
		stderr);
	for (int i = 0; i < chapter_count; i++)
		(void)fprintf(stderr, " %s", chapters[i].name);
	(void)fputc('\n', stderr);
	return 2;
}

/* `what`: "EVERY", or "at", N, "once" or "forever". */
static void chapter(struct walk *walk, struct point *point, char **what)
{
	begin(walk, point);
	if (strcmp(what[0], "at") == 0) {
		point->n = strtol(what[1], NULL, 10);
		point->forever = strcmp(what[2], "forever") == 0;
		try(walk, point);
	} else {
		whole(walk, point, strtol(what[0], NULL, 10));
	}
	directory_remove(&walk->before);
}

int main(int argc, char **argv)
{
	static struct walk walk;
	struct point point = {.kind = SHORTAGE_MEMORY};
	if (argc < 4 || (strcmp(argv[3], "at") == 0 && argc < 6))
		return usage();
	while (point.kind < SHORTAGE_COUNT &&
		strcmp(argv[1], shortage_name(point.kind)) != 0)
		point.kind++;
	if (point.kind == SHORTAGE_COUNT)
		return usage();
	shortage_install();
	warm_up();
	walk.finding = mmap(NULL, sizeof *walk.finding, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (walk.finding == MAP_FAILED)
		give_up("mmap");
	for (int i = 0; i < chapter_count; i++) {
		point.chapter = &chapters[i];
		if (strcmp(argv[2], "all") == 0 ||
			strcmp(argv[2], point.chapter->name) == 0)
			chapter(&walk, &point, argv + 3);
	}
	summarize(&walk);
	return walk.points == 0 || walk.violations > 0;
}
