#include "tests/faults/entry_bytes.h"

#include <algorithm>
#include <cstring>

#include "client/winnowctl/split_mix.h"

namespace winnow::testing {
namespace {

constexpr uint64_t kKeyPlane = 1;
constexpr uint64_t kRowPlane = 2;
constexpr uint64_t kFiniteFp8 = 0xf7f7f7f7f7f7f7f7;   // never all ones: no NaN
constexpr uint64_t kFiniteBf16 = 0xbfffbfffbfffbfff;  // exponents below the middle
constexpr uint32_t kOneHalf = 0x3f000000;             // fp32
constexpr uint32_t kMantissa = 0x007fffff;

uint64_t Mix(uint64_t x) { return SplitMix(x).Next(); }

void Fill(uint64_t state, uint64_t mask, size_t bytes, std::byte* to) {
  for (size_t i = 0; i < bytes; i += sizeof(state)) {
    state = Mix(state);
    const uint64_t word = state & mask;
    std::memcpy(to + i, &word, std::min(sizeof(word), bytes - i));
  }
}

uint64_t State(uint64_t stream, uint64_t plane, int layer, uint64_t position) {
  return Mix(Mix(Mix(stream) ^ (plane << 32 | static_cast<uint64_t>(layer))) ^ position);
}

}  // namespace

Content Content::ContinuedBy(uint64_t stream, uint64_t position) const {
  Content continued = *this;
  while (continued.pieces_.size() > 1 && continued.pieces_.back().first >= position) {
    continued.pieces_.pop_back();
  }
  if (position == 0) continued.pieces_.clear();
  continued.pieces_.push_back({position, stream});
  return continued;
}

uint64_t Content::StreamAt(uint64_t position) const {
  auto piece = pieces_.end();
  do --piece;
  while (piece->first > position);
  return piece->stream;
}

std::vector<std::byte> Content::Keys(const Profile& profile, int layer, uint64_t first,
                                     uint64_t count) const {
  if (!profile.has_index(layer)) return {};
  const size_t key_bytes = profile.key_bytes();
  const auto codes = static_cast<size_t>(profile.index_dim);
  std::vector<std::byte> keys(count * key_bytes);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t state = State(StreamAt(first + i), kKeyPlane, layer, first + i);
    Fill(state, kFiniteFp8, codes, &keys[i * key_bytes]);
    const uint32_t scale = kOneHalf | (static_cast<uint32_t>(state) & kMantissa);
    std::memcpy(&keys[i * key_bytes + codes], &scale, sizeof(scale));
  }
  return keys;
}

std::vector<std::byte> Content::Rows(const Profile& profile, int layer, uint64_t first,
                                     uint64_t count) const {
  const size_t row_bytes = profile.row_bytes();
  std::vector<std::byte> rows(count * row_bytes);
  for (uint64_t i = 0; i < count; ++i) {
    Fill(State(StreamAt(first + i), kRowPlane, layer, first + i), kFiniteBf16, row_bytes,
         &rows[i * row_bytes]);
  }
  return rows;
}

Profile FaultProfile(bool large_rows) {
  return {.name = large_rows ? "fault-large" : "fault-small",
          .key_format = kernels::KeyFormat::kFp8E4M3,
          .row_format = kernels::RowFormat::kBf16,
          .index_heads = 2,
          .index_dim = large_rows ? 128 : 32,
          .latent_dim = large_rows ? 512 : 32,
          .rope_dim = large_rows ? 64 : 16,
          .query_heads = 2,
          .top_k = 16384,
          .softmax_scale = 0.2f,
          .layers = {LayerKind::kOwn, LayerKind::kShared, LayerKind::kNone, LayerKind::kOwn}};
}

}  // namespace winnow::testing
