#!/usr/bin/env bash
# The ancestor's own benchmark: resident-set and session-boost against least-request and round-robin, beside its figures.
#
# usage: bench/kthena_c40.sh [--policies A,B] [--seeds 1,2,3] [--speed X] [--sessions N]
# Prints one table; writes build/bench/kthena-c40.json and .md.
set -euo pipefail
cd "$(dirname "$0")/.."
./run.sh --build-only
exec /usr/bin/python3 bench/kthena_c40.py --json build/bench/kthena-c40.json --markdown build/bench/kthena-c40.md "$@"
