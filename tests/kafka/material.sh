#!/usr/bin/env bash
# material.sh: gets what the tests on a real broker need from the network, once: the broker's jars and the flights.
set -euo pipefail
# shellcheck source=tests/lib/real_broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/real_broker.sh"

need_material
