#!/usr/bin/env bash
# Puts promtool, the linter of the Prometheus text format, at build/tools/promtool and prints that path.
# It is taken out of Debian's prometheus package, which is not installed: its service would listen on port 9090.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$PWD/build/tools/promtool
if [ ! -x "$tool" ]; then
  unpacked=$(mktemp -d)
  trap 'rm -rf "$unpacked"' EXIT
  # Run by root, apt would download as its own user, who may not write here.
  (cd "$unpacked" && apt-get download -q -o APT::Sandbox::User=root prometheus >&2 && dpkg -x prometheus_*.deb .)
  mkdir -p build/tools
  mv "$unpacked/usr/bin/promtool" "$tool"
fi
echo "$tool"
