#ifndef WINNOW_KERNELS_CUDA_GROUP_ATTENTION_CUH_
#define WINNOW_KERNELS_CUDA_GROUP_ATTENTION_CUH_

#include "kernels/cuda/attend_heads.cuh"
#include "kernels/cuda/attend_rows.cuh"
#include "kernels/cuda/group_attend_tiles.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

// Sparse attention by products of four warps, for latents of 256 or 512 dims. The floor is that of
// sparse_attention.cuh; here the tensor cores read rows and queries from shared memory themselves.
//
// A block has 64 heads and a split of the rows, and two groups of warps. Each group has its half of
// the dims: it multiplies queries with these dims of the rows (the logits are the sum of both
// groups'), and adds these dims of the outputs. Rows and queries lie as tiles of 8 rows x 8 dims,
// 128 bytes each, which serve as rows x dims for the logits and as dims x rows for the outputs.
namespace winnow::kernels::cuda {

template <int kChunks, int kRowBlock>  // chunks of 128 latent dims of a group
struct GroupAttendKernel : AttendBlock {
  static constexpr int kHeads = kGroupHeads;
  static constexpr int kChunkDims = 128;
  // From a tile to that of the next 8 dims.
  static constexpr int kQueryTileStride = kHeads / 8 * kTileBytes;
  static constexpr int kRowTileStride = kRowBlock / 8 * kTileBytes;
  static constexpr int kRowTiles = kRowBlock / 8;
  static constexpr int kRowSteps = kRowBlock / 16;

  const AttendArgs& args;
  const AttendMemory& memory;
  AttendRows source;
  AttendHeads softmax;
  std::byte* shared;
  int group;  // 0 or 1
  float outputs[kChunks][kChunkDims / 8][4] = {};

  WINNOW_DEVICE explicit GroupAttendKernel(const AttendArgs& call)
      : AttendBlock(AttendBlockOf(call, kHeads)),
        args(call),
        memory(call.memory),
        source(call, RowsOfSplit(call, query, split)),
        softmax(call.memory),
        shared(simt::SharedMemory()) {
    // The same in all lanes, as the compiler can see.
    group = simt::Shuffle(simt::Warp() / 4, 0);
  }

  WINNOW_DEVICE float* Floats(int offset) const {
    return reinterpret_cast<float*>(shared + offset);
  }
  // The logits of one group, or the probabilities; [heads, score_stride].
  WINNOW_DEVICE float* Scores(int of_group) const {
    return Floats(memory.scores) + of_group * kHeads * memory.score_stride;
  }
  WINNOW_DEVICE int HeadOfLane() const {  // and this + 8
    return simt::Warp() % 4 * 16 + simt::Lane() / 4;
  }
  // Whose scale a chunk of this group has, of the rows.
  WINNOW_DEVICE const float* Scales(int chunk) const {
    const int scale_group = memory.groups > 1 ? group * kChunks + chunk : 0;
    return Floats(memory.scales) + scale_group * kRowBlock;
  }

  WINNOW_DEVICE void Run() {
    simt::LetNextLaunch();
    source.Fetch(0);
    LoadGroupQueries(args, query, first_head);
    softmax.Begin(kHeads);
    for (int first = 0; first < source.count; first += kRowBlock) {
      simt::CopyAsyncWait<0>();
      simt::SyncBlock();
      DecodeGroupRows<kRowBlock>(args, source.count - first);
      simt::PublishShared();
      simt::SyncBlock();
      source.Fetch(first + kRowBlock);
      Logits();
      simt::SyncBlock();
      Softmax(first);
      simt::SyncBlock();
      AddOutputs();
    }
    simt::SyncBlock();
    Finish();
  }

  // Adds queries . rows over the 16 dims of a step.
  WINNOW_DEVICE void Multiply(int step, float (&dots)[kRowTiles][4], bool add) {
    const int tile = 2 * step;
    simt::MmaGroup(dots,
                   simt::SharedMatrix(shared + memory.queries + tile * kQueryTileStride,
                                      kQueryTileStride, kTileBytes),
                   simt::SharedMatrix(shared + memory.values + tile * kRowTileStride,
                                      kRowTileStride, kTileBytes),
                   add);
  }

  // This group's part of the logits: every other step of the rope dims, and its latent dims.
  WINNOW_DEVICE void Logits() {
    constexpr int kChunkSteps = kChunkDims / 16;
    const int c = simt::Lane() % 4;
    float logits[kRowTiles][4] = {};
    for (int step = group; step < args.rope_dim / 16; step += 2) {
      simt::GroupHold(logits);
      simt::GroupBegin();
      Multiply(args.latent_dim / 16 + step, logits, true);
      simt::GroupCommit();
      simt::GroupWait<0>();
      simt::GroupHold(logits);
    }
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      float dots[kRowTiles][4];
      simt::GroupBegin();
      WINNOW_UNROLL
      for (int i = 0; i < kChunkSteps; ++i) {
        Multiply((group * kChunks + chunk) * kChunkSteps + i, dots, i > 0);
      }
      simt::GroupCommit();
      simt::GroupWait<0>();
      simt::GroupHold(dots);
      const float* scales = Scales(chunk) + 2 * c;
      WINNOW_UNROLL
      for (int tile = 0; tile < kRowTiles; ++tile) {
        WINNOW_UNROLL
        for (int i = 0; i < 4; ++i) {
          logits[tile][i] = simt::Fma(dots[tile][i], scales[8 * tile + i % 2], logits[tile][i]);
        }
      }
    }
    float* to = Scores(group) + HeadOfLane() * memory.score_stride + 2 * c;
    WINNOW_UNROLL
    for (int tile = 0; tile < kRowTiles; ++tile) {
      WINNOW_UNROLL
      for (int i = 0; i < 4; ++i) {
        to[i / 2 * 8 * memory.score_stride + 8 * tile + i % 2] = logits[tile][i];
      }
    }
  }

  // Logits to probabilities relative to the largest logit so far, where group 0's logits were; 0
  // for rows that are not there. A warp takes a head.
  WINNOW_DEVICE void Softmax(int first) {
    constexpr int kPerLane = kRowBlock / 32;
    const int lane = simt::Lane();
    for (int h = simt::Warp(); h < kHeads; h += kAttendWarps) {
      float* score = Scores(0) + h * memory.score_stride;
      const float* other = Scores(1) + h * memory.score_stride;
      float logits[kPerLane];
      float largest = MinusInfinity();
      WINNOW_UNROLL
      for (int i = 0; i < kPerLane; ++i) {
        const int row = 32 * i + lane;
        logits[i] = first + row < source.count
                        ? simt::Mul(simt::Add(score[row], other[row]), args.softmax_scale)
                        : MinusInfinity();
        largest = simt::Max(largest, logits[i]);
      }
      largest = softmax.Largest(h, largest);
      float sum = 0;
      WINNOW_UNROLL
      for (int i = 0; i < kPerLane; ++i) {
        const bool there = first + 32 * i + lane < source.count;
        const float p = there ? Exp(simt::Add(logits[i], -largest)) : 0.0f;
        score[32 * i + lane] = p;
        sum = simt::Add(sum, p);
      }
      softmax.Add(h, largest, sum);
    }
  }

  // The probabilities of 16 rows, in two parts, times the rows' scales of each chunk.
  struct Probabilities {
    uint32_t high[kChunks][4];
    uint32_t low[kChunks][4];
  };
  WINNOW_DEVICE void Load(int step, Probabilities* p) const {
    const int c = simt::Lane() % 4;
    WINNOW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int row = 16 * step + 2 * c + i / 2 * 8;
      const float* from = Scores(0) + (HeadOfLane() + i % 2 * 8) * memory.score_stride + row;
      WINNOW_UNROLL
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        const float* scales = Scales(chunk) + row;
        SplitPair(simt::Mul(from[0], scales[0]), simt::Mul(from[1], scales[1]), &p->high[chunk][i],
                  &p->low[chunk][i]);
      }
    }
  }

  WINNOW_DEVICE void AddOutputs() {
    const float* factors = softmax.factors + HeadOfLane();
    WINNOW_UNROLL
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      WINNOW_UNROLL
      for (int tile = 0; tile < kChunkDims / 8; ++tile) {
        WINNOW_UNROLL
        for (int i = 0; i < 4; ++i) {
          outputs[chunk][tile][i] = simt::Mul(outputs[chunk][tile][i], factors[i / 2 * 8]);
        }
      }
      simt::GroupHold(outputs[chunk]);
    }
    constexpr int kChunkBytes = kChunkDims / 8 * kRowTileStride;
    const uint64_t rows = simt::SharedMatrix(shared + memory.values + group * kChunks * kChunkBytes,
                                             kTileBytes, kRowTileStride);
    Probabilities p[2];
    Load(0, &p[0]);
    WINNOW_UNROLL
    for (int step = 0; step < kRowSteps; ++step) {
      simt::GroupBegin();
      WINNOW_UNROLL
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        const uint64_t b = rows + (chunk * kChunkBytes + step * 2 * kTileBytes) / 16;
        simt::MmaGroupTransposed(outputs[chunk], p[step % 2].high[chunk], b, true);
        simt::MmaGroupTransposed(outputs[chunk], p[step % 2].low[chunk], b, true);
      }
      simt::GroupCommit();
      if (step + 1 == kRowSteps) continue;
      // The other registers were multiplied in the step before.
      simt::GroupWait<1>();
      Load(step + 1, &p[(step + 1) % 2]);
    }
    simt::GroupWait<0>();
    WINNOW_UNROLL
    for (int chunk = 0; chunk < kChunks; ++chunk) simt::GroupHold(outputs[chunk]);
  }

  WINNOW_DEVICE void Finish() {
    const size_t first = (size_t{1} * split * args.queries + query) * args.heads + first_head;
    const int c = simt::Lane() % 4;
    WINNOW_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int h = HeadOfLane() + 8 * half;
      if (first_head + h >= args.heads) continue;
      const float inverse = softmax.Inverse(h, source.count > 0);
      float* to =
          args.outputs + (first + h) * args.latent_dim + group * kChunks * kChunkDims + 2 * c;
      WINNOW_UNROLL
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        WINNOW_UNROLL
        for (int tile = 0; tile < kChunkDims / 8; ++tile) {
          float* pair = to + chunk * kChunkDims + 8 * tile;
          pair[0] = simt::Mul(outputs[chunk][tile][2 * half], inverse);
          pair[1] = simt::Mul(outputs[chunk][tile][2 * half + 1], inverse);
        }
      }
    }
    const int heads = args.heads - first_head < kHeads ? args.heads - first_head : kHeads;
    softmax.WriteLse(heads, source.count > 0, args.lse + first);
  }
};

template <int kChunks, int kRowBlock>
WINNOW_DEVICE void GroupAttendBody(const AttendArgs& args) {
  GroupAttendKernel<kChunks, kRowBlock>(args).Run();
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_GROUP_ATTENTION_CUH_
