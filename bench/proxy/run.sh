#!/usr/bin/env bash
# What the proxy costs, beside HAProxy and nginx: both sides in one run, one core each, the same upstream and client.
#
# usage: bench/proxy/run.sh [--rounds N] [--quick] [--only NAME,...] [--proxies NAME,...] [--policy PRESET] [--json FILE]
# Prints a table of medians and ratios; --help tells what is measured.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/install.sh build bench
cmake --preset release >&2
cmake --build build/release --target turnpike proxy_bench >&2
exec /usr/bin/python3 bench/proxy/run.py "$@"
