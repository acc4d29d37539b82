#include "tests/bench/tiers/oracle.h"

#include <algorithm>
#include <memory>

namespace winnow::bench {
namespace {

using kernels::kPageEntries;

constexpr uint32_t kChunkEntries = 1 << 14;
constexpr size_t kAlignment = 64;

// Pages of a chunk's keys, made again.
class KeyChunk {
 public:
  explicit KeyChunk(const PositionalData& data)
      : data_(data),
        page_bytes_(kernels::KeyPageBytes(data.profile().key_format, data.profile().index_dim)),
        keys_(kChunkEntries * data.profile().key_bytes()),
        memory_(kChunkEntries / kPageEntries * page_bytes_ + kAlignment) {}

  const std::vector<kernels::KeyPage>& Make(int layer, uint32_t first, uint32_t count) {
    const Profile& profile = data_.profile();
    data_.Keys(layer, first, count, keys_.data());
    void* place = memory_.data();
    size_t space = memory_.size();
    auto* page = static_cast<std::byte*>(std::align(kAlignment, space - kAlignment, place, space));
    pages_.clear();
    for (uint32_t at = 0; at < count; at += kPageEntries, page += page_bytes_) {
      const uint32_t entries = std::min<uint32_t>(kPageEntries, count - at);
      kernels::ArrangeKeys(profile.key_format, profile.index_dim,
                           keys_.data() + at * profile.key_bytes(), 0, static_cast<int>(entries),
                           page);
      pages_.push_back({.keys = page, .first_position = first + at, .entries = entries});
    }
    return pages_;
  }

 private:
  const PositionalData& data_;
  const size_t page_bytes_;
  std::vector<std::byte> keys_;
  std::vector<std::byte> memory_;
  std::vector<kernels::KeyPage> pages_;
};

}  // namespace

Oracle::Candidates Oracle::Selected(const QueryWalk& query, int layer, uint32_t entries) const {
  const Profile& profile = data_.profile();
  KeyChunk chunk(data_);
  Candidates best;
  for (uint32_t first = 0; first < entries; first += kChunkEntries) {
    const uint32_t count = std::min(kChunkEntries, entries - first);
    kernels::ScoreTopKResult scored;
    backend_.ScoreTopK({.query = {.format = profile.key_format,
                                  .rows = 1,
                                  .heads = profile.index_heads,
                                  .dim = profile.index_dim,
                                  .queries = query.index_queries().data(),
                                  .weights = query.weights().data()},
                        .pages = chunk.Make(layer, first, count),
                        .visible_entries = {&entries, 1},
                        .k = profile.top_k,
                        .cancelled = nullptr},
                       pool_, &scored);
    const std::span<const kernels::Candidate> lists[] = {best, scored.selected[0]};
    Candidates merged;
    kernels::MergeCandidates(lists, profile.top_k, &merged);
    best = std::move(merged);
  }
  return best;
}

std::vector<std::byte> Oracle::Rows(const Candidates& winners, int layer) const {
  const size_t row_bytes = data_.profile().row_bytes();
  std::vector<std::byte> rows(winners.size() * row_bytes);
  for (size_t i = 0; i < winners.size(); ++i) {
    data_.Rows(layer, winners[i].position, 1, &rows[i * row_bytes]);
  }
  return rows;
}

std::vector<float> Oracle::Attended(const QueryWalk& query, std::span<const std::byte> rows) const {
  const Profile& profile = data_.profile();
  std::vector<const std::byte*> places;
  for (size_t at = 0; at < rows.size(); at += profile.row_bytes()) places.push_back(&rows[at]);
  std::vector<float> outputs(profile.query_heads * profile.latent_dim);
  std::vector<float> lse(profile.query_heads);
  backend_.SparseAttention({.format = profile.row_format,
                            .heads = profile.query_heads,
                            .latent_dim = profile.latent_dim,
                            .rope_dim = profile.rope_dim,
                            .softmax_scale = profile.softmax_scale,
                            .queries = query.queries().data(),
                            .rows = places.data(),
                            .row_count = static_cast<int>(places.size()),
                            .outputs = outputs.data(),
                            .lse = lse.data()},
                           pool_);
  return outputs;
}

}  // namespace winnow::bench
