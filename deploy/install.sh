#!/bin/bash
# Installs what Winnow builds and tests with, from Debian 12's own packages.
# Does nothing, and says nothing, where all of them are installed.
set -euo pipefail

packages=(
  build-essential cmake ninja-build ccache pkg-config
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libabsl-dev libcli11-dev libspdlog-dev nlohmann-json3-dev libxxhash-dev
  librocksdb-dev libnuma-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  python3
)

fail() {
  echo "install: $*" >&2
  exit 1
}

is_installed() {
  [[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

command -v dpkg-query >/dev/null ||
  fail "this is not a Debian system; install the counterparts of: ${packages[*]}"

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null ||
    fail "these packages are missing and installing them takes root or sudo: ${missing[*]}"
  as_root=(sudo)
fi

echo "install: ${missing[*]}" >&2
"${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=120 update ||
  fail "apt-get update failed; is the package mirror reachable?"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 \
  install --yes --no-install-recommends "${missing[@]}" >/dev/null ||
  fail "apt-get could not install: ${missing[*]}"
