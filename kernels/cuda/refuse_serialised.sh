#!/bin/sh
# Runs a compiler, and fails where ptxas remarks (C75..) that it made wgmma products wait for each
# other: results are right then, but several times slower, and ptxas itself does not fail.
output=$("$@" 2>&1)
status=$?
[ -z "$output" ] || printf '%s\n' "$output" >&2
case $output in
  *"ptxas info"*"(C75"*)
    echo "error: wgmma products must not wait for each other" >&2
    exit 1
    ;;
esac
exit $status
