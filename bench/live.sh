#!/usr/bin/env bash
# Policies against each other over real sockets: the ancestor's own benchmark (kthena-c40, beside its figures) or agents.
#
# usage: bench/live.sh [--workloads kthena-c40,agents-small] [--policies A,B] [--seeds 1,2,3] [--speed X] [--duration S]
# Prints a table each; writes build/bench/live.json and .md.
set -euo pipefail
cd "$(dirname "$0")/.."
./run.sh --build-only
exec /usr/bin/python3 bench/live.py --json build/bench/live.json --markdown build/bench/live.md "$@"
