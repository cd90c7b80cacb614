"""Deliberate bugs, one at a time: the simulation must find each.

    mutants.py SOURCE WORK [NAME...]

Each is one change to a copy of the source in WORK; the program is built from it and hunts until the first violation. What takes
two coincidences has a unit test fail that makes them; what the simulation does not link, a test of `holdfast`.
"""

import os
import shutil
import subprocess
import sys
import time

BUILD_SECONDS = 600
HUNT_SECONDS = 1800  # whoever does not end by then found nothing: runs that never end do, by themselves
JOBS = ["-j", str(os.cpu_count())]
HUNT = ["hunt", "29", "5", "1", "400"]
BACK_HUNT = ["back-hunt", "29", "2", "1", "500"]  # no more than `run.sh quick` makes: without a mutant they find nothing

# name, file, what stands there (once), what is put in its place; where it takes luck, what to hunt with, or the test that must fail
MUTANTS = [
    ("offsets in a transaction before the rows'", "store/apply.c",
     "\trc = write_batch(batch, fault);\n",
     "\trc = write_partitions(batch, fault);\n\tif (rc == 0)\n\t\trc = sql_run(store->commit, fault);\n"
     "\tif (rc == 0)\n\t\trc = sql_run(store->begin, fault);\n\tif (rc == 0)\n\t\trc = write_batch(batch, fault);\n"),
    ("offsets in a transaction behind the rows'", "store/apply.c",
     "\tif (rc == 0)\n\t\trc = write_partitions(batch, fault);\n",
     "\tif (rc == 0)\n\t\trc = sql_run(batch->store->commit, fault);\n\tif (rc == 0)\n"
     "\t\trc = sql_run(batch->store->begin, fault);\n\tif (rc == 0)\n\t\trc = write_partitions(batch, fault);\n"),
    ("Kafka committed before the store", "ingest/pipeline.c",
     "\tint rc = caution_note(&pipeline->caution, flight, fault);\n\tif (rc == 0)\n",
     "\tint rc = caution_note(&pipeline->caution, flight, fault);\n\tcommit_landed(pipeline, flight);\n\tif (rc == 0)\n"),
    ("a failed write counts as durable", "store/transaction.c",
     "\tif (rc == 0) {\n\t\tstore->commits++;\n", "\tif (rc == 0 || rc == FAULT_IO) {\n\t\tstore->commits++;\n"),
    ("`>=` for `>`: the older feature wins a tie", "schema/merge.c",
     "version_compare(version, &cell->version) <= 0", "version_compare(version, &cell->version) < -1"),
    ("a floor at the same moment doesn't count", "schema/merge.c",
     "\treturn row->has_floor && version_compare(version, &row->floor) < 0;",
     "\treturn row->has_floor && version->event_us < row->floor.event_us;"),
    ("newest wins by batch", "store/run.c",
     "\tfor (size_t i = 0; i < count; i++)\n\t\tchanged |= merge_item",
     "\tfor (size_t i = 0; i + 1 < count; i++)\n\t\titems[i]->disposition = DISPOSITION_SUPERSEDED;\n"
     "\tfor (size_t i = count - 1; i < count; i++)\n\t\tchanged |= merge_item"),
    ("synchronous=OFF", "store/open.c", 'check_pragma(db, "PRAGMA synchronous", "2", fault)',
     'sql_execute(db, "PRAGMA synchronous = OFF", fault)'),
    ("synchronous=NORMAL", "store/open.c", 'check_pragma(db, "PRAGMA synchronous", "2", fault)',
     'sql_execute(db, "PRAGMA synchronous = NORMAL", fault)'),
    ("keys of a failed batch stay in memory", "store/apply.c", "\tkeys_forget(&store->keys);\n", "\tkeys_settle(&store->keys);\n"),
    ("keys let go by the fastest partition's time", "store/key_segments.c",
     "\t\tif (horizon->at_end[log] && !came_from(segment, log))\n", "\t\tif (!came_from(segment, log))\n"),
    ("keys let go before their partition passed them", "store/key_segments.c",
     "\t\tif (horizon->at_end[log] && !came_from(segment, log))\n", "\t\tif (came_from(segment, log) || horizon->at_end[log])\n"),
    ("where a build stops is taken for the log's end", "store/batch.c",
     "at_end = !mark->goes_on;", "at_end = true;", ["test_store_window"]),
    ("the key window forgets at once", "store/window.c",
     "\treturn distance <= (uint64_t)window_us;", "\treturn distance < (uint64_t)window_us / 2;"),
    ("the floor is forgotten behind an upsert", "store/view_rows.c",
     "\tif (!row_encode_floor(row, arena, &floor) ||\n\t\t!row_encode_versions",
     "\tstruct row bare = *row;\n\tbare.has_floor = false;\n\tif (!row_encode_floor(&bare, arena, &floor) ||\n"
     "\t\t!row_encode_versions"),
    ("a sum counts twice by retry", "store/run.c",
     "\tif (!merged.late_delete)\n\t\treturn merged;\n",
     "\tif (!merged.late_delete)\n\t\t(void)merge(update->view, row, update, version);\n"
     "\tif (!merged.late_delete)\n\t\treturn merged;\n"),
    ("a dead update takes its key for good", "store/window.c",
     "\tif (holds && holder->state != KEY_DEAD) {", "\tif (holds) {"),
    ("an overtaken letter is not marked", "store/window.c",
     "\tletter.state = LETTER_OVERTAKEN;\n", "\tletter.state = LETTER_OPEN;\n"),
    ("the digest misses what a delete takes away", "store/run.c",
     "\ttotals->digest = digest_add(digest_subtract(totals->digest, before),\n",
     "\tif (held.row.has_floor)\n\t\tbefore = DIGEST_ZERO;\n"
     "\ttotals->digest = digest_add(digest_subtract(totals->digest, before),\n"),
    ("what a failed sync left in memory is not dropped", "store/open.c",
     "\t\tlayout_drop_cache(&store->layout);\n", "\t\t(void)0;\n"),
    ("after a failed write it goes on", "store/transaction.c", "\tif (rc == FAULT_IO) {\n", "\tif (rc == FAULT_INTERNAL) {\n"),
    ("who lost the store writes on", "store/transaction.c",
     "\tif (rc == 0 && epoch != store->owner_epoch)\n", "\tif (rc == 0 && epoch < 0)\n"),
    ("a file that is newer than its WAL is not looked for", "store/coherence.c",
     "\tif (rc < 0 || copied <= commits)\n", "\tif (rc < 0 || copied < INT64_MAX)\n", ["test_wal_damage"]),
    ("the end's gaps are not counted", "store/batch.c",
     "\t\t\taccounts->gaps +=\n\t\t\t\tmark->next_offset - accounts->next_offset;\n", ""),
    ("records below the fence are taken again", "store/batch.c",
     "\t\tif (record->record.offset < partition->accounts.next_offset) {",
     "\t\tif (record->record.offset + 1 < partition->accounts.next_offset) {"),
    ("memory is not read again after a failed commit", "store/transaction.c",
     "\trc = store_reload(store, fault);\n\treturn rc < 0 ? rc : (int)STORE_OUTCOME_UNKNOWN;", "\treturn STORE_OUTCOME_UNKNOWN;"),
    ("memory's 64 bits of a key are believed", "store/keys.c",
     "\treturn memcmp(keys->found.key, key, KEY_BYTES) == 0;", "\treturn 1;"),
    ("what an error left open is not rolled back", "store/transaction.c",
     "\t\t       : sql_run(store->rollback, fault);\n", "\t\t       : (fault == NULL ? 0 : 0);\n"),
    ("start where Kafka's commit is", "tests/simulate/log.c",
     "\tint64_t from = position->next_offset;\n", "\tint64_t from = one->kafka;\n"),
    ("the lock is on a file in the directory", "store/layout.c",
     "\t*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);\n",
     "\tchar name[PATH_MAX];\n\t(void)snprintf(name, sizeof name, \"%s/.lock\", path);\n"
     "\t*out = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);\n"),
    ("a gap that was accepted is not counted", "store/decisions.c", "\taccounts->lost += to - from;\n", ""),
    ("a new log begins where the old one ended", "store/decisions.c",
     "\tadded->accounts.first_offset = added->accounts.next_offset = start;\n",
     "\tadded->accounts.first_offset = start;\n\tadded->accounts.next_offset = change->partition->accounts.next_offset;\n"),
    ("the newest record is not in the trail", "store/batch.c", "\tnote_trails(batch, newest);\n", "\t(void)note_trails;\n"),
    ("keys are not all loaded at the start", "store/keys.c",
     "\tload->slots[load->count++] =\n", "\tif (holder->seq % 2 == 0)\n\t\treturn 0;\n\tload->slots[load->count++] =\n"),
    # what operators do to generations
    ("the link is renamed before the seal", "store/switch.c",
     "\trc = note_state(live, GENERATION_SEALED, name, fault);\n\tfailpoint(\"switch_sealed\");\n\tif (rc == 0)\n"
     "\t\trc = layout_relink(&successor->layout, fault);\n",
     "\trc = layout_relink(&successor->layout, fault);\n\tfailpoint(\"switch_sealed\");\n\tif (rc == 0)\n"
     "\t\trc = note_state(live, GENERATION_SEALED, name, fault);\n", BACK_HUNT),
    ("the one that is left is not sealed", "store/switch.c",
     "\trc = note_state(live, GENERATION_SEALED, name, fault);\n", "\trc = 0;\n\t(void)name;\n", BACK_HUNT),
    ("half a build takes the live one's place", "store/switch.c",
     "\tif (rc < 0 || state != GENERATION_BUILDING)\n", "\tif (rc <= 0)\n", BACK_HUNT),
    ("what is live is not looked at before the switch", "store/switch.c",
     "\tif (rc == 0 && to->exactly)\n", "\tif (rc == 0 && !to->exactly)\n", BACK_HUNT),
    ("a rollback takes records at once", "store/switch.c",
     "\tif (rc == 0 && to->stop_reason != NULL)\n", "\tif (rc == 0 && to->stop_reason != NULL && to->exactly)\n", BACK_HUNT),
    ("a build that is gone on with stays complete", "store/generation_open.c",
     "\t\tstays ? GENERATION_COMPLETE : GENERATION_BUILDING, \"\", fault);\n",
     "\t\tstays ? GENERATION_BUILDING : GENERATION_COMPLETE, \"\", fault);\n", BACK_HUNT),
    # what the simulation does not link
    ("two copies are compared where they stand", "ingest/command/verify_against.c",
     "\tint rc = 0;\n\tif (here_lacks || there_lacks) {\n",
     "\tint rc = here_lacks || there_lacks ? 0 : 0;\n\tif (rc == 0)\n\t\treturn 0;\n\tif (here_lacks || there_lacks) {\n",
     ["command/against.py"]),
]


def copy(source, work):
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    names = subprocess.run(["git", "-C", source, "ls-files", "-z", "-co", "--exclude-standard"],
                           check=True, capture_output=True).stdout
    for name in filter(None, names.decode().split("\0")):
        target = os.path.join(work, "source", name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isfile(os.path.join(source, name)):
            shutil.copy2(os.path.join(source, name), target)
    subprocess.run(["cmake", "-S", f"{work}/source", "-B", f"{work}/build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug"],
                   check=True, stdout=subprocess.DEVNULL)


def build(work, target="simulate"):
    done = subprocess.run(["cmake", "--build", f"{work}/build", "-j2", "--target", target],
                          capture_output=True, text=True, timeout=BUILD_SECONDS)
    if done.returncode != 0:
        sys.exit(f"does not build:\n{done.stdout[-3000:]}")


def hunt(work, how):
    """What found it; "" where nothing did."""
    try:
        done = subprocess.run([f"{work}/build/tests/simulate/simulate", *JOBS, *how], capture_output=True, text=True,
                              errors="replace", timeout=HUNT_SECONDS, env={**os.environ, "TMPDIR": work})
    except subprocess.TimeoutExpired:
        return ""
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stdout.splitlines()
             if line.startswith(("crash ", "seed ", "back-", "rot-", "the fixed", "the back-fixed", "the rot-fixed"))]
    lines = [line for line in lines if not line.endswith(" changes")]
    if not lines:
        sys.exit(f"{' '.join(how)}: ended with {done.returncode} {done.stderr.strip()[-120:]}")
    return lines[0]


def fail(work, test):
    """Likewise: what fails of a test, of one room or of the service."""
    of_service = test.endswith(".py")
    build(work, "holdfast_program" if of_service else test)
    command = ([sys.executable, f"{work}/source/tests/{test}", f"{work}/build/holdfast"] if of_service
               else [f"{work}/build/tests/{test}"])
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=HUNT_SECONDS,
                          env={**os.environ, "TMPDIR": work})
    lines = [line for line in done.stderr.splitlines() if line.startswith(("FAIL:", "ERROR:", "[  FAILED  ]"))]
    return f"{test}: {lines[0]}" if lines else ""


def is_test(how):
    return how[0].startswith("test_") or how[0].endswith(".py")


def attempt(work, mutant):
    name, file, old, new, *how = mutant
    path = os.path.join(work, "source", file)
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    if text.count(old) != 1:
        sys.exit(f"{name}: {file} has what it changes {text.count(old)} times, not once: bring the list up to date")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text.replace(old, new))
    start = time.monotonic()
    how = how[0] if how else HUNT
    if not is_test(how):
        build(work)
    found = fail(work, how[0]) if is_test(how) else hunt(work, how)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    print(f"{'killed  ' if found else 'SURVIVED'} {name} ({time.monotonic() - start:.0f} s): {found}", flush=True)
    return bool(found)


def main():
    source, work, *names = sys.argv[1:]
    copy(source, work)
    build(work)
    found = hunt(work, HUNT)
    if found:
        sys.exit(f"without a mutant: {found}")
    chosen = [mutant for mutant in MUTANTS if not names or mutant[0] in names]
    killed = sum(attempt(work, mutant) for mutant in chosen)
    print(f"{len(chosen)} mutants, {killed} killed")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
