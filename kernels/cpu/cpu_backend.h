#ifndef WINNOW_KERNELS_CPU_CPU_BACKEND_H_
#define WINNOW_KERNELS_CPU_CPU_BACKEND_H_

#include <span>
#include <string_view>

#include "kernels/backend.h"
#include "kernels/cpu/sieve.h"

namespace winnow::kernels {

// What one instruction set does; the scan, the division over threads and the top-k are shared.
struct CpuVariant {
  std::string_view name;
  bool (*runs_here)();

  // Bytes, and the making of, what the variant wants of a query; made once per call.
  size_t (*prepared_bytes)(const ScoreQuery& query);
  void (*prepare)(const ScoreQuery& query, std::byte* prepared);

  // Around the pages that a thread scores in one go; null where there is nothing to do.
  void (*enter)(const ScoreQuery& query);
  void (*leave)();

  // Scratch of a thread, and the scores of one page into `scores` [rows, 64]. Entries that the page
  // does not hold get any value. Scores are not NaN, nor -0.
  size_t (*score_scratch_bytes)(const ScoreQuery& query);
  void (*score_page)(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
                     std::byte* scratch, float* scores);

  // Spares score_page most of its work where it can; null for none, as where enter is not.
  const Sieve* sieve = nullptr;

  // Heads [first_head, first_head + heads) of an attention; heads is at most kAttendHeads.
  size_t (*attend_scratch_bytes)(const AttendParams& params);
  void (*attend)(const AttendParams& params, int first_head, int heads, std::byte* scratch);
};

// Heads that one task attends with.
inline constexpr int kAttendHeads = 32;

// All prepared and scratch memory is aligned to this, and rounded up to it.
inline constexpr size_t kScratchAlignment = 64;

// Variants in this build besides "portable", slowest first, whether or not they run here.
std::span<const CpuVariant* const> NativeVariants();
const CpuVariant& PortableVariant();

// The backend of a variant; lives as long as the process.
const Backend* MakeCpuBackend(const CpuVariant& variant);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_CPU_BACKEND_H_
