#!/usr/bin/env bash
# The link graph is the architecture: looks into each room's archive and at its includes. rooms.sh BUILD_DIR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$1
wrong=0

complain() {
	printf '%s\n' "$*"
	wrong=1
}

uses() { # archive, pattern: undefined symbols that match
	nm --undefined-only "$1" 2>/dev/null | awk '{print $2}' | grep -E "$2" | sort -u | head -n 5 || true
}

only_in() { # pattern, the one archive that may use it
	local archive found
	for archive in "$build"/schema/*.a "$build"/store/*.a "$build"/store/*/*.a "$build"/ingest/*.a "$build"/ingest/*/*.a; do
		[ "$(basename "$archive")" = "$2" ] && continue
		found=$(uses "$archive" "$1")
		[ -z "$found" ] || complain "$archive uses $found: only $2 may"
	done
	[ -n "$(uses "$(find "$build" -name "$2")" "$1")" ] || complain "$2 does not use $1: is this test still looking right?"
}

may_include() { # room, what its files may include beside itself
	local found
	found=$(git grep -nE '#include "(schema|store|ingest|tests)/' -- "$1/*.[ch]" | grep -vE "#include \"($2)/" | grep -vE "${3:-^$}" || true)
	[ -z "$found" ] || complain "an include against the order of rooms: $found"
}

only_in '^sqlite3_' libholdfast_store.a
only_in '^rd_kafka_' libholdfast_kafka.a
only_in '^MHD_' libholdfast_serve.a
may_include schema schema
may_include store 'schema|store'
may_include ingest 'schema|store|ingest'
found=$(git grep -nE '#include "store/serve/' -- 'store/*.[ch]' 'ingest/*.[ch]' ':!store/serve' ':!ingest/command' || true)
[ -z "$found" ] || complain "only the program knows the store's network face: $found"
found=$(git grep -nE '#include "store/[a-z_]+\.h"' -- 'store/serve/*.[ch]' | grep -vE 'store/(lookup|position|reader|store|terms)\.h' || true)
[ -z "$found" ] || complain "the network face knows more of the store than its readers may: $found"
found=$(git grep -nE '#include "(ingest/kafka|ingest/command)/' -- 'ingest/*.[ch]' ':!ingest/kafka' ':!ingest/command' || true)
[ -z "$found" ] || complain "the pipeline knows a room above it: $found"
found=$(git grep -nE '#include "(store/[a-z_]+)\.h"' -- 'ingest/*.[ch]' ':!ingest/command' | grep -vE 'store/(store|decisions|letter|failpoint|trace)\.h' || true)
[ -z "$found" ] || complain "the pipeline knows more of the store than its writer and replay may: $found"
exit $wrong
