#!/usr/bin/env bash
# Debian packages that the tests use beyond Node, Python and npm. Does nothing when all are there; without root, and on
# other systems, it says what is missing, and the tests that need it are skipped by name.
# iptables, iproute2, util-linux: network namespaces of `gatehouse up --capture netns`.
# prometheus: promtool checks the alerts, and a real server scrapes. buildah, debootstrap: build the images on a base made here.
# chromium: the page is looked at as people do.
# openssl: reads back what the authority signs and exports. softhsm2: a PKCS#11 token in software, for CA keys in an HSM.
# postgresql: the audit store's tests start a server of their own.
set -euo pipefail
packages=(iptables iproute2 util-linux openssl softhsm2 prometheus buildah debootstrap chromium postgresql)
if ! command -v dpkg-query >/dev/null; then
  echo "not a Debian system; wanted: ${packages[*]}" >&2
  exit 0
fi
missing=()
for name in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "missing ${missing[*]}; run as root: $0" >&2
  exit 0
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
