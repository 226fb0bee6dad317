#!/usr/bin/env bash
# Somebody else's load generator: NVIDIA's aiperf from PyPI drives multi-turn conversations through the gateway to three simulated
# engines, once for each policy. The first run installs aiperf into build/aiperf: 1.2 GB and some minutes.
#
# usage: bench/aiperf.sh [--policies A,B] [--conversations N] [--turns N] [--concurrency N]
set -euo pipefail
cd "$(dirname "$0")/.."
./run.sh --build-only
if [ ! -x build/aiperf/bin/aiperf ]; then
  rm -rf build/aiperf
  echo "aiperf.sh: installing aiperf 0.13.0 into build/aiperf" >&2
  if ! { /usr/bin/python3 -m venv build/aiperf && build/aiperf/bin/pip install -q --disable-pip-version-check aiperf==0.13.0 >&2; }; then
    rm -rf build/aiperf
    echo "aiperf.sh: skipped, since aiperf could not be installed (is PyPI within reach?)"
    exit 0
  fi
fi
exec build/aiperf/bin/python bench/aiperf.py "$@"
