#!/usr/bin/env bash
# Builds the GPU kernels with nothing but CMake, nvcc and a C++ compiler, compares them with the
# reference on this machine's GPU, and measures them against what the GPU does at best. Prints a
# short table last and writes ${OUT:-.}/gpu.json. Takes at most 8 minutes. Exit code: 0, 1 if anything
# failed, 77 if there is no GPU.
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
  if timeout "$seconds" "$@" > "$build.log" 2>&1; then
    echo "ok      $name"
  else
    echo "FAILED  $name (exit $?)"
    tail -n 25 "$build.log"
    failed=1
  fi
}

architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null | head -n 1)
case $architecture in
  9.0) architecture=90a-real ;;
  *) architecture=80-real ;;
esac
step 60 configure cmake -S tests/gpu/check -B "$build" -DCMAKE_CUDA_ARCHITECTURES="$architecture"
step 170 build cmake --build "$build" -j "$(nproc)"
[ -x "$build/gpu_check" ] || exit 1
if "$build/gpu_check" small > "$build.log" 2>&1; [ $? -eq 77 ]; then
  cat "$build.log"  # says why there is nothing to check
  exit 77
fi
step 90 "agreement with the reference" "$build/gpu_check" full
if command -v compute-sanitizer > /dev/null; then
  step 60 memcheck compute-sanitizer --tool memcheck --error-exitcode 1 "$build/gpu_check" small
  step 60 racecheck compute-sanitizer --tool racecheck --error-exitcode 1 "$build/gpu_check" small
else
  echo "skipped compute-sanitizer: there is none"
fi
if python3 -c 'import torch; assert torch.cuda.is_available()' 2> /dev/null; then
  timeout 60 python3 tests/gpu/check/peer.py | tee "$out/gpu_peer.txt"
else
  echo "skipped PyTorch: it cannot be imported"
fi
timeout 90 "$build/gpu_check" bench "$out/gpu.json" || failed=1
exit $failed
