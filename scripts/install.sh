#!/usr/bin/env bash
# Installs the Debian packages that a group of tasks needs, and only those that are missing.
#
# usage: scripts/install.sh [--check] [GROUP...]      groups: build test bench (default: build test)
#   --check   say what is missing, install nothing; exit status 1 if anything is
#
# No packaged service is started (nginx would take port 80): while packages are set up, /usr/sbin/policy-rc.d forbids it;
# the machine's own policy-rc.d, or its absence, is restored afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."

check_only=false
groups=()
for argument in "$@"; do
  case $argument in
    --check) check_only=true ;;
    build | test | bench) groups+=("$argument") ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "install.sh: unknown argument '$argument' (groups: build test bench)" >&2; exit 2 ;;
  esac
done
[ ${#groups[@]} -gt 0 ] || groups=(build test)

packages_of() {  # GROUP
  awk -v wanted="[$1]" '/^\[/ { inside = ($1 == wanted); next } inside && NF && $1 !~ /^#/ { print $1 }' scripts/packages.txt
}

is_installed() {  # PACKAGE
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for group in "${groups[@]}"; do
  for package in $(packages_of "$group"); do
    is_installed "$package" || missing+=("$package")
  done
done

if [ ${#missing[@]} -eq 0 ]; then
  echo "packages (${groups[*]}): all installed" >&2
  exit 0
fi
echo "packages (${groups[*]}): missing: ${missing[*]}" >&2
if $check_only; then exit 1; fi

if ! command -v apt-get >/dev/null; then
  echo "install.sh: this needs Debian's apt-get; please install the packages named above in your system's way." >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "install.sh: run this as root, or install sudo, or ask an administrator for: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

policy=/usr/sbin/policy-rc.d
kept=/usr/sbin/policy-rc.d.kept-by-turnpike
forbid_services() {
  if [ -e $policy ] && [ ! -e $kept ]; then "${as_root[@]}" mv $policy $kept; fi
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
  "${as_root[@]}" chmod 755 $policy
}
restore_services() {
  "${as_root[@]}" rm -f $policy
  if [ -e $kept ]; then "${as_root[@]}" mv $kept $policy; fi
}
trap restore_services EXIT
forbid_services

install_missing() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}
# The package lists are fetched only where there are none or where they have gone stale.
if ! apt-cache show "${missing[@]}" >/dev/null 2>&1; then
  "${as_root[@]}" apt-get update -q >&2
  install_missing
else
  install_missing || { "${as_root[@]}" apt-get update -q >&2; install_missing; }
fi

# Nor shall they start with the machine.
for service in haproxy:haproxy nginx-light:nginx; do
  case " ${missing[*]} " in
    *" ${service%%:*} "*) "${as_root[@]}" deb-systemd-helper disable "${service##*:}.service" >/dev/null 2>&1 || true ;;
  esac
done
