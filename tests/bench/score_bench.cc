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

// Whether keys have one fp32 scale, and codes that the largest of their values uses in full.
bool IsScaledAsAWhole(KeyFormat format) {
  return format == KeyFormat::kFp8E4M3 || format == KeyFormat::kInt8;
}

// Codes of such a format, of values as a normal distribution gives them: what the quantisation of a
// key that was rotated leaves. How much of the keys a scan can leave out depends on it.
class NormalCodes {
 public:
  explicit NormalCodes(KeyFormat format) {
    std::mt19937 random(1);
    const float largest = format == KeyFormat::kInt8 ? 127 : 448;
    std::normal_distribution<float> normal(0, largest / 3);
    for (std::byte& code : table_) {
      const float value = normal(random);
      code = format == KeyFormat::kInt8 ? NearestInt8(value) : NearestE4m3(value);
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
  uint64_t Draw() { return random_.Next(); }

 private:
  static constexpr size_t kTable = 4096;
  static constexpr size_t kPerDraw = 5;  // of 12 bits

  static std::byte NearestInt8(float value) {
    return static_cast<std::byte>(std::lround(std::clamp(value, -127.0f, 127.0f)));
  }

  static std::byte NearestE4m3(float value) {
    int nearest = 0;
    for (int code = 0; code < 0x7f; ++code) {
      const auto distance = [&](int c) {
        return std::abs(std::abs(value) - kernels::DecodeE4m3(static_cast<uint8_t>(c)));
      };
      if (distance(code) < distance(nearest)) nearest = code;
    }
    return static_cast<std::byte>(nearest | (value < 0 ? 0x80 : 0));
  }

  std::array<std::byte, kTable> table_;
  SplitMix random_{2};
};

// UE8M0 codes of blocks whose largest values are between 2^-4 and 2^3, as a normalised key's are.
// Codes far from 127 make products that are subnormal, which takes another path of the processor.
void FillBlockScales(SplitMix& random, std::byte* scales, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    scales[i] = static_cast<std::byte>(121 + random.Next() % 8);
  }
}

// Pages of keys, kept between benchmarks that want the same ones.
class Keys {
 public:
  Keys(KeyFormat format, uint32_t entries)
      : format_(format), memory_(entries / kPageEntries * kernels::KeyPageBytes(format, kDim)) {
    const size_t page_bytes = kernels::KeyPageBytes(format, kDim);
    if (IsScaledAsAWhole(format)) MakeNormal(page_bytes);
    if (format == KeyFormat::kMxFp4) MakeBlockScales(page_bytes);
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
    constexpr size_t kCodes = size_t{kPageEntries} * kDim;
    NormalCodes normal(format_);
    for (size_t at = 0; at < memory_.bytes().size(); at += page_bytes) {
      std::byte* const page = memory_.data() + at;
      normal.Fill(page, kCodes);
      for (int i = 0; i < kPageEntries; ++i) {
        const float scale = ScaleOf(normal.Draw());
        std::memcpy(page + kCodes + i * sizeof scale, &scale, sizeof scale);
      }
    }
  }

  void MakeBlockScales(size_t page_bytes) {
    const size_t codes = kPageEntries * kernels::KeyCodeBytes(format_, kDim);
    SplitMix random{3};
    for (size_t at = 0; at < memory_.bytes().size(); at += page_bytes) {
      FillBlockScales(random, memory_.data() + at + codes, page_bytes - codes);
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
  if (IsScaledAsAWhole(format.format)) {
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
