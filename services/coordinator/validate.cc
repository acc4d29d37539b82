#include "services/coordinator/validate.h"

#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "kernels/layout.h"
#include "storage/context_id.h"
#include "storage/error.h"

namespace winnow::coordinator {
namespace {

absl::Status NotFinite(const std::string& where) {
  return Error(absl::StatusCode::kInvalidArgument, "NOT_FINITE",
               absl::StrCat(where, " holds a NaN or an infinity"), {{"field", where}});
}

absl::Status CheckBytes(const std::string& field, size_t bytes, uint64_t count, size_t each) {
  // Both factors are bounded far below 2^32 before this is called.
  if (bytes == count * each) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(bytes, " bytes"),
                      absl::StrCat(count * each, " bytes: ", count, " of ", each));
}

absl::Status CheckLayerNumber(const Profile& profile, int64_t layer) {
  if (layer >= 0 && layer < static_cast<int64_t>(profile.layers.size())) return absl::OkStatus();
  return InvalidField("layer", absl::StrCat(layer),
                      absl::StrCat("below the profile's ", profile.layers.size(), " layers"));
}

absl::Status CheckLayerBytes(const Profile& profile, const LayerBytes& layer, uint32_t count) {
  if (absl::Status status = CheckLayerNumber(profile, layer.layer); !status.ok()) return status;
  if (!profile.stores(layer.layer)) {
    return InvalidField("layer", absl::StrCat(layer.layer), "one that the profile stores");
  }
  const std::string of_layer = absl::StrCat(" of layer ", layer.layer);
  const bool has_index = profile.has_index(layer.layer);
  if (absl::Status status = CheckBytes("index_keys" + of_layer, layer.index_keys.size(), count,
                                       has_index ? profile.key_bytes() : 0);
      !status.ok()) {
    return status;
  }
  if (absl::Status status =
          CheckBytes("kv_rows" + of_layer, layer.kv_rows.size(), count, profile.row_bytes());
      !status.ok()) {
    return status;
  }
  if (has_index) {
    const int64_t bad =
        kernels::FirstNonFiniteKey(profile.key_format, profile.index_dim, layer.index_keys);
    if (bad >= 0) return NotFinite(absl::StrCat("index key ", bad, of_layer));
  }
  const int64_t bad = kernels::FirstNonFiniteRow(profile.row_format, profile.latent_dim,
                                                 profile.rope_dim, layer.kv_rows);
  return bad >= 0 ? NotFinite(absl::StrCat("KV row ", bad, of_layer)) : absl::OkStatus();
}

}  // namespace

absl::Status ValidateName(const std::string& field, const std::string& value) {
  if (IsName(value)) return absl::OkStatus();
  // As much as tells which one it is; an error has to fit into a reply's trailer.
  const std::string shown = absl::CHexEscape(value.substr(0, kMaxNameLength));
  const std::string rest =
      value.size() <= kMaxNameLength ? "" : absl::StrCat("... (", value.size(), " characters)");
  return InvalidField(field, absl::StrCat("'", shown, "'", rest),
                      "1..64 characters of [A-Za-z0-9._-], not . or ..");
}

absl::Status ValidateContextName(const ContextName& name) {
  if (absl::Status status = ValidateName("tenant", name.tenant); !status.ok()) return status;
  return ValidateName("context_id", name.context_id);
}

absl::Status ValidateAppendBounds(const AppendEntries& append) {
  if (append.count < 1 || append.count > kMaxAppendCount) {
    return InvalidField("count", absl::StrCat(append.count), absl::StrCat("1..", kMaxAppendCount));
  }
  if (append.start_position > kMaxEntries - append.count) {
    return InvalidField(
        "start_position", absl::StrCat(append.start_position),
        absl::StrCat("at most ", kMaxEntries - append.count, " for ", append.count, " entries"));
  }
  if (append.layers.empty()) return InvalidField("layers", "empty", "at least one layer");
  if (append.layers.size() > kMaxLayers) {
    return InvalidField("layers", absl::StrCat(append.layers.size()),
                        absl::StrCat("at most ", kMaxLayers));
  }
  for (size_t i = 0; i < append.layers.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (append.layers[i].layer == append.layers[j].layer) {
        return InvalidField("layers", absl::StrCat("layer ", append.layers[i].layer, " twice"),
                            "each layer at most once");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateAppendBytes(const Profile& profile, const AppendEntries& append) {
  for (const LayerBytes& layer : append.layers) {
    absl::Status status = CheckLayerBytes(profile, layer, append.count);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ValidateIndexQuery(const Profile& profile, uint32_t layer, const IndexQuery& query) {
  if (absl::Status status = CheckLayerNumber(profile, layer); !status.ok()) return status;
  if (!profile.has_index(static_cast<int>(layer))) {
    return InvalidField("layer", absl::StrCat(layer),
                        "one with its own index; others attend by an earlier selection_id");
  }
  const size_t rows = query.visible_entries.size();
  if (rows < 1 || rows > kernels::kMaxQueryRows) {
    return InvalidField("visible_entries", absl::StrCat(rows, " query rows"),
                        absl::StrCat("1..", kernels::kMaxQueryRows, " query rows"));
  }
  for (const uint64_t visible : query.visible_entries) {
    if (visible < 1 || visible > kMaxEntries) {
      return InvalidField("visible_entries", absl::StrCat(visible),
                          absl::StrCat("1..", kMaxEntries));
    }
  }
  if (query.top_k > static_cast<uint32_t>(profile.top_k)) {
    return InvalidField("top_k", absl::StrCat(query.top_k),
                        absl::StrCat("1..", profile.top_k, ", or 0 for the profile's"));
  }
  const uint64_t heads = rows * profile.index_heads;
  const size_t query_bytes = kernels::QueryBytes(profile.key_format, profile.index_dim);
  if (absl::Status status =
          CheckBytes("index_query.queries", query.queries.size(), heads, query_bytes);
      !status.ok()) {
    return status;
  }
  if (absl::Status status =
          CheckBytes("index_query.weights", query.weights.size(), heads, sizeof(float));
      !status.ok()) {
    return status;
  }
  if (kernels::FirstNonFiniteQuery(profile.key_format, profile.index_dim, query.queries) >= 0) {
    return NotFinite("index_query.queries");
  }
  if (kernels::FirstNonFiniteFp32(query.weights) >= 0) return NotFinite("index_query.weights");
  return absl::OkStatus();
}

absl::Status ValidateStoredLayer(const Profile& profile, uint32_t layer) {
  if (absl::Status status = CheckLayerNumber(profile, layer); !status.ok()) return status;
  if (profile.stores(static_cast<int>(layer))) return absl::OkStatus();
  return InvalidField("layer", absl::StrCat(layer), "one that the profile stores");
}

absl::Status ValidateAttention(const Profile& profile, const AttendQuery& query,
                               uint32_t* query_rows) {
  const size_t row_bytes = profile.query_heads * profile.attend_query_bytes();
  const size_t rows = query.queries.size() / row_bytes;
  if (query.queries.size() % row_bytes != 0 || rows < 1 || rows > kernels::kMaxQueryRows) {
    return InvalidField(
        "queries", absl::StrCat(query.queries.size(), " bytes"),
        absl::StrCat("1..", kernels::kMaxQueryRows, " query rows of ", row_bytes, " bytes"));
  }
  if (const auto* index_query = std::get_if<IndexQuery>(&query.source);
      index_query != nullptr && index_query->visible_entries.size() != rows) {
    return InvalidField(
        "queries", absl::StrCat(rows, " query rows"),
        absl::StrCat("as many as visible_entries has: ", index_query->visible_entries.size()));
  }
  if (kernels::FirstNonFiniteBf16(query.queries) >= 0) return NotFinite("queries");
  if (!query.sink.empty()) {
    if (absl::Status status =
            CheckBytes("sink", query.sink.size(), profile.query_heads, sizeof(float));
        !status.ok()) {
      return status;
    }
    if (kernels::FirstNonFiniteFp32(query.sink) >= 0) return NotFinite("sink");
  }
  *query_rows = static_cast<uint32_t>(rows);
  return absl::OkStatus();
}

}  // namespace winnow::coordinator
