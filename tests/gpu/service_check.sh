#!/usr/bin/env bash
# service_check.sh PREFIX [DEVICE]: runs an installed service (`cmake --install build --prefix
# PREFIX`) on a GPU; the machine needs nothing else. The demo compares every selection with a
# brute-force scan; then the same queries are timed with a shard on the CPU and with one on the
# device. Prints a short table last; what it is from is in ${OUT:-.}. Exit code: 0, or 1 if anything
# failed.
set -uo pipefail
prefix=${1:?usage: service_check.sh PREFIX [DEVICE]}
device=${2:-cuda:0}
out=${OUT:-.}
mkdir -p "$out"
failed=0

# run SECONDS DEVICE FILE COMMAND...: winnowctl, with a service on that device
run() {
  local seconds=$1 on=$2 file=$out/$3
  shift 3
  timeout "$seconds" "$prefix/bin/winnowctl" "$@" "--device=$on" > "$file" 2> "$file.log" ||
    {
      echo "FAILED  winnowctl $* on $on (exit $?)"
      tail -n 25 "$file" "$file.log"
      failed=1
    }
}

run 240 "$device" service_demo.txt demo --shards=1 --in-process
for on in cpu "$device"; do
  run 120 "$on" "service_${on%%:*}.json" bench attend --shards=1 --queries=200 -o json
done
sed -n '/^accuracy/,$p' "$out/service_demo.txt"
grep -H -E '"(p50_us|select|fetch|client_and_wire|kernel_p50_us)"' "$out"/service_*.json
exit $failed
