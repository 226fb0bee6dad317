#!/usr/bin/env bash
# Every workload under every preset, five seeds each, in simulated time: writes docs/benchmarks.md and build/bench/policies.json.
# About ten minutes on two cores with nothing else to do.
#
# usage: bench/policies.sh [--seeds N] [--first-seed N] [--workloads A,B] [--policies A,B] [--trace-dir DIR] [--scale F]
#                          [--markdown FILE] [--from FILE]
#   --scale F   durations times F: a quick look
#   --from FILE only writes the page again, from an earlier policies.json
set -euo pipefail
cd "$(dirname "$0")/.."
case " $* " in *" --from "*) ;; *) ./run.sh --build-only ;; esac
exec /usr/bin/python3 bench/policies.py "$@"
