#!/usr/bin/env bash
# backup.sh [PRESET [OPTIONS]]: a backup every minute beside 20,000 events a second, on a real broker.
#
# One service takes them and answers lookups for as long as three backups take (--backups 3 --every 60s --rate 20000: five
# minutes in all, release build, quiet machine). Then each backup is verified, one by chance is restored while the service runs,
# and once it caught up the digest must be what it was, and that of a store which took the same log undisturbed.
#
# The last line says `good:` with the figures, or `FAILED:` with all that went wrong; then the status is 1. Whether figures are
# fast enough is not judged. `backup.sh dev --every 5s` tries it out.
set -euo pipefail
# shellcheck source=tests/lib/real_broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/real_broker.sh"

need_material
use_build "${1:-release}"
start_broker
make_topic events.v1 4
python3 "$project/tests/bench/backup.py" "$holdfast" "$work" "$bootstrap" "${@:2}"
