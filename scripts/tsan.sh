#!/usr/bin/env bash
# Everything that has threads, under ThreadSanitizer: the unit tests of the folders that start any, and the end-to-end tests
# against a gateway of that build. Takes a quarter of an hour on two cores, most of it the build.
#
# usage: scripts/tsan.sh [PYTEST...]      e.g. scripts/tsan.sh -k workers
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh build test
cmake --preset tsan
suites=(metrics store telemetry net gateway)
cmake --build build/tsan --target turnpike "${suites[@]/%/_tests}"
export TSAN_OPTIONS="halt_on_error=1:exitcode=66:${TSAN_OPTIONS:-}"
for suite in "${suites[@]}"; do "build/tsan/src/$suite/${suite}_tests" --gtest_brief=1; done
TURNPIKE=$PWD/build/tsan/turnpike ./test.sh e2e "$@"
