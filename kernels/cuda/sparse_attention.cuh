#ifndef WINNOW_KERNELS_CUDA_SPARSE_ATTENTION_CUH_
#define WINNOW_KERNELS_CUDA_SPARSE_ATTENTION_CUH_

#include "kernels/cuda/attend_heads.cuh"
#include "kernels/cuda/attend_rows.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

// Floor: rows * RowBytes read once (2048 fp8 rows: 1.3 MB, 0.3 us at 4.3 TB/s) against 2 * rows *
// heads * (3 latent + rope) operations (128 heads of 512 + 64: 0.84 GFLOP, 0.85 us at 989 TFLOP/s;
// the latent part counts three times because probabilities are multiplied in two parts). One query
// row is bound by latency, many by the tensor cores.
//
// A block has a tile of heads and a split of the rows, of which it takes row_block at a time:
//   raw rows arrive (asynchronous copies) | decoded to bf16 | logits: a warp per 16 heads x 8 rows
//   | softmax: a warp per head | outputs: each warp its own latent dims, of all heads and rows
// with a barrier at each |, and the next raw rows on their way from the second on. fp8 codes stay
// exact: a row's scale multiplies its logit and its probability instead of its values.
// Probabilities are split into a bf16 and the bf16 of what that leaves, as one alone has an error
// of 2^-9.
namespace winnow::kernels::cuda {

template <int kHeadTiles, int kLatentTiles>
struct AttendKernel : AttendBlock {
  static constexpr int kHeads = 16 * kHeadTiles;

  const AttendArgs& args;
  const AttendMemory& memory;
  AttendRows source;
  AttendHeads softmax;
  std::byte* shared;
  int first_dim;  // of the warp's latent dims
  float outputs[kHeadTiles][kLatentTiles][4] = {};

  WINNOW_DEVICE explicit AttendKernel(const AttendArgs& call)
      : AttendBlock(AttendBlockOf(call, kHeads)),
        args(call),
        memory(call.memory),
        source(call, RowsOfSplit(call, query, split)),
        softmax(call.memory),
        shared(simt::SharedMemory()) {
    first_dim = simt::Warp() * kLatentTiles * 8;
  }

  WINNOW_DEVICE float* Floats(int offset) const {
    return reinterpret_cast<float*>(shared + offset);
  }

  WINNOW_DEVICE void Run() {
    simt::LetNextLaunch();
    source.Fetch(0);
    Begin();
    for (int first = 0; first < source.count; first += args.row_block) {
      simt::CopyAsyncWait<0>();
      simt::SyncBlock();
      source.Decode(first);
      simt::SyncBlock();
      source.Fetch(first + args.row_block);
      Logits();
      simt::SyncBlock();
      Softmax(first);
      simt::SyncBlock();
      AddOutputs();
    }
    simt::SyncBlock();
    Finish();
  }

  WINNOW_DEVICE void Begin() {
    const int words = (args.latent_dim + args.rope_dim) / 2;
    const auto* from = reinterpret_cast<const uint32_t*>(args.query) +
                       (size_t{1} * query * args.heads + first_head) * words;
    for (int h = simt::Warp(); h < kHeads; h += kAttendWarps) {
      auto* to = reinterpret_cast<uint32_t*>(shared + memory.queries + h * memory.value_stride);
      for (int w = simt::Lane(); w < words; w += 32) {
        to[w] = first_head + h < args.heads ? from[h * words + w] : 0;
      }
    }
    softmax.Begin(kHeads);
  }

  // Adds queries . rows over `steps` steps of 16 dims to dots, in two chains.
  WINNOW_DEVICE void Multiply(int head_tile, int row_tile, int step, int steps, float (&dots)[4]) {
    const int lane = simt::Lane();
    const std::byte* a_row = shared + memory.queries +
                             (16 * head_tile + lane % 16) * memory.value_stride + lane / 16 * 16;
    const std::byte* b_row = shared + memory.values +
                             (8 * row_tile + lane % 8) * memory.value_stride + lane / 8 % 2 * 16;
    float chains[2][4] = {};
    for (int i = 0; i < steps; ++i) {
      uint32_t a[4], b[2];
      simt::LoadMatrix4(a, a_row + 32 * (step + i));
      simt::LoadMatrix2(b, b_row + 32 * (step + i));
      if (i % 2 == 0) {
        simt::MmaBf16(chains[0], a, b[0], b[1]);
      } else {
        simt::MmaBf16(chains[1], a, b[0], b[1]);
      }
    }
    WINNOW_UNROLL
    for (int i = 0; i < 4; ++i) dots[i] = simt::Add(chains[0][i], chains[1][i]);
  }

  WINNOW_DEVICE void Logits() {
    const int g = simt::Lane() / 4, c = simt::Lane() % 4;
    const int group_steps = args.latent_dim / memory.groups / 16;
    for (int tile = simt::Warp(); tile < kHeadTiles * args.row_block / 8; tile += kAttendWarps) {
      const int head_tile = tile % kHeadTiles, row_tile = tile / kHeadTiles;
      const int row = 8 * row_tile + 2 * c;
      float dots[4];
      float logits[4] = {};
      for (int group = 0; group < memory.groups; ++group) {
        Multiply(head_tile, row_tile, group * group_steps, group_steps, dots);
        const float* scales = Floats(memory.scales) + group * args.row_block + row;
        WINNOW_UNROLL
        for (int i = 0; i < 4; ++i) logits[i] = simt::Fma(dots[i], scales[i % 2], logits[i]);
      }
      Multiply(head_tile, row_tile, args.latent_dim / 16, args.rope_dim / 16, dots);
      float* to = Floats(memory.scores) + (16 * head_tile + g) * memory.score_stride + row;
      to[0] = simt::Add(logits[0], dots[0]);
      to[1] = simt::Add(logits[1], dots[1]);
      to[8 * memory.score_stride] = simt::Add(logits[2], dots[2]);
      to[8 * memory.score_stride + 1] = simt::Add(logits[3], dots[3]);
    }
  }

  // Logits to probabilities relative to the largest logit so far; 0 for rows that are not there.
  WINNOW_DEVICE void Softmax(int first) {
    const int lane = simt::Lane();
    const bool there = lane < args.row_block && first + lane < source.count;
    for (int h = simt::Warp(); h < kHeads; h += kAttendWarps) {
      float* score = Floats(memory.scores) + h * memory.score_stride + lane;
      const float logit = there ? simt::Mul(*score, args.softmax_scale) : MinusInfinity();
      const float largest = softmax.Largest(h, logit);
      const float p = there ? Exp(simt::Add(logit, -largest)) : 0.0f;
      if (lane < args.row_block) *score = p;
      softmax.Add(h, largest, p);
    }
  }

  // The probabilities of 16 heads and 16 rows, times the rows' scales, as matrix A.
  WINNOW_DEVICE void LoadProbabilities(int head_tile, int step, const float* scales,
                                       uint32_t (&high)[4], uint32_t (&low)[4]) {
    const int g = simt::Lane() / 4, c = simt::Lane() % 4;
    WINNOW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int row = 16 * step + 2 * c + i / 2 * 8;
      const float* p =
          Floats(memory.scores) + (16 * head_tile + g + i % 2 * 8) * memory.score_stride + row;
      SplitPair(simt::Mul(p[0], scales[row]), simt::Mul(p[1], scales[row + 1]), &high[i], &low[i]);
    }
  }

  WINNOW_DEVICE void AddOutputs() {
    if (first_dim >= args.latent_dim) return;
    const int g = simt::Lane() / 4;
    WINNOW_UNROLL
    for (int m = 0; m < kHeadTiles; ++m) {
      const float* factors = softmax.factors + 16 * m + g;
      WINNOW_UNROLL
      for (int n = 0; n < kLatentTiles; ++n) {
        WINNOW_UNROLL
        for (int i = 0; i < 4; ++i) {
          outputs[m][n][i] = simt::Mul(outputs[m][n][i], factors[i / 2 * 8]);
        }
      }
    }
    const int group = memory.groups > 1 ? first_dim / kLatentScaleGroup : 0;
    const float* scales = Floats(memory.scales) + group * args.row_block;
    for (int step = 0; step < args.row_block / 16; ++step) {
      uint32_t high[kHeadTiles][4], low[kHeadTiles][4];
      WINNOW_UNROLL
      for (int m = 0; m < kHeadTiles; ++m) LoadProbabilities(m, step, scales, high[m], low[m]);
      const std::byte* b_row = shared + memory.values +
                               (16 * step + simt::Lane() % 16) * memory.value_stride +
                               2 * first_dim;
      WINNOW_UNROLL
      for (int n = 0; n < kLatentTiles; ++n) {
        if (first_dim + 8 * n >= args.latent_dim) continue;
        uint32_t b[2];
        simt::LoadMatrix2Transposed(b, b_row + 16 * n);
        WINNOW_UNROLL
        for (int m = 0; m < kHeadTiles; ++m) {
          simt::MmaBf16(outputs[m][n], high[m], b[0], b[1]);
          simt::MmaBf16(outputs[m][n], low[m], b[0], b[1]);
        }
      }
    }
  }

  WINNOW_DEVICE void Finish() {
    const size_t first = (size_t{1} * split * args.queries + query) * args.heads + first_head;
    const int g = simt::Lane() / 4, c = simt::Lane() % 4;
    WINNOW_UNROLL
    for (int m = 0; m < kHeadTiles; ++m) {
      WINNOW_UNROLL
      for (int half = 0; half < 2; ++half) {
        const int h = 16 * m + 8 * half + g;
        if (first_head + h >= args.heads) continue;
        const float inverse = softmax.Inverse(h, source.count > 0);
        float* to = args.outputs + (first + h) * args.latent_dim + first_dim + 2 * c;
        WINNOW_UNROLL
        for (int n = 0; n < kLatentTiles; ++n) {
          if (first_dim + 8 * n >= args.latent_dim) continue;
          to[8 * n] = simt::Mul(outputs[m][n][2 * half], inverse);
          to[8 * n + 1] = simt::Mul(outputs[m][n][2 * half + 1], inverse);
        }
      }
    }
    const int heads = args.heads - first_head < kHeads ? args.heads - first_head : kHeads;
    softmax.WriteLse(heads, source.count > 0, args.lse + first);
  }
};

template <int kHeadTiles, int kLatentTiles>
WINNOW_DEVICE void AttendBody(const AttendArgs& args) {
  AttendKernel<kHeadTiles, kLatentTiles>(args).Run();
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SPARSE_ATTENTION_CUH_
