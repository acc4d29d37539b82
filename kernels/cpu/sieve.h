#ifndef WINNOW_KERNELS_CPU_SIEVE_H_
#define WINNOW_KERNELS_CPU_SIEVE_H_

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"

namespace winnow::kernels {

// A page to score, and its place among those that a thread scores with the same scratch.
struct PageTurn {
  const std::byte* page;
  const std::byte* next;  // the page of the following call; null after the last
  bool first;
  const std::byte* after = nullptr;  // the page of the call after that; may be null
};

// Where the bounds of a page go.
struct PageBounds {
  const float* floors;  // [rows] scores that are to be reached
  float* bounds;        // [rows, 64]
  // [rows], bit i for entry i: its bound is not below the row's floor. Found with the bounds, whose
  // vectors are compared at once there.
  uint64_t* passed;
};

// Tells for less than an entry's score costs how large it can be at most, so that a scan computes
// the scores of those entries only that may be among the best.
struct Sieve {
  bool (*runs_here)();
  // Whether there are bounds for such queries.
  bool (*suits)(const ScoreQuery& query);

  // As those of CpuVariant, but that a query is prepared row by row, in any order and by several
  // threads at once: a row takes longer than some pages do.
  //   scratch  [prepare_scratch_bytes], of any content
  size_t (*prepared_bytes)(const ScoreQuery& query);
  size_t (*prepare_scratch_bytes)(const ScoreQuery& query);
  void (*prepare_row)(const ScoreQuery& query, int row, std::byte* prepared, std::byte* scratch);
  size_t (*scratch_bytes)(const ScoreQuery& query);

  // No variant's score of an entry that the page holds is above its bound. A bound may be NaN,
  // which bounds nothing and passes. Entries that the page does not hold get any. Where the variant
  // has enter and leave, between these.
  void (*bound_page)(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
                     std::byte* scratch, const PageBounds& to);

  // It pays to prepare a row from so many entries on for each thread that shares the row, and so
  // many for each that is selected, as the first are scored all. Measured with avx2 and fp8 keys.
  size_t least_entries = 8192;
  size_t entries_per_selected = 24;
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SIEVE_H_
