#!/usr/bin/env bash
# Format, layers, headers and clang-tidy over everything, where test.sh looks at the pure folders and at changed files only.
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
status=0
./test.sh format || status=1
./test.sh layers || status=1
scripts/check_headers.py --all || status=1
scripts/check_tidy.py --all || status=1
exit $status
