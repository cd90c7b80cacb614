#!/usr/bin/env bash
# Faults, injected into the real service, and what must hold: one test a scenario, a table, a count.
#
#   run.sh [-b BUILD_DIRECTORY] [NUMBER…]     only these; 44 stands for 44a, 44b, …
#
# Exit status: 1 if a scenario is broken that is not known to be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=build/dev
if [ "${1:-}" = -b ]; then
	build=$2
	shift 2
fi
exec python3 tests/faults/run.py "$build" "$@"
