#include "tests/gpu/check/correctness.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "kernels/backend.h"
#include "tests/gpu/attention_case.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/hard_cases.h"
#include "tests/gpu/score_case.h"

namespace winnow::kernels::cuda {
namespace {

constexpr KeyFormat kFormats[] = {KeyFormat::kFp8E4M3, KeyFormat::kMxFp4, KeyFormat::kBf16,
                                  KeyFormat::kInt8};
constexpr const char* kFormatNames[] = {"fp8 keys", "MXFP4 keys", "bf16 keys", "int8 keys"};

class Checker {
 public:
  // `what` names the kernels that the options ask for.
  Checker(DeviceApi& device, bool small, const char* what, CudaBackendOptions options)
      : device_(device), small_(small), what_(what), random_(TestSeed()) {
    options.concurrent_queries = 1;
    Must(CudaBackend::Create(device, options, &backend_));
  }

  int RunAll() {
    for (size_t i = 0; i < std::size(kFormats); ++i) {
      Begin("scores", kFormatNames[i]);
      for (int round = 0; round < rounds(); ++round) CheckRandomScores(kFormats[i]);
      if (!small_) {
        CheckScores("published scores",
                    RandomScoreCase(random_, kFormats[i], 128, 64, 2, 6000, 2048));
      }
    }
    CheckManyScores();
    Begin("a merge");
    for (int round = 0; round < rounds(); ++round) CheckMerge();
    CheckAttentionOver(RowFormat::kBf16);
    return RunAttention(RowFormat::kFp8FlashMla);
  }

  int RunAttention(RowFormat format) {
    CheckAttentionOver(format);
    return Report();
  }

 private:
  int rounds() const { return small_ ? 1 : 10; }

  // Announces cases, so that it is known which did not end.
  void Begin(const char* cases, const char* of = "") const {
    std::printf("%s: %s%s%s\n", what_, cases, *of != '\0' ? ", " : "", of);
  }

  void Note(const char* what, const Error& error) {
    ++cases_;
    if (error.empty()) return;
    ++disagreements_;
    std::printf("%s: %s\n", what, error.c_str());
  }

  void CheckScores(const char* what, const ScoreCase& c, int page_entries = kPageEntries) {
    Note(what, Disagreement(c, Evaluate(device_, *backend_, c, page_entries)));
  }

  void CheckRandomScores(KeyFormat format) {
    const int most = small_ ? 200 : 1500;
    ScoreCase c = RandomScoreCase(random_, format, 32 * random_.Int(1, 8), random_.Int(1, 128),
                                  random_.Int(1, 3), random_.Int(0, most), random_.Int(1, 300));
    CheckScores("random scores", c);
    CheckScores("scores page by page", c, random_.Int(1, kPageEntries - 1));
    for (float& weight : c.weights) weight = -std::abs(weight);
    CheckScores("negative scores", c);
  }

  void CheckManyScores() {
    Begin("scores around a run");
    CheckRuns();
    Begin("five contexts at once");
    CheckContexts();
    Begin("ties");
    CheckTies(small_ ? 300 : 100000);
    if (small_) return;
    Begin("scores for 64 query rows");
    CheckScores("64 query rows",
                RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 32, kMaxQueryRows, 700, 100));
    Begin("as many as can be asked for");
    CheckScores("the largest k",
                RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 8, 1, 40000, kMaxTopK));
  }

  void CheckRuns() {
    constexpr int kRunEntries = kRunPages * kPageEntries;
    for (const int more : {-1, 0, 1, kPageEntries + 1}) {
      CheckScores("scores around a run",
                  RandomScoreCase(random_, KeyFormat::kFp8E4M3, 64, 8, 1, kRunEntries + more, 100));
    }
  }

  void CheckContexts() {
    std::vector<ScoreCase> cases;
    const int most = small_ ? 300 : 9000;
    constexpr int kRest[][3] = {{3, 70, 200}, {2, 0, 10}, {9, 333, 7}, {1, 64, 64}};
    cases.push_back(RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 64, 1, most, 100));
    for (const auto& [rows, entries, k] : kRest) {
      cases.push_back(RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 64, rows, entries, k));
    }
    Note("five contexts at once", DisagreementTogether(device_, *backend_, cases));
  }

  void CheckTies(int entries) {
    ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 1, 1, 1, 100);
    const std::vector<std::byte> one = c.keys;
    for (int i = 1; i < entries; ++i) c.keys.insert(c.keys.end(), one.begin(), one.end());
    c.visible = {static_cast<uint32_t>(entries)};
    const Selection got = Evaluate(device_, *backend_, c);
    bool in_order = got[0].size() == 100;
    for (uint32_t i = 0; in_order && i < 100; ++i) in_order = got[0][i].position == i;
    Note("ties", in_order ? "" : "they do not go to the lower positions");
  }

  void CheckRandomAttention(RowFormat format) {
    AttentionCase c{.format = format, .heads = random_.Int(1, 130)};
    const bool fp8 = format == RowFormat::kFp8FlashMla;
    c.latent_dim = fp8 ? 128 * random_.Int(1, 4) : 32 * random_.Int(1, 16);
    c.rope_dim = 16 * random_.Int(0, 4);
    c.softmax_scale = 0.03f;
    c.row_counts.clear();
    for (int q = random_.Int(1, 3); q > 0; --q) {
      c.row_counts.push_back(random_.Int(0, small_ ? 70 : 500));
    }
    CheckAttention("random attention", c);
  }

  void CheckAttention(const char* what, const AttentionCase& c) {
    const AttentionInputs in = RandomInputs(random_, c);
    Note(what, Disagreement(c, in, Evaluate(device_, *backend_, c, in)));
  }

  void CheckMerge() {
    constexpr uint32_t kLists = 5, kStride = 400;
    const auto k = static_cast<uint32_t>(random_.Int(1, 900));
    std::vector<Candidate> items(kLists * kStride);
    std::vector<uint32_t> lengths;
    std::vector<std::span<const Candidate>> spans;
    for (uint32_t list = 0; list < kLists; ++list) {
      lengths.push_back(static_cast<uint32_t>(random_.Int(0, kStride)));
      Candidate* first = &items[list * kStride];
      for (uint32_t i = 0; i < lengths[list]; ++i) {
        first[i] = {static_cast<float>(random_.Int(-20, 20)), list * kStride + i};
      }
      std::sort(first, first + lengths[list], Better);
      spans.emplace_back(first, lengths[list]);
    }
    std::vector<Candidate> expected;
    MergeCandidates(spans, k, &expected);
    const uint32_t merged_count = static_cast<uint32_t>(expected.size());
    expected.resize(k, {-5, 5});
    DeviceArray<Candidate> on_device(device_, items),
        merged(device_, std::vector(k, Candidate{-5, 5}));
    DeviceArray<uint32_t> device_lengths(device_, lengths), count(device_, {77});
    merged.Run(PlanMerge(kLists, kStride),
               MergeArgs{kLists, kStride, k, on_device.data(), device_lengths.data(), merged.data(),
                         count.data()});
    const bool same = count.Read()[0] == merged_count && merged.Read() == expected;
    Note("merge", same ? "" : "it is not the host's");
  }

  void CheckAttentionOver(RowFormat format) {
    const char* const rows = format == RowFormat::kBf16 ? "bf16 rows" : "fp8 rows";
    Begin("attention", rows);
    for (int round = 0; round < rounds(); ++round) CheckRandomAttention(format);
    for (const HardCase& hard : HardCases(random_, format, small_ ? 5 : 65)) {
      Begin(hard.name, rows);
      Note(hard.name, Disagreement(hard.c, hard.in, Evaluate(device_, *backend_, hard.c, hard.in)));
    }
    Begin("attention for 64 query rows", rows);
    CheckManyRows(format);
    if (small_) return;
    Begin("published attention", rows);
    CheckPublishedAttention(format);
  }

  // So many query rows that there are no splits, and a block of the launch has many rows.
  void CheckManyRows(RowFormat format) {
    std::vector<int> row_counts;
    while (row_counts.size() < kMaxQueryRows) {
      for (const int rows : {200, 129, 193, 257, 65, 64, small_ ? 1 : 700, 127}) {
        row_counts.push_back(rows);
      }
    }
    CheckAttention("64 query rows", {.format = format,
                                     .heads = small_ ? 3 : 70,
                                     .latent_dim = 512,
                                     .rope_dim = 64,
                                     .row_counts = row_counts});
  }

  void CheckPublishedAttention(RowFormat format) {
    CheckAttention("published attention", {.format = format,
                                           .heads = 128,
                                           .latent_dim = 512,
                                           .rope_dim = 64,
                                           .softmax_scale = 0.0722f,
                                           .row_counts = {2048, 1, 77}});
  }

  int Report() const {
    std::printf("%d of %d cases disagree with the reference (%s)\n", disagreements_, cases_, what_);
    return disagreements_;
  }

  DeviceApi& device_;
  const bool small_;
  const char* const what_;
  RandomData random_;
  std::unique_ptr<CudaBackend> backend_;
  int cases_ = 0;
  int disagreements_ = 0;
};

}  // namespace

bool HasGpu() {
  int driver = 0, count = 0, major = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0) return false;
  if (cudaGetDeviceCount(&count) == cudaErrorNoDevice) return false;
  return cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0) != cudaSuccess ||
         major >= 8;
}

int CountDisagreements(DeviceApi& device, bool small) {
  const int by_warps = Checker(device, small, "mma.sync", {.use_groups = false}).RunAll();
  if (!device.properties().limits.has_groups) return by_warps;
  return by_warps + Checker(device, small, "wgmma", {}).RunAll() +
         Checker(device, small, "fp8 rows from registers", {.attend_by_codes = true})
             .RunAttention(RowFormat::kFp8FlashMla);
}

}  // namespace winnow::kernels::cuda
