#include "tests/kernels/random_data.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace winnow::kernels {

uint64_t TestSeed() {
  static const uint64_t seed = [] {
    const char* given = std::getenv("WINNOW_TEST_SEED");
    const uint64_t value =
        given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()() & 0xffffffff;
    std::printf("WINNOW_TEST_SEED=%llu\n", static_cast<unsigned long long>(value));
    return value;
  }();
  return seed;
}

void PutFloat(float value, std::byte* to) { std::memcpy(to, &value, sizeof value); }

void PutBf16(float value, std::byte* to) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const auto rounded = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  std::memcpy(to, &rounded, sizeof rounded);
}

std::vector<float> RandomData::Floats(int count, float min, float max) {
  std::vector<float> values(count);
  for (float& value : values) value = Float(min, max);
  return values;
}

std::vector<std::byte> RandomData::Bf16(int count) {
  std::normal_distribution<float> normal;
  std::vector<std::byte> values(size_t{2} * count);
  for (int i = 0; i < count; ++i) PutBf16(normal(random_), &values[size_t{2} * i]);
  return values;
}

std::byte RandomData::FiniteCode(KeyFormat format, int index_in_key, int dim) {
  const auto code = static_cast<uint8_t>(Int(0, 255));
  if (format == KeyFormat::kFp8E4M3) {
    return static_cast<std::byte>((code & 0x7f) == 0x7f ? code & 0xfe : code);
  }
  if (format == KeyFormat::kMxFp4 && index_in_key >= dim / 2) {
    return static_cast<std::byte>(120 + code % 12);
  }
  return static_cast<std::byte>(code);
}

std::vector<std::byte> RandomData::Queries(KeyFormat format, int dim, int count) {
  if (format == KeyFormat::kBf16) return Bf16(count * dim);
  const size_t bytes = QueryBytes(format, dim);
  std::vector<std::byte> queries(bytes * count);
  for (size_t i = 0; i < queries.size(); ++i) {
    queries[i] = FiniteCode(format, static_cast<int>(i % bytes), dim);
  }
  return queries;
}

std::vector<std::byte> RandomData::Keys(KeyFormat format, int dim, int count) {
  const size_t key_bytes = KeyBytes(format, dim);
  const size_t query_bytes = QueryBytes(format, dim);
  const std::vector<std::byte> codes = Queries(format, dim, count);
  std::vector<std::byte> keys(key_bytes * count);
  for (int i = 0; i < count; ++i) {
    std::memcpy(&keys[i * key_bytes], &codes[i * query_bytes], query_bytes);
    if (key_bytes > query_bytes) {
      PutFloat(Float(0.001f, 2.0f), &keys[i * key_bytes + query_bytes]);
    }
  }
  return keys;
}

std::vector<std::byte> RandomData::Rows(RowFormat format, int latent_dim, int rope_dim, int count) {
  if (format == RowFormat::kBf16) return Bf16(count * (latent_dim + rope_dim));
  const size_t row_bytes = RowBytes(format, latent_dim, rope_dim);
  std::vector<std::byte> rows(row_bytes * count);
  for (int i = 0; i < count; ++i) {
    std::byte* row = &rows[i * row_bytes];
    for (int d = 0; d < latent_dim; ++d) row[d] = FiniteCode(KeyFormat::kFp8E4M3, d, latent_dim);
    std::byte* scale = row + latent_dim;
    for (int g = 0; g < latent_dim / kLatentScaleGroup; ++g) {
      PutFloat(Float(0.001f, 0.02f), scale + g * sizeof(float));
    }
    const std::vector<std::byte> rope = Bf16(rope_dim);
    if (rope_dim > 0) {
      std::memcpy(scale + latent_dim / kLatentScaleGroup * sizeof(float), rope.data(), rope.size());
    }
  }
  return rows;
}

PagedKeys::PagedKeys(KeyFormat format, int dim, const std::vector<std::byte>& keys)
    : page_bytes_(KeyPageBytes(format, dim)),
      entries_(keys.size() / KeyBytes(format, dim)),
      pages_((entries_ + kPageEntries - 1) / kPageEntries),
      memory_(pages_ * page_bytes_ + 64, std::byte{0xff}) {
  base_ = memory_.data() + (64 - reinterpret_cast<uintptr_t>(memory_.data()) % 64) % 64;
  for (size_t first = 0; first < entries_; first += kPageEntries) {
    const size_t count = std::min<size_t>(kPageEntries, entries_ - first);
    ArrangeKeys(format, dim, &keys[first * KeyBytes(format, dim)], 0, static_cast<int>(count),
                base_ + first / kPageEntries * page_bytes_);
  }
}

}  // namespace winnow::kernels
