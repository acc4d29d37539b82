#include "kernels/cpu/avx512_bf16.h"

#include "kernels/cpu/vnni_sieve.h"

namespace winnow::kernels {
namespace avx512_bf16 {
namespace {

bool RunsHere() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bf16") &&
         __builtin_cpu_supports("avx512vnni");
}

}  // namespace
}  // namespace avx512_bf16

const CpuVariant& Avx512Bf16Variant() {
  static const CpuVariant variant = {
      .name = "avx512_bf16",
      .runs_here = avx512_bf16::RunsHere,
      .prepared_bytes = avx512_bf16::PreparedBytes,
      .prepare_row = avx512_bf16::PrepareRow,
      .enter = nullptr,
      .leave = nullptr,
      .score_scratch_bytes = avx512_bf16::ScoreScratchBytes,
      .score_page = avx512_bf16::ScorePage,
      .sieve = &VnniSieve(),
      .attend_scratch_bytes = avx512_bf16::AttendScratchBytes,
      .attend_part_bytes = avx512_bf16::AttendPartBytes,
      .attend = avx512_bf16::Attend,
      .finish_attend = avx512_bf16::FinishAttend,
  };
  return variant;
}

}  // namespace winnow::kernels
