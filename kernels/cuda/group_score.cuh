#ifndef WINNOW_KERNELS_CUDA_GROUP_SCORE_CUH_
#define WINNOW_KERNELS_CUDA_GROUP_SCORE_CUH_

#include "kernels/cuda/floor_watch.cuh"
#include "kernels/cuda/page_ring.cuh"
#include "kernels/cuda/score_keep.cuh"
#include "kernels/cuda/score_keys.cuh"
#include "kernels/cuda/score_queries.cuh"

// Scoring by groups of four warps. A warp copies pages to a ring, and each group takes every
// kGroups-th of them: its warps decode 16 entries each to fragments, and multiply them by the parts
// of the queries in turn. There are sums of two products, so that one is multiplied while the
// weights of the one before are applied; of one row, the page before.
namespace winnow::kernels::cuda {

template <int kDimBlocks, typename Queries>  // of 32 dims
struct GroupScore {
  static constexpr int kDim = 32 * kDimBlocks;
  static constexpr int kGroups = GroupsOfBlock(kDim);
  static constexpr int kWarps = 4 * kGroups;  // of the groups
  static constexpr int kWatcher = kWarps, kCopier = kWarps + 1;
  static constexpr int kTilesOfPage = kPageEntries / 16;
  // Sums that each warp counts the best of.
  static constexpr uint32_t kUnitsOfPage = 4;
  using Dots = typename Queries::Dots;

  // What is to be known of a page once its keys are fragments.
  struct Page {
    float scale;        // of the lane's entry
    uint32_t position;  // or kNoPosition
  };

  const ScoreArgs& args;
  const ScoreJob& job;
  ScoreMemory* memory;
  BlockPages pages;
  Queries queries;
  PageRing ring;
  RowKeeper<true> keeper;
  typename Queries::Keys a;
  Page page;
  RingPlace at;
  uint32_t index = 0;  // of the page, in the block
  int part = 0;        // that is multiplied last
  float sums[2] = {};

  WINNOW_DEVICE explicit GroupScore(const ScoreArgs& call)
      : args(call),
        job(JobOfBlock(call)),
        memory(reinterpret_cast<ScoreMemory*>(simt::SharedMemory())),
        pages(job),
        queries(call, job, simt::SharedMemory() + sizeof(ScoreMemory)),
        ring{memory, queries.End(job), call.stages, PageBytes()},
        keeper(call, job, memory) {}

  WINNOW_DEVICE KeyFormat Format() const {
    return Queries::kOperand == Operand::kF16 ? KeyFormat::kFp8E4M3 : args.format;
  }
  WINNOW_DEVICE int PageBytes() const {
    return CodeBytesOf<kDim>(Format(), kTilesOfPage) + ScaleBytesOf<kDim>(Format(), kTilesOfPage);
  }

  WINNOW_DEVICE void Run() {
    simt::LetNextLaunch();
    const int warp = simt::Shuffle(simt::Warp(), 0);
    // Two loads that depend on each other, on their way while barriers are made.
    const PagePlace first = pages.Find(warp == kCopier ? simt::Lane() : pages.count);
    ring.Init();
    simt::SyncBlock();
    if (warp == kCopier) {
      PageCopier(ring, pages).Run(first);
    } else {
      ServePages(warp);
    }
    simt::SyncBlock();
    if (warp == kWatcher) Floors().Complete();
    simt::SyncBlock();
    keeper.List(args.rows + job.first_row, ring.stages, size_t{1} * ring.count * ring.page_bytes);
  }

  WINNOW_DEVICE FloorWatch Floors() const {
    return {args, job, memory, kUnitsOfPage * job.page_count};
  }

  // By all warps but the one that copies, which has begun by then.
  WINNOW_DEVICE void ServePages(int warp) {
    if (warp == kWatcher) {
      keeper.Begin(args, 32 * kWatcher);
      UnitPosts{keeper.states, memory->posts}.Clear();
    } else {
      queries.Load(args, job, 32 * kWarps);
    }
    simt::PublishShared();
    simt::SyncFirst<32 * kCopier>();
    if (warp == kWatcher) {
      Floors().TurnUntil(&memory->asked_for);
    } else {
      ScorePages(warp / 4);
    }
  }

  WINNOW_DEVICE void ScorePages(int group) {
    index = group;
    if (index >= pages.count) return;
    at.Move(group, ring.count);
    if (job.rows << queries.chunk_bits == 1) {
      ScoreParts<true>();
    } else {
      ScoreParts<false>();
    }
  }

  // Of one part that are known to be all.
  template <bool kOne>
  WINNOW_DEVICE void ScoreParts() {
    TakePage();
    Dots one, other;
    queries.Multiply(a, 0, one);
    while (Step<kOne>(one, other)) {
      if (Step<kOne>(other, one)) continue;
      Apply(other, part, page, keeper.AskFloor(part >> queries.chunk_bits));
      return;
    }
    Apply(one, part, page, keeper.AskFloor(part >> queries.chunk_bits));
  }

  // Begins what is next to be multiplied, and applies the weights of what was. After the last of
  // all false, when what was is complete.
  template <bool kOne>
  WINNOW_DEVICE bool Step(Dots& now, Dots& next) {
    const Page scored = page;
    const int part_scored = kOne ? 0 : part;
    const uint32_t floor = keeper.AskFloor(part_scored >> queries.chunk_bits);
    const int next_part = kOne || part + 1 == job.rows << queries.chunk_bits ? 0 : part + 1;
    if (kOne || next_part == 0) {
      simt::GroupWait<0>();
      simt::GroupHold(now);
      index += kGroups;
      if (index >= pages.count) return false;
      at.Move(kGroups, ring.count);
      TakePage();
    }
    if (!kOne) part = next_part;
    queries.Multiply(a, kOne ? 0 : part, next);
    simt::GroupWait<1>();
    simt::GroupHold(now);
    Apply(now, part_scored, scored, floor);
    return true;
  }

  WINNOW_DEVICE void Apply(const Dots& dots, int of_part, const Page& of, uint32_t floor) {
    queries.Add(dots, of_part, sums);
    const int row = of_part >> queries.chunk_bits;
    if (row << queries.chunk_bits == of_part && queries.chunk_bits != 0) return;
    keeper.Keep(row, floor, simt::Mul(SumOfLanes(), of.scale), of.position);
    sums[0] = sums[1] = 0;
  }

  // Four lanes hold a part each of the sums of two entries. A part's place among the summands does
  // not depend on the entry.
  WINNOW_DEVICE float SumOfLanes() const {
    const bool odd = simt::Lane() % 2 != 0;
    const float others = simt::ShuffleXor(odd ? sums[0] : sums[1], 1);
    const float two = simt::Add(odd ? sums[1] : sums[0], others);
    return simt::Add(two, simt::ShuffleXor(two, 2));
  }

  // Waits for the page and decodes the warp's entries of it.
  WINNOW_DEVICE void TakePage() {
    constexpr bool kF16 = Queries::kOperand == Operand::kF16;
    const int warp = simt::Warp() % 4, g = simt::Lane() / 4, c = simt::Lane() % 4;
    const uint32_t entry = 16 * warp + (kF16 ? g + c % 2 * 8 : 2 * g + c % 2);
    const std::byte* const codes = ring.At(at);
    const std::byte* const tile = codes + warp * TileBytes(Format(), kDim);
    const std::byte* const scales = codes + CodeBytesOf<kDim>(Format(), kTilesOfPage);
    ring.AwaitPage(at);
    if constexpr (kF16) {
      DecodeE4m3Tile(tile, a);
    } else {
      WINNOW_UNROLL
      for (int step = 0; step < kDim / 16; ++step) {
        DecodeKeys(Format(), tile, scales + 16 * warp, kPageEntries, step, a[step]);
      }
    }
    page.scale = HasFloatScales(Format()) ? reinterpret_cast<const float*>(scales)[entry] : 1.0f;
    const ScoreMemory::Held held = memory->held[at.stage];
    page.position = c < 2 && entry < held.entries ? held.position + entry : kNoPosition;
    ring.Leave(at);
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_GROUP_SCORE_CUH_
