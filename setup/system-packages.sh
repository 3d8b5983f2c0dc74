#!/usr/bin/env bash
# Debian packages that the tests use beyond Node, Python and npm. Run as root; where it is not run, the tests that need
# a package are skipped by name.
# iptables, iproute2, util-linux: network namespaces of `gatehouse up --capture netns`.
set -euo pipefail
packages=(iptables iproute2 util-linux openssl)
missing=()
for name in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] && exit 0
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
