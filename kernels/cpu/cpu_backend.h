#ifndef WINNOW_KERNELS_CPU_CPU_BACKEND_H_
#define WINNOW_KERNELS_CPU_CPU_BACKEND_H_

#include <span>
#include <string_view>

#include "kernels/backend.h"
#include "kernels/cpu/sieve.h"

namespace winnow::kernels {

// A task of an attention has a multiple of so many heads, or the last ones.
inline constexpr int kAttendHeads = 32;

// Rows of a part of an attention, but for the last part's. What the parts are depends on the number
// of rows alone, so that outputs do not depend on the number of threads.
inline constexpr int kAttendRows = 512;

// What one thread does of an attention in one go: some heads over one part of the rows.
struct AttendTask {
  int first_row;
  int rows;
  int first_head;
  int heads;
  // False if the thread did the same heads over the part before with the same scratch, so that
  // queries need not be arranged again.
  bool first = true;
  // Rows that its thread is likely to be given next; may be none.
  int next_row = 0;
  int next_rows = 0;
};

// What one instruction set does; the scan, the division over threads and the top-k are shared.
struct CpuVariant {
  std::string_view name;
  bool (*runs_here)();

  // Bytes, and the making of, what the variant wants of a query; made once per call, row by row in
  // any order and by several threads at once.
  size_t (*prepared_bytes)(const ScoreQuery& query);
  void (*prepare_row)(const ScoreQuery& query, int row, std::byte* prepared);

  // Around the pages that a thread scores in one go; null where there is nothing to do.
  void (*enter)(const ScoreQuery& query);
  void (*leave)();

  // Scratch of a thread, and the scores of one page into `scores` [rows, 64]. Entries that the page
  // does not hold get any value. Scores are not NaN, nor -0.
  size_t (*score_scratch_bytes)(const ScoreQuery& query);
  void (*score_page)(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
                     std::byte* scratch, float* scores);

  // Spares score_page most of its work where it can; null for none.
  const Sieve* sieve = nullptr;

  // Attention in tasks. A task has up to attend_heads heads, a multiple of kAttendHeads; how many
  // may depend on the number of threads.
  int attend_heads = kAttendHeads;
  size_t (*attend_scratch_bytes)(const AttendParams& params, int heads);
  // A multiple of kScratchAlignment: what the tasks of a part leave for finish_attend, each for its
  // own heads.
  size_t (*attend_part_bytes)(const AttendParams& params);
  void (*attend)(const AttendParams& params, const AttendTask& task, std::byte* scratch,
                 std::byte* part);
  // Outputs and lse of heads from all parts.
  void (*finish_attend)(const AttendParams& params, std::span<std::byte* const> parts,
                        int first_head, int heads);
};

// All prepared and scratch memory is aligned to this, and rounded up to it.
inline constexpr size_t kScratchAlignment = 64;

// Variants in this build besides "portable", slowest first, whether or not they run here.
std::span<const CpuVariant* const> NativeVariants();
const CpuVariant& PortableVariant();

// The backend of a variant; lives as long as the process.
const Backend* MakeCpuBackend(const CpuVariant& variant);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_CPU_BACKEND_H_
