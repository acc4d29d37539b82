#!/bin/bash
# demo.sh [DEMO FLAG...]: installs, builds the server and winnowctl, runs `winnowctl demo`.
# The exit code is the demo's. `demo.sh --help` lists its flags.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

deploy/build.sh release winnowd winnowctl
exec build/bin/winnowctl demo "$@"
