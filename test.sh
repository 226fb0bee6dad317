#!/usr/bin/env bash
# Tests everything, or the named stages. The last line is "N passed, N failed": unit and end-to-end tests together, and a
# failed check (format, layers, headers, tidy, fuzz, build) as one failed test.
#
# usage: ./test.sh [STAGE] [ARGUMENT...]
#   ./test.sh                       every stage, in this order:
#   ./test.sh install               Debian packages, and Python's in build/venv
#   ./test.sh format                clang-format-19 agrees with every file
#   ./test.sh layers                no include goes up the list of folders
#   ./test.sh build                 build/release
#   ./test.sh headers               every header of the pure folders and of changed files compiles alone
#   ./test.sh tidy                  clang-tidy-19 on the same
#   ./test.sh unit [GTEST_FILTER]   unit tests
#   ./test.sh asan [GTEST_FILTER]   those of the folders without sockets, under AddressSanitizer and UBSan
#   ./test.sh fuzz [SECONDS]        the fuzz targets of those folders for five seconds each; with SECONDS, all there are
#   ./test.sh e2e [PYTEST...]       real processes, real sockets, real clients: ./test.sh e2e -k drain
set -uo pipefail
cd "$(dirname "$0")"
export PYTHONDONTWRITEBYTECODE=1

all_stages=(install format layers build headers tidy unit asan fuzz e2e)
sanitized_folders=(base metrics core engine sim config http openai telemetry backend)
passed=0
failed=0
failures=()

stage_install() {
  scripts/install.sh build test && scripts/python_venv.sh
}

stage_format() {
  git ls-files --cached --others --exclude-standard '*.cc' '*.h' |
    while read -r file; do [ -e "$file" ] && printf '%s\0' "$file"; done |
    xargs -0 -r clang-format-19 --dry-run --Werror
}

stage_layers() { scripts/check_layers.py; }

stage_build() {
  cmake --preset release >build/configure.log || { cat build/configure.log; return 1; }
  cmake --build build/release
}

stage_headers() { scripts/check_headers.py; }

stage_tidy() { scripts/check_tidy.py; }

stage_unit() {
  local suites=()
  stage_build && mapfile -t suites < <(find build/release/src -name '*_tests' -type f -executable | sort)
  run_suites "${1:-*}" "${suites[@]}"
}

stage_asan() {
  local targets=() suites=()
  cmake --preset asan >build/configure.log || { cat build/configure.log; return 1; }
  for folder in "${sanitized_folders[@]}"; do
    if [ -n "$(find "src/$folder" -name '*_test.cc' -print -quit 2>/dev/null)" ]; then
      targets+=("${folder}_tests")
      suites+=("build/asan/src/$folder/${folder}_tests")
    fi
  done
  if [ ${#targets[@]} -eq 0 ]; then return 0; fi
  cmake --build build/asan --target "${targets[@]}" && run_suites "${1:-*}" "${suites[@]}"
}

stage_fuzz() {
  # Without a time, only the folders whose sanitizer build is small; with one, every target.
  local where=("${sanitized_folders[@]/#/src/}") seconds=${1:-5} seed=1
  if [ $# -gt 0 ]; then where=(src) seed=0; fi
  local targets=()
  mapfile -t targets < <(find "${where[@]}" -name '*_fuzz.cc' | sed 's|.*/||; s|\.cc$||' | sort)
  if [ ${#targets[@]} -eq 0 ]; then return 0; fi
  cmake --preset asan >build/configure.log || { cat build/configure.log; return 1; }
  cmake --build build/asan --target "${targets[@]}" || return 1
  export -f fuzz
  printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz "$@"' fuzz {} "$seconds" "$seed"
}

# fuzz TARGET SECONDS SEED: its findings stop it; libFuzzer's log is shown only then.
fuzz() {
  local out=build/fuzz/$1 seeds=()
  mkdir -p "$out/corpus"
  if [ -d "tests/corpus/$1" ]; then seeds=("tests/corpus/$1"); fi
  if "$(find build/asan/src -name "$1" -type f -executable)" -seed="$3" -max_total_time="$2" -timeout=10 \
    -artifact_prefix="$out/" "$out/corpus" "${seeds[@]}" >"$out/log" 2>&1; then
    echo "$1: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$out/log")"
  else
    tail -40 "$out/log"
    return 1
  fi
}

stage_e2e() {
  local report=build/e2e.xml status
  if [ ! -x build/release/turnpike ]; then stage_build || return 1; fi
  scripts/python_venv.sh || return 1
  rm -f $report
  build/venv/bin/python -m pytest tests/e2e --junitxml=$report -q --no-header -p no:cacheprovider "$@"
  status=$?
  count_report $report "e2e"
  # 5: nothing was selected.
  [ $status -eq 0 ] || [ $status -eq 5 ]
}

# run_suites FILTER BINARY...: gtest programs one after the other; adds to the counts.
run_suites() {
  local filter=$1 suite report status=0
  shift
  for suite in "$@"; do
    report=$suite.xml
    rm -f "$report"
    "$suite" --gtest_brief=1 --gtest_filter="$filter" --gtest_output=xml:"$report" >"$suite.log" 2>&1 || {
      status=1
      cat "$suite.log"
    }
    count_report "$report" "$(basename "$suite")"
  done
  return $status
}

# count_report JUNIT_XML NAME: adds the report to the counts; without one the suite died, which is one failure.
count_report() {
  local counts
  if counts=$(/usr/bin/python3 scripts/count_tests.py "$1" 2>/dev/null); then
    read -r ok bad <<<"$counts"
    passed=$((passed + ok))
    failed=$((failed + bad))
    counted_failures=$((counted_failures + bad))
    echo "$2: $ok passed, $bad failed"
  else
    failed=$((failed + 1))
    counted_failures=$((counted_failures + 1))
    echo "$2: ended without a report"
  fi
}

run_stage() {
  local name=$1 started=$SECONDS status=0
  shift
  counted_failures=0
  echo "== $name"
  mkdir -p build
  "stage_$name" "$@" || status=$?
  if [ $status -ne 0 ] && [ $counted_failures -eq 0 ]; then failed=$((failed + 1)); fi
  if [ $status -ne 0 ]; then failures+=("$name"); fi
  echo "== $name: $([ $status -eq 0 ] && echo ok || echo FAILED), $((SECONDS - started)) s"
}

case ${1:-all} in
  -h | --help) sed -n '2,17s/^# \{0,1\}//p' "$0"; exit 0 ;;
  all) for stage in "${all_stages[@]}"; do run_stage "$stage"; done ;;
  *)
    case " ${all_stages[*]} " in
      *" $1 "*) run_stage "$@" ;;
      *) echo "test.sh: no stage '$1'; there are: ${all_stages[*]}" >&2; exit 2 ;;
    esac
    ;;
esac

echo "== all: $SECONDS s"
if [ ${#failures[@]} -gt 0 ]; then echo "failed stages: ${failures[*]}"; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
