#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "client/winnowctl/split_mix.h"
#include "kernels/backend.h"
#include "kernels/read_floor.h"
#include "kernels/reference/formats.h"
#include "tests/bench/benches.h"
#include "tests/bench/memory.h"
#include "tests/bench/peak.h"
#include "tests/bench/timing.h"

namespace winnow::bench {
namespace {

using kernels::KeyFormat;
using kernels::kPageEntries;

// The indexer of DeepSeek-V3.2.
constexpr int kHeads = 64;
constexpr int kDim = 128;
constexpr int kTopK = 2048;

struct Format {
  const char* name;
  KeyFormat format;
  Operand operand;  // that multiplies it without loss
};
constexpr Format kFormats[] = {{"fp8", KeyFormat::kFp8E4M3, Operand::kBf16},
                               {"int8", KeyFormat::kInt8, Operand::kInt8},
                               {"bf16", KeyFormat::kBf16, Operand::kBf16},
                               {"mxfp4", KeyFormat::kMxFp4, Operand::kInt4}};

// Finite fp32 scales near one, as keys of about equal length have.
float ScaleOf(uint64_t random) { return 0.75f + static_cast<float>(random % 1024) / 2048; }

// Bytes of codes, of values as a normal distribution gives them: what the quantisation of a key
// that was rotated leaves. How much of the keys a scan can leave out depends on it. Not of bf16.
class NormalCodes {
 public:
  explicit NormalCodes(KeyFormat format) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (std::byte& codes : table_) {
      switch (format) {
        case KeyFormat::kInt8:
          codes = NearestInt8(127.0f / 3 * normal(random));
          break;
        case KeyFormat::kMxFp4:  // whose scale brings the largest of 32 to 4..6
          codes = NearestE2m1(2.4f * normal(random)) | NearestE2m1(2.4f * normal(random)) << 4;
          break;
        default:
          codes = NearestE4m3(448.0f / 3 * normal(random));
      }
    }
  }

  void Fill(std::byte* codes, size_t count) {
    for (size_t i = 0; i < count; i += kPerDraw) {
      uint64_t bits = random_.Next();
      for (size_t j = i; j < std::min(count, i + kPerDraw); ++j, bits /= kTable) {
        codes[j] = table_[bits % kTable];
      }
    }
  }

 private:
  static constexpr size_t kTable = 4096;
  static constexpr size_t kPerDraw = 5;  // of 12 bits

  static std::byte NearestInt8(float value) {
    return static_cast<std::byte>(std::lround(std::clamp(value, -127.0f, 127.0f)));
  }

  static std::byte NearestE4m3(float value) {
    return Nearest(value, 0x7f, 0x80, kernels::DecodeE4m3);
  }
  static std::byte NearestE2m1(float value) { return Nearest(value, 8, 8, kernels::DecodeE2m1); }

  // Of `codes` magnitudes.
  static std::byte Nearest(float value, int codes, int sign, float (*decode)(uint8_t)) {
    int nearest = 0;
    for (int code = 0; code < codes; ++code) {
      const auto distance = [&](int c) {
        return std::abs(std::abs(value) - decode(static_cast<uint8_t>(c)));
      };
      if (distance(code) < distance(nearest)) nearest = code;
    }
    return static_cast<std::byte>(nearest | (value < 0 ? sign : 0));
  }

  std::array<std::byte, kTable> table_;
  SplitMix random_{2};
};

// UE8M0 codes of blocks of a rotated key, whose largest values are about the same. Codes far from
// 127 would make products that are subnormal, which takes another path of the processor.
void FillBlockScales(SplitMix& random, std::byte* scales, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    scales[i] = static_cast<std::byte>(125 + random.Next() % 2);
  }
}

// Pages of keys, kept between benchmarks that want the same ones.
class Keys {
 public:
  Keys(KeyFormat format, uint32_t entries)
      : format_(format), memory_(entries / kPageEntries * kernels::KeyPageBytes(format, kDim)) {
    const size_t page_bytes = kernels::KeyPageBytes(format, kDim);
    if (format != KeyFormat::kBf16) MakeNormal(page_bytes);
    for (uint32_t first = 0; first < entries; first += kPageEntries) {
      pages_.push_back({.keys = memory_.data() + first / kPageEntries * page_bytes,
                        .first_position = first,
                        .entries = kPageEntries});
    }
  }

  static const Keys& Of(KeyFormat format, uint32_t entries) {
    static std::unique_ptr<Keys> kept;
    if (kept == nullptr || kept->format_ != format ||
        kept->pages_.size() * kPageEntries != entries) {
      kept.reset();
      kept = std::make_unique<Keys>(format, entries);
    }
    return *kept;
  }

  std::span<const kernels::KeyPage> pages() const { return pages_; }
  std::span<const std::byte> bytes() const { return memory_.bytes(); }

 private:
  void MakeNormal(size_t page_bytes) {
    const size_t code_bytes = kPageEntries * kernels::KeyCodeBytes(format_, kDim);
    NormalCodes normal(format_);
    SplitMix random{3};
    for (size_t at = 0; at < memory_.bytes().size(); at += page_bytes) {
      std::byte* const scales = memory_.data() + at + code_bytes;
      normal.Fill(memory_.data() + at, code_bytes);
      if (format_ == KeyFormat::kMxFp4) {
        FillBlockScales(random, scales, page_bytes - code_bytes);
        continue;
      }
      for (int i = 0; i < kPageEntries; ++i) {
        const float scale = ScaleOf(random.Next());
        std::memcpy(scales + i * sizeof scale, &scale, sizeof scale);
      }
    }
  }

  const KeyFormat format_;
  RandomMemory memory_;
  std::vector<kernels::KeyPage> pages_;
};

void ScoreTopK(benchmark::State& state, const Setup& setup, const Format& format, uint32_t entries,
               int rows) {
  const Keys& keys = Keys::Of(format.format, entries);
  const size_t query_bytes = kernels::QueryBytes(format.format, kDim);
  RandomMemory queries(rows * kHeads * query_bytes);
  if (format.format != KeyFormat::kBf16) {
    NormalCodes(format.format).Fill(queries.data(), rows * kHeads * query_bytes);
  }
  if (format.format == KeyFormat::kMxFp4) {
    const size_t codes = kernels::KeyCodeBytes(format.format, kDim);
    SplitMix random{4};
    for (int head = 0; head < rows * kHeads; ++head) {
      FillBlockScales(random, queries.data() + head * query_bytes + codes, query_bytes - codes);
    }
  }
  std::vector<float> weights(rows * kHeads);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = 0.5f + static_cast<float>(i % 7) / 8;
  const std::vector<uint32_t> visible(rows, entries);
  kernels::ScoreTopKResult result;
  const double seconds = MedianSeconds(state, [&] {
    setup.backend.ScoreTopK({.query = {.format = format.format,
                                       .rows = rows,
                                       .heads = kHeads,
                                       .dim = kDim,
                                       .queries = queries.bytes().data(),
                                       .weights = weights.data()},
                             .pages = keys.pages(),
                             .visible_entries = visible,
                             .k = kTopK,
                             .cancelled = nullptr},
                            setup.pool, &result);
  });
  const double read_seconds = kernels::MeasureReadSeconds(keys.bytes(), setup.pool);
  const Peak peak = MeasurePeak(format.operand, setup.pool);
  const double multiply_adds = double{1} * entries * kHeads * kDim * rows;
  const double compute_seconds = multiply_adds / peak.multiply_adds_per_second;
  ReportFloor(state, seconds, rows == 1 ? read_seconds : std::max(read_seconds, compute_seconds));
  state.counters["read_GB/s"] = static_cast<double>(keys.bytes().size()) / read_seconds / 1e9;
  state.counters["peak_GMAC/s"] = peak.multiply_adds_per_second / 1e9;
  state.counters["machine_ratio"] = seconds / std::max(read_seconds, compute_seconds);
  state.SetLabel(peak.unit);
}

}  // namespace

void RegisterScoreBenches(const Setup& setup) {
  const auto add = [&setup](const Format& format, uint32_t entries, int rows) {
    std::string name = "ScoreTopK/" + std::string(format.name) + "/" + std::to_string(entries);
    if (rows > 1) name += "/T" + std::to_string(rows);
    benchmark::RegisterBenchmark(name.c_str(),
                                 [&setup, &format, entries, rows](benchmark::State& state) {
                                   ScoreTopK(state, setup, format, entries, rows);
                                 })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  };
  constexpr uint32_t kMillion = 1 << 20;
  for (const Format& format : kFormats) {
    add(format, kMillion, 1);
    add(format, kMillion, 16);
  }
  add(kFormats[0], 16 * kMillion, 1);
}

}  // namespace winnow::bench
