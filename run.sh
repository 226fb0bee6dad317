#!/usr/bin/env bash
# Builds Turnpike and shows what it is for: three simulated model servers, the gateway before them, and a load through real
# sockets: first 45 agents, then the ancestor's benchmark of 120 conversations; each in turn (round-robin), with the ancestor's
# session queue, and with the default policy. Prints two tables; ends by itself after about three minutes.
#
# usage: ./run.sh [--build-only] [--speed X]
#   --build-only   build build/release/turnpike and stop
#   --speed X      simulated seconds per real second (default 10)
set -euo pipefail
cd "$(dirname "$0")"

build_only=false
speed=10
while [ $# -gt 0 ]; do
  case $1 in
    --build-only) build_only=true ;;
    --speed) speed=${2:?--speed needs a number}; shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown argument '$1'; see ./run.sh --help" >&2; exit 2 ;;
  esac
  shift
done

scripts/install.sh build
cmake --preset release >&2
cmake --build build/release --target turnpike >&2
if $build_only; then exit 0; fi

# exec: a Ctrl-C or a SIGTERM reaches the process that ends what it started.
exec /usr/bin/python3 bench/live.py --workloads agents-small,kthena-c40 --policies round-robin,session-boost,resident-set \
  --speed "$speed"
