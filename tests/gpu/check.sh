#!/usr/bin/env bash
# Builds the GPU kernels with nothing but CMake, nvcc and a C++ compiler, compares them with the
# reference on this machine's GPU, measures them against what the GPU does at best, and runs them
# under the sanitizers. Prints a short table last and writes ${OUT:-.}/gpu.json. Takes at most 8
# minutes, which is the sum of the limits below. A kernel that hangs costs no more than the rest of
# its step: the last line says what it was, and what was measured before it is kept. Exit code: 0, 1
# if anything failed, 77 if there is no GPU, or one older than 8.0.
set -u
cd "$(dirname "$0")/../.."
out=${OUT:-.}
build=${BUILD:-/tmp/winnow-gpu-check}
export PATH="$PATH:/usr/local/cuda/bin"
mkdir -p "$out"
failed=0

# step SECONDS NAME COMMAND...: its exit code; 124 or 137 if it took longer
step() {
  local seconds=$1 name=$2 code=0
  shift 2
  local log="$build.${name// /-}.log"
  timeout -k 1 "$seconds" "$@" > "$log" 2>&1 || code=$?
  case $code in
    0) echo "ok      $name ($SECONDS s)" ;;
    77) cat "$log" ;;
    *)
      echo "FAILED  $name (exit $code)"
      tail -n 25 "$log"
      ;;
  esac
  return $code
}

architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null | head -n 1)
case $architecture in
  9.0) architecture=90a-real ;;
  *) architecture=80 ;; # with PTX, for GPUs after Hopper
esac
step 30 configure cmake -S tests/gpu/check -B "$build" -DCMAKE_CUDA_ARCHITECTURES="$architecture" ||
  exit 1
step 120 build cmake --build "$build" -j "$(nproc)" --target gpu_check || exit 1
check="$build/gpu_check"
step 40 "a first look" "$check" small
looked=$?
[ $looked -eq 77 ] && exit 77
[ $looked -eq 0 ] || failed=1
hangs=$((looked == 124 || looked == 137))  # and would again
[ $hangs -eq 1 ] || step 80 "agreement with the reference" "$check" full || failed=1
timeout -k 1 60 "$check" bench "$out/gpu.json" > "$build.table" 2>&1
measured=$?
[ $measured -eq 0 ] || { failed=1; echo "FAILED  here (exit $measured)" >> "$build.table"; }
if timeout -k 1 20 python3 -c 'import torch; assert torch.cuda.is_available()' \
  2> /dev/null; then
  timeout -k 1 30 python3 tests/gpu/check/peer.py > "$out/gpu_peer.txt" 2>&1 || failed=1
else
  echo "skipped PyTorch: it cannot be imported" | tee "$out/gpu_peer.txt"
fi
if [ $hangs -eq 1 ]; then
  echo "skipped compute-sanitizer, as it would hang too"
elif command -v compute-sanitizer > /dev/null; then
  sanitize() {
    step 90 "$1" compute-sanitizer --tool "$1" --error-exitcode 1 "$check" small
  }
  sanitize memcheck & memcheck=$!
  sanitize racecheck & racecheck=$!
  wait $memcheck || failed=1
  wait $racecheck || failed=1
else
  echo "skipped compute-sanitizer: there is none"
fi
cat "$build.table" "$out/gpu_peer.txt"
exit $failed
