#!/usr/bin/env bash
# Builds the GPU kernels with nothing but CMake, nvcc and a C++ compiler, compares them with the
# reference on this machine's GPU, measures them against what the GPU does at best, and runs them
# under the sanitizers. Prints a short table last and writes ${OUT:-.}/gpu.json. Takes at most 8
# minutes. Exit code: 0, 1 if anything failed, 77 if there is no GPU, or one older than 8.0.
set -u
cd "$(dirname "$0")/../.."
out=${OUT:-.}
build=${BUILD:-/tmp/winnow-gpu-check}
export PATH="$PATH:/usr/local/cuda/bin"
mkdir -p "$out"
failed=0

step() {
  local seconds=$1 name=$2
  shift 2
  local log="$build.${name// /-}.log"
  if timeout "$seconds" "$@" > "$log" 2>&1; then
    echo "ok      $name ($SECONDS s)"
  else
    echo "FAILED  $name (exit $?)"
    tail -n 25 "$log"
    return 1
  fi
}

architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null | head -n 1)
case $architecture in
  9.0) architecture=90a-real ;;
  *) architecture=80 ;; # with PTX, for GPUs after Hopper
esac
step 60 configure cmake -S tests/gpu/check -B "$build" -DCMAKE_CUDA_ARCHITECTURES="$architecture" ||
  exit 1
step 170 build cmake --build "$build" -j "$(nproc)" --target gpu_check || exit 1
check="$build/gpu_check"
if "$check" small > "$build.log" 2>&1; [ $? -eq 77 ]; then
  cat "$build.log"  # says why there is nothing to check
  exit 77
fi
step 90 "agreement with the reference" "$check" full || failed=1
timeout 60 "$check" bench "$out/gpu.json" > "$build.table" 2>&1 || failed=1
if python3 -c 'import torch; assert torch.cuda.is_available()' 2> /dev/null; then
  timeout 60 python3 tests/gpu/check/peer.py > "$out/gpu_peer.txt" 2>&1 || failed=1
else
  echo "skipped PyTorch: it cannot be imported" | tee "$out/gpu_peer.txt"
fi
if command -v compute-sanitizer > /dev/null; then
  sanitize() {
    step 100 "$1" compute-sanitizer --tool "$1" --error-exitcode 1 "$check" small
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
