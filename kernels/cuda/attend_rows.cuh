#ifndef WINNOW_KERNELS_CUDA_ATTEND_ROWS_CUH_
#define WINNOW_KERNELS_CUDA_ATTEND_ROWS_CUH_

#include "kernels/cuda/attend_block.cuh"
#include "kernels/cuda/key_fragments.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

namespace winnow::kernels::cuda {

// Brings the rows of a block's split into its shared memory, row_block at a time: as stored, then
// as bf16 values and scales. A warp takes a row.
struct AttendRows : SplitRows {
  const AttendArgs& args;
  const AttendMemory& memory;

  WINNOW_DEVICE AttendRows(const AttendArgs& call, const SplitRows& of)
      : SplitRows(of), args(call), memory(call.memory) {}

  WINNOW_DEVICE int Bytes() const {
    const bool fp8 = args.format == RowFormat::kFp8FlashMla;
    return fp8 ? args.latent_dim + 4 * memory.groups + 2 * args.rope_dim
               : 2 * (args.latent_dim + args.rope_dim);
  }

  // Begins to copy the rows from `first` on; a group of copies even where there are none.
  WINNOW_DEVICE void Fetch(int first) {
    const int bytes = Bytes();
    for (int r = simt::Warp(); r < args.row_block && first + r < count; r += kAttendWarps) {
      const std::byte* from = rows[first + r];
      std::byte* to = simt::SharedMemory() + memory.raw + r * memory.raw_stride;
      if ((reinterpret_cast<uintptr_t>(from) | static_cast<uintptr_t>(bytes)) % 16 == 0) {
        for (int at = 16 * simt::Lane(); at < bytes; at += 512) {
          simt::CopyAsync16(to + at, from + at);
        }
      } else {
        for (int at = 4 * simt::Lane(); at < bytes; at += 128) simt::CopyAsync4(to + at, from + at);
      }
    }
    simt::CopyAsyncCommit();
  }

  // Rows that are not there become zero, with scale zero.
  WINNOW_DEVICE void Decode(int first) {
    std::byte* shared = simt::SharedMemory();
    for (int r = simt::Warp(); r < args.row_block; r += kAttendWarps) {
      const auto* raw =
          reinterpret_cast<const uint32_t*>(shared + memory.raw + r * memory.raw_stride);
      auto* to = reinterpret_cast<uint32_t*>(shared + memory.values + r * memory.value_stride);
      auto* scales = reinterpret_cast<float*>(shared + memory.scales) + r;
      if (first + r >= count) {
        Clear(to, scales);
      } else if (args.format == RowFormat::kFp8FlashMla) {
        DecodeFp8(raw, to, scales);
      } else {
        CopyWords(raw, (args.latent_dim + args.rope_dim) / 2, to);
        if (simt::Lane() == 0) *scales = 1.0f;
      }
    }
  }

  WINNOW_DEVICE void Clear(uint32_t* to, float* scales) {
    for (int w = simt::Lane(); w < (args.latent_dim + args.rope_dim) / 2; w += 32) to[w] = 0;
    if (simt::Lane() < memory.groups) scales[simt::Lane() * args.row_block] = 0;
  }

  WINNOW_DEVICE void DecodeFp8(const uint32_t* raw, uint32_t* to, float* scales) {
    const int code_words = args.latent_dim / 4;
    for (int w = simt::Lane(); w < code_words; w += 32) {
      const uint32_t codes = raw[w];
      to[2 * w] = E4m3PairToBf16(simt::Permute(codes, 0, 0x1404u));
      to[2 * w + 1] = E4m3PairToBf16(simt::Permute(codes, 0, 0x3424u));
    }
    if (simt::Lane() < memory.groups) {
      scales[simt::Lane() * args.row_block] = simt::AsFloat(raw[code_words + simt::Lane()]);
    }
    CopyWords(raw + code_words + memory.groups, args.rope_dim / 2, to + args.latent_dim / 2);
  }

  WINNOW_DEVICE void CopyWords(const uint32_t* from, int count_of_words, uint32_t* to) {
    for (int w = simt::Lane(); w < count_of_words; w += 32) to[w] = from[w];
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_ATTEND_ROWS_CUH_
