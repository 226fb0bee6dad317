#!/usr/bin/env bash
# Builds Turnpike and shows what it is for: three simulated model servers, the gateway before them, and 120 conversations of
# ten turns through real sockets: without a queue, with the ancestor's session queue, and with the policy resident-set.
# Prints one table; ends by itself.
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
exec /usr/bin/python3 bench/kthena_c40.py --policies least-request,session-boost,resident-set --speed "$speed"
