#include "client/winnowctl/demo/induction_profile.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace winnow::ctl {
namespace {

constexpr int kIndexBlock = 32;
constexpr int kContextBlock = 64;
constexpr int kIndexDim = kIndexBlock * kOrders.size();
constexpr int kBytes = 256;
constexpr int kLatentDim = kBytes + kContextBlock * kOrders.size();
constexpr int kRopeDim = 64;
constexpr int kTopK = 2048;

constexpr std::byte kE4m3PlusOne{0x38};
constexpr std::byte kE4m3MinusOne{0xb8};
constexpr uint16_t kBf16PlusOne = 0x3f80;
constexpr uint16_t kBf16MinusOne = 0xbf80;

static_assert(std::endian::native == std::endian::little);

void PutOne(std::byte* to) {
  const float one = 1;
  std::memcpy(to, &one, sizeof one);
}

template <typename Word>
void PutSigns(Word word, std::byte* to) {
  for (size_t bit = 0; bit < 8 * sizeof(Word); ++bit) {
    to[bit] = (word >> bit & 1) != 0 ? kE4m3PlusOne : kE4m3MinusOne;
  }
}

void EncodeRow(const SuffixCodes& codes, uint8_t next_byte, std::byte* row) {
  std::memset(row, 0, kBytes);
  row[next_byte] = kE4m3PlusOne;
  for (size_t i = 0; i < kOrders.size(); ++i) {
    PutSigns(codes.context[i], row + kBytes + i * kContextBlock);
  }
  std::byte* scales = row + kLatentDim;
  constexpr int kScales = kLatentDim / kernels::kLatentScaleGroup;
  for (int g = 0; g < kScales; ++g) PutOne(scales + g * sizeof(float));
  std::memset(scales + kScales * sizeof(float), 0, kRopeDim * sizeof(uint16_t));
}

}  // namespace

Profile InductionProfile() {
  return {.name = "demo-induction-head",
          .key_format = kernels::KeyFormat::kFp8E4M3,
          .row_format = kernels::RowFormat::kFp8FlashMla,
          .index_heads = kOrders.size(),
          .index_dim = kIndexDim,
          .latent_dim = kLatentDim,
          .rope_dim = kRopeDim,
          .query_heads = 1,
          .top_k = kTopK,
          // An entry that misses one order loses half of 128 in its logit, give or take some.
          .softmax_scale = 0.5f,
          .layers = {LayerKind::kOwn}};
}

void EncodeIndexKey(const SuffixCodes& codes, std::byte* key) {
  for (size_t i = 0; i < kOrders.size(); ++i) PutSigns(codes.index[i], key + i * kIndexBlock);
  PutOne(key + kIndexDim);
}

void InductionEntries::Clear() {
  count_ = 0;
  keys_.clear();
  rows_.clear();
}

void InductionEntries::Add(const SuffixCodes& codes, uint8_t next_byte) {
  static const Profile profile = InductionProfile();
  keys_.resize(keys_.size() + profile.key_bytes());
  rows_.resize(rows_.size() + profile.row_bytes());
  EncodeIndexKey(codes, &keys_[keys_.size() - profile.key_bytes()]);
  EncodeRow(codes, next_byte, &rows_[rows_.size() - profile.row_bytes()]);
  ++count_;
}

std::vector<client::LayerEntries> InductionEntries::Layers() const {
  return {{.layer = 0, .index_keys = keys_, .kv_rows = rows_}};
}

InductionQuery::InductionQuery(const SuffixCodes& codes)
    : index_queries_(kOrders.size() * kIndexDim),
      weights_(kOrderWeights.begin(), kOrderWeights.end()),
      queries_((kLatentDim + kRopeDim) * sizeof(uint16_t)) {
  for (size_t i = 0; i < kOrders.size(); ++i) {
    PutSigns(codes.index[i], &index_queries_[i * kIndexDim + i * kIndexBlock]);
    for (int bit = 0; bit < kContextBlock; ++bit) {
      const uint16_t sign = (codes.context[i] >> bit & 1) != 0 ? kBf16PlusOne : kBf16MinusOne;
      const size_t dim = kBytes + i * kContextBlock + static_cast<size_t>(bit);
      std::memcpy(&queries_[dim * sizeof sign], &sign, sizeof sign);
    }
  }
}

client::AttendRequest InductionQuery::Request(uint64_t visible_entries) const {
  return {.layer = 0,
          .source = client::IndexQuery{.queries = index_queries_,
                                       .weights = weights_,
                                       .visible_entries = {visible_entries}},
          .queries = queries_,
          .return_selection = true};
}

uint8_t PredictedByte(std::span<const float> output) {
  const auto bytes = output.first(kBytes);
  return static_cast<uint8_t>(std::max_element(bytes.begin(), bytes.end()) - bytes.begin());
}

}  // namespace winnow::ctl
