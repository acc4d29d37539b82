#!/bin/bash
# build.sh PRESET [TARGET...]: installs, configures and builds. Without targets all are built, with
# tests. Output is kept in <build directory>/deploy.log and shown only when a step fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${1:?usage: build.sh PRESET [TARGET...]}
shift
case "$preset" in
  release) build_dir=build ;;
  debug | asan | tsan) build_dir=build-$preset ;;
  *)
    echo "build: preset is '$preset'; it must be release, debug, asan or tsan" >&2
    exit 2
    ;;
esac

deploy/install.sh
mkdir -p "$build_dir"
log=$build_dir/deploy.log
: >"$log"

step() {
  if ! "$@" >>"$log" 2>&1; then
    tail -n 60 "$log" >&2
    echo "build: failed: $* (all of it in $log)" >&2
    exit 1
  fi
}

if [[ $preset == tsan ]]; then
  step deploy/sanitizers/build_abseil.sh "$build_dir/abseil"
fi
targets=()
(($# == 0)) || targets=(--target "$@")

echo "build: $preset in $build_dir ($(nproc) jobs)" >&2
step cmake --preset "$preset"
step cmake --build "$build_dir" --parallel "$(nproc)" "${targets[@]}"
