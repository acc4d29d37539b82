#include "storage/profile.h"

#include <xxhash.h>

#include <cmath>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/error.h"

namespace winnow {
namespace {

constexpr size_t kMaxNameLength = 64;
constexpr int kDimMultiple = 32;
constexpr int kMinLatentDim = 32;
constexpr int kRopeMultiple = 16;

bool IsName(const std::string& text) {
  if (text.empty() || text.size() > kMaxNameLength) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

absl::Status CheckRange(const char* field, int value, int min, int max, int multiple) {
  if (value >= min && value <= max && value % multiple == 0) return absl::OkStatus();
  const std::string limit = multiple == 1
                                ? absl::StrCat("in ", min, "..", max)
                                : absl::StrCat("a multiple of ", multiple, " in ", min, "..", max);
  return InvalidField(field, absl::StrCat(value), limit);
}

absl::Status CheckDims(const Profile& p) {
  const bool flash_mla = p.row_format == kernels::RowFormat::kFp8FlashMla;
  const int latent_multiple = flash_mla ? kernels::kLatentScaleGroup : kDimMultiple;
  const int min_latent = flash_mla ? kernels::kLatentScaleGroup : kMinLatentDim;
  for (const absl::Status& status :
       {CheckRange("index_heads", p.index_heads, 1, kernels::kMaxIndexHeads, 1),
        CheckRange("index_dim", p.index_dim, kernels::kMinIndexDim, kernels::kMaxIndexDim,
                   kDimMultiple),
        CheckRange("latent_dim", p.latent_dim, min_latent, kernels::kMaxLatentDim, latent_multiple),
        CheckRange("rope_dim", p.rope_dim, 0, kernels::kMaxRopeDim, kRopeMultiple),
        CheckRange("query_heads", p.query_heads, 1, kernels::kMaxQueryHeads, 1),
        CheckRange("top_k", p.top_k, 1, kernels::kMaxTopK, 1)}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckLayers(const Profile& p) {
  if (p.layers.empty() || p.layers.size() > kMaxLayers) {
    return InvalidField("layers", absl::StrCat(p.layers.size(), " layers"),
                        absl::StrCat("1..", kMaxLayers, " layers"));
  }
  bool seen_own = false;
  for (size_t i = 0; i < p.layers.size(); ++i) {
    const LayerKind kind = p.layers[i];
    if (kind < LayerKind::kNone || kind > LayerKind::kShared) {
      return InvalidField(absl::StrCat("layers[", i, "]"), absl::StrCat(static_cast<int>(kind)),
                          "NONE (1), OWN (2) or SHARED (3)");
    }
    if (kind == LayerKind::kShared && !seen_own) {
      return InvalidField(absl::StrCat("layers[", i, "]"), "SHARED",
                          "preceded by an OWN layer whose selection it shares");
    }
    seen_own |= kind == LayerKind::kOwn;
  }
  if (!seen_own) return InvalidField("layers", "without an OWN layer", "with at least one");
  return absl::OkStatus();
}

void PutU32(uint32_t value, std::string* out) {
  for (int i = 0; i < 4; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

}  // namespace

absl::Status ValidateProfile(const Profile& p) {
  if (!IsName(p.name)) {
    // As much as an error has room for.
    const std::string rest = p.name.size() <= kMaxNameLength ? "" : "...";
    return InvalidField("name", absl::StrCat("'", p.name.substr(0, kMaxNameLength), rest, "'"),
                        "1..64 characters of [A-Za-z0-9._-]");
  }
  if (p.key_format < kernels::KeyFormat::kFp8E4M3 || p.key_format > kernels::KeyFormat::kInt8) {
    return InvalidField("index_key_format", absl::StrCat(static_cast<int>(p.key_format)),
                        "FP8_E4M3 (1), MXFP4 (2), BF16 (3) or INT8 (4)");
  }
  if (p.row_format != kernels::RowFormat::kBf16 &&
      p.row_format != kernels::RowFormat::kFp8FlashMla) {
    return InvalidField("kv_row_format", absl::StrCat(static_cast<int>(p.row_format)),
                        "BF16 (1) or FP8_FLASHMLA (2)");
  }
  if (absl::Status status = CheckDims(p); !status.ok()) return status;
  if (!(p.softmax_scale > 0) || !std::isfinite(p.softmax_scale)) {
    return InvalidField("softmax_scale", absl::StrCat(p.softmax_scale), "finite and above zero");
  }
  return CheckLayers(p);
}

// The encoding that is hashed, version 1, numbers little-endian u32 unless said otherwise:
//   "winnow-profile" 0x01
//   length of name, name
//   key format, row format, index_heads, index_dim, latent_dim, rope_dim, query_heads, top_k
//   softmax_scale as fp32 bits
//   number of layers, then one byte for each layer's kind
std::string Fingerprint(const Profile& p) {
  std::string bytes = "winnow-profile\x01";
  PutU32(static_cast<uint32_t>(p.name.size()), &bytes);
  bytes += p.name;
  PutU32(static_cast<uint32_t>(p.key_format), &bytes);
  PutU32(static_cast<uint32_t>(p.row_format), &bytes);
  for (const int value :
       {p.index_heads, p.index_dim, p.latent_dim, p.rope_dim, p.query_heads, p.top_k}) {
    PutU32(static_cast<uint32_t>(value), &bytes);
  }
  uint32_t scale_bits = 0;
  std::memcpy(&scale_bits, &p.softmax_scale, sizeof scale_bits);
  PutU32(scale_bits, &bytes);
  PutU32(static_cast<uint32_t>(p.layers.size()), &bytes);
  for (const LayerKind kind : p.layers) bytes.push_back(static_cast<char>(kind));
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

}  // namespace winnow
