#include "client/winnowctl/synthetic.h"

#include <algorithm>
#include <cstring>

#include "client/winnowctl/progress.h"
#include "client/winnowctl/split_mix.h"
#include "storage/stripe.h"
#include "winnow/context.h"

namespace winnow::ctl {
namespace {

// Bytes of one append; well below the server's limit.
constexpr uint64_t kAppendBytes = uint64_t{8} << 20;

void FillRandom(SplitMix& random, std::byte* to, size_t bytes) {
  size_t at = 0;
  for (; at + 8 <= bytes; at += 8) {
    const uint64_t value = random.Next();
    std::memcpy(to + at, &value, 8);
  }
  const uint64_t value = random.Next();
  std::memcpy(to + at, &value, bytes - at);
}

// Random bits made finite and of moderate size by clearing or setting a few of them.
void MakeE4m3(std::byte* codes, size_t count) {
  // Exponents 4..7: magnitudes 0.125..1.875.
  for (size_t i = 0; i < count; ++i) codes[i] = (codes[i] & std::byte{0x9f}) | std::byte{0x20};
}

void MakeBf16(std::byte* values, size_t count) {
  // Exponents 120..127: magnitudes 2^-7..2.
  for (size_t i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, values + 2 * i, 2);
    bits = static_cast<uint16_t>((bits & 0x83ff) | 0x3c00);
    std::memcpy(values + 2 * i, &bits, 2);
  }
}

void PutFloat(float value, std::byte* to) { std::memcpy(to, &value, sizeof value); }

// One key or query head at `to`, over random bytes.
void MakeCodes(kernels::KeyFormat format, int dim, std::byte* to) {
  switch (format) {
    case kernels::KeyFormat::kFp8E4M3:
      return MakeE4m3(to, dim);
    case kernels::KeyFormat::kBf16:
      return MakeBf16(to, dim);
    case kernels::KeyFormat::kMxFp4:
      std::memset(to + dim / 2, 127, dim / 32);  // scales of one
      return;
    case kernels::KeyFormat::kInt8:
      return;
  }
}

void MakeKeys(const Profile& p, std::vector<std::byte>* keys) {
  const size_t query_bytes = kernels::QueryBytes(p.key_format, p.index_dim);
  for (size_t at = 0; at < keys->size(); at += p.key_bytes()) {
    std::byte* key = keys->data() + at;
    MakeCodes(p.key_format, p.index_dim, key);
    if (p.key_bytes() > query_bytes) PutFloat(1.0f / 64, key + query_bytes);
  }
}

void MakeRows(const Profile& p, std::vector<std::byte>* rows) {
  if (p.row_format == kernels::RowFormat::kBf16) return MakeBf16(rows->data(), rows->size() / 2);
  const int groups = p.latent_dim / kernels::kLatentScaleGroup;
  for (size_t at = 0; at < rows->size(); at += p.row_bytes()) {
    std::byte* row = rows->data() + at;
    MakeE4m3(row, p.latent_dim);
    std::byte* scales = row + p.latent_dim;
    for (int g = 0; g < groups; ++g) PutFloat(1.0f / 8, scales + g * sizeof(float));
    MakeBf16(scales + groups * sizeof(float), p.rope_dim);
  }
}

}  // namespace

Synthetic::Synthetic(const Profile& profile, uint64_t seed) : profile_(profile), seed_(seed) {}

const std::vector<client::LayerEntries>& Synthetic::Entries(uint64_t start, uint32_t count) {
  const size_t key_bytes = profile_.key_bytes();
  const size_t row_bytes = profile_.row_bytes();
  keys_.resize(count * key_bytes);
  rows_.resize(count * row_bytes);
  for (uint32_t i = 0; i < count; ++i) {
    SplitMix random(seed_ * 0x9e3779b97f4a7c15 + (start + i) * 1024);
    FillRandom(random, &keys_[i * key_bytes], key_bytes);
    FillRandom(random, &rows_[i * row_bytes], row_bytes);
  }
  MakeKeys(profile_, &keys_);
  MakeRows(profile_, &rows_);
  layers_.clear();
  for (size_t i = 0; i < profile_.layers.size(); ++i) {
    const auto layer = static_cast<int>(i);
    if (!profile_.stores(layer)) continue;
    client::LayerEntries entries{.layer = layer, .kv_rows = rows_};
    if (profile_.has_index(layer)) entries.index_keys = keys_;
    layers_.push_back(entries);
  }
  return layers_;
}

client::AttendRequest Synthetic::Query(int layer, uint64_t visible, uint32_t rows,
                                       uint64_t number) {
  const size_t head_bytes = kernels::QueryBytes(profile_.key_format, profile_.index_dim);
  SplitMix random(~seed_ + number * 7919);
  index_queries_.resize(rows * profile_.index_heads * head_bytes);
  FillRandom(random, index_queries_.data(), index_queries_.size());
  for (size_t at = 0; at < index_queries_.size(); at += head_bytes) {
    MakeCodes(profile_.key_format, profile_.index_dim, &index_queries_[at]);
  }
  queries_.resize(rows * profile_.query_heads * profile_.attend_query_bytes());
  FillRandom(random, queries_.data(), queries_.size());
  MakeBf16(queries_.data(), queries_.size() / 2);
  weights_.resize(size_t{rows} * profile_.index_heads);
  for (float& weight : weights_) {
    weight = static_cast<float>(random.Next() >> 40) / (1 << 24) - 0.25f;
  }
  return {.layer = layer,
          .source = client::IndexQuery{.queries = index_queries_,
                                       .weights = weights_,
                                       .visible_entries = std::vector<uint64_t>(rows, visible)},
          .queries = queries_};
}

absl::Status FillContext(const client::Context& context, uint64_t* at, uint64_t to, uint64_t seed,
                         const Between& between) {
  const Profile& profile = context.profile();
  uint64_t entry_bytes = 0;
  for (size_t i = 0; i < profile.layers.size(); ++i) {
    const auto layer = static_cast<int>(i);
    if (profile.stores(layer)) entry_bytes += profile.row_bytes();
    if (profile.has_index(layer)) entry_bytes += profile.key_bytes();
  }
  // Up to a stripe's end, so that an append is one shard's.
  const uint64_t most = std::clamp<uint64_t>(kAppendBytes / entry_bytes, 1, kStripeEntries);
  Synthetic synthetic(profile, seed);
  const uint64_t from = *at;
  Progress progress("appending", to - from);
  while (*at < to) {
    if (absl::Status status = between ? between() : absl::OkStatus(); !status.ok()) return status;
    const uint64_t to_stripe_end = kStripeEntries - *at % kStripeEntries;
    const auto count = static_cast<uint32_t>(std::min({most, to_stripe_end, to - *at}));
    absl::StatusOr<client::AppendResult> result =
        context.Append(*at, count, synthetic.Entries(*at, count));
    if (!result.ok()) return result.status();
    *at += count;
    progress.Update(*at - from);
  }
  return absl::OkStatus();
}

}  // namespace winnow::ctl
