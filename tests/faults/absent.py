"""Scenarios that are not run, and why not."""

from rig import not_run

SIMULATED = "a machine can't lose power on request, nor a disk reorder what it was told: needs a simulated disk below SQLite"
NO_GROUP = "does not arise: one store takes its partitions by its own assignment, there is no group, session or rebalance; "
NOT_BUILT = "not built yet: "

not_run("7", "power loss with synchronous=FULL, writes reordered or dropped", SIMULATED)
not_run("8", "power loss with synchronous=NORMAL", "does not arise: FULL is the only way, and is verified on each open")
not_run("20b", "malloc fails at the n-th call", "can't be injected into the whole program from outside; tests/unit/out_of_memory.c, "
        "serve_memory.c and library.c do it part by part")
not_run("26", "revoke arrives with a half-filled batch", NO_GROUP + "61a stops with one, 24 and 25 have two processes")
not_run("27", "revoke and reassign of a partition to the same member", NO_GROUP + "52 takes it again")
not_run("28", "an assignment is lost", NO_GROUP + "56 cuts the client off")
not_run("29", "a rebalance every 100 ms", NO_GROUP + "6b restarts it all the time")
not_run("39", "a fetch jumps forward for no reason", "can't be told from compaction from outside; the batch API that did it is not used")
not_run("40b", "gaps by compaction", "a broker compacts when it likes, minutes later; gaps by chance are in tests/unit/store_model.c")
not_run("43", "off line for longer than a compacted topic keeps its deletes", NOT_BUILT + "rebuild and deletes_lost")
not_run("62", "librdkafka reports a fatal error (fenced instance)", NO_GROUP + "static membership is refused by name")
not_run("63a", "a schema upgrade is killed at each statement", NOT_BUILT + "schema apply")
not_run("66", "checkpoint beside another connection's commit (WAL-reset bug)", "a race inside SQLite that only one who checkpoints "
        "beside the writer meets; nobody does, and tests/serve/beside.py soaks writer and readers")
not_run("38", "a fetch starts earlier than asked for", "librdkafka drops what lies below its own position before anybody sees it; the fence behind it is "
        "tested in tests/unit/store_model.c")
