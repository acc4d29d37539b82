#!/bin/bash
# test.sh [--preset release|debug|asan|tsan] [CTEST ARGUMENT...]: installs, builds everything, runs
# the tests. The exit code and the last lines are ctest's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=release
if [[ ${1:-} == --preset ]]; then
  preset=${2:?test: --preset takes release, debug, asan or tsan}
  shift 2
fi

deploy/build.sh "$preset"
exec ctest --preset "$preset" "$@"
