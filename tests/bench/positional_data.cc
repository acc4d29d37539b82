#include "tests/bench/positional_data.h"

#include <cstring>
#include <utility>

namespace winnow::bench {
namespace {

// Streams of keys and of rows.
enum class Kind : uint64_t { kKey = 1, kRow = 2 };

SplitMix StreamOf(Kind kind, int layer, uint32_t position) {
  const uint64_t place = static_cast<uint64_t>(kind) << 48 | static_cast<uint64_t>(layer) << 32;
  // Once through the generator, for streams whose seeds are near are alike.
  return SplitMix(SplitMix(place | position).Next());
}

void FillMasked(SplitMix& random, uint64_t keep, uint64_t set, std::byte* to, size_t bytes) {
  for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    const uint64_t word = (random.Next() & keep) | set;
    std::memcpy(to + at, &word, sizeof word);
  }
}

// 1 to 1.875 times `unit`, so that a scale which went astray is noticed.
void PutScale(uint64_t bits, float unit, std::byte* to) {
  const float scale = unit * (1 + static_cast<float>(bits & 7) / 8);
  std::memcpy(to, &scale, sizeof scale);
}

}  // namespace

std::shared_ptr<const Profile> DeepSeekProfile(int layers) {
  Profile profile = PresetProfile("deepseek-v3.2").value();
  profile.layers.assign(layers, LayerKind::kOwn);
  return std::make_shared<const Profile>(std::move(profile));
}

void FillE4m3(SplitMix& random, std::byte* codes, size_t bytes) {
  FillMasked(random, 0x9f9f9f9f9f9f9f9f, 0x2020202020202020, codes, bytes);
}

void FillBf16(SplitMix& random, std::byte* values, size_t bytes) {
  FillMasked(random, 0x83ff83ff83ff83ff, 0x3c003c003c003c00, values, bytes);
}

void PositionalData::Keys(int layer, uint32_t first, uint32_t count, std::byte* keys) const {
  for (uint32_t i = 0; i < count; ++i, keys += profile_->key_bytes()) {
    SplitMix random = StreamOf(Kind::kKey, layer, first + i);
    FillE4m3(random, keys, profile_->index_dim);
    PutScale(random.Next(), 1.0f / 64, keys + profile_->index_dim);
  }
}

void PositionalData::Rows(int layer, uint32_t first, uint32_t count, std::byte* rows) const {
  const int groups = profile_->latent_dim / kernels::kLatentScaleGroup;
  for (uint32_t i = 0; i < count; ++i, rows += profile_->row_bytes()) {
    SplitMix random = StreamOf(Kind::kRow, layer, first + i);
    FillE4m3(random, rows, profile_->latent_dim);
    std::byte* scales = rows + profile_->latent_dim;
    for (int group = 0; group < groups; ++group) {
      PutScale(random.Next(), 1.0f / 8, scales + group * sizeof(float));
    }
    FillBf16(random, scales + groups * sizeof(float), 2 * profile_->rope_dim);
  }
}

}  // namespace winnow::bench
