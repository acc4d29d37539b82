#include "storage/snapshot_manifest.h"

#include <xxhash.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/error.h"

namespace winnow {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr char kFormat[] = "winnow-snapshot";
constexpr size_t kMaxManifestBytes = size_t{64} << 20;
constexpr size_t kHashCharacters = 32;

std::string UnfinishedPath(const std::string& directory) { return directory + "/unfinished.json"; }

std::string Hex(const FileHash& hash) { return absl::StrFormat("%016x%016x", hash.high, hash.low); }

std::string HexHashOf(const std::string& text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return Hex({.high = hash.high64, .low = hash.low64});
}

bool ParseHex(const std::string& text, FileHash* hash) {
  return text.size() == kHashCharacters && absl::SimpleHexAtoi(text.substr(0, 16), &hash->high) &&
         absl::SimpleHexAtoi(text.substr(16), &hash->low);
}

std::string Encode(const SnapshotManifest& manifest) {
  json parts = json::array();
  for (const SnapshotPart& part : manifest.parts) {
    parts.push_back({{"first_stripe", part.first_stripe},
                     {"stripes", part.stripes},
                     {"bytes", part.seal.bytes},
                     {"xxh3_128", Hex(part.seal.hash)}});
  }
  const std::string line = json{
      {"format", kFormat},
      {"version", kVersion},
      {"name", manifest.name},
      {"record", absl::BytesToHexString(EncodeContextRecord(manifest.record))},
      {"entries", manifest.entries},
      {"shards", manifest.shards},
      {"parts", parts}}.dump();
  return absl::StrCat(line, "\n", HexHashOf(line), "\n");
}

absl::Status Corrupt(const std::string& path, const std::string& what) {
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_SNAPSHOT", absl::StrCat(path, ": ", what),
               {{"file", path}});
}

// False if a field is missing or of another type.
bool DecodePart(const json& fields, SnapshotPart* part) {
  if (!fields.is_object()) return false;
  const auto number = [&fields](const char* name, auto* value) {
    const auto it = fields.find(name);
    if (it == fields.end() || !it->is_number_unsigned()) return false;
    *value = it->get<std::remove_pointer_t<decltype(value)>>();
    return true;
  };
  const auto hash = fields.find("xxh3_128");
  return number("first_stripe", &part->first_stripe) && number("stripes", &part->stripes) &&
         number("bytes", &part->seal.bytes) && hash != fields.end() && hash->is_string() &&
         ParseHex(hash->get<std::string>(), &part->seal.hash);
}

absl::StatusOr<SnapshotManifest> DecodeFields(const std::string& path, const json& fields) {
  SnapshotManifest manifest;
  for (const char* name : {"entries", "shards"}) {
    if (!fields.contains(name) || !fields[name].is_number_unsigned()) {
      return Corrupt(path, absl::StrCat("it has no number '", name, "'"));
    }
  }
  if (!fields.contains("record") || !fields["record"].is_string() || !fields.contains("parts") ||
      !fields["parts"].is_array()) {
    return Corrupt(path, "it has no record or no parts");
  }
  // Winnow did not always write it.
  if (const auto name = fields.find("name"); name != fields.end() && name->is_string()) {
    manifest.name = name->get<std::string>();
  }
  manifest.entries = fields["entries"].get<uint64_t>();
  manifest.shards = fields["shards"].get<uint32_t>();
  absl::StatusOr<ContextRecord> record =
      DecodeContextRecord(absl::HexStringToBytes(fields["record"].get<std::string>()));
  if (!record.ok()) return record.status();
  // Later sizes are computed of it.
  if (const absl::Status status = ValidateProfile(record->profile); !status.ok()) {
    return Corrupt(path, absl::StrCat("its profile is not sound: ", status.message()));
  }
  manifest.record = *std::move(record);
  for (const json& fields_of_part : fields["parts"]) {
    if (!DecodePart(fields_of_part, &manifest.parts.emplace_back())) {
      return Corrupt(path, "a part of it has no place, size or checksum");
    }
  }
  return manifest;
}

absl::StatusOr<SnapshotManifest> ReadFrom(const std::string& path) {
  absl::StatusOr<std::string> text = ReadSmallFile(path, kMaxManifestBytes);
  if (!text.ok()) return text.status();
  const size_t line_end = text->find('\n');
  const std::string line = text->substr(0, line_end);
  if (line_end == std::string::npos ||
      text->substr(line_end) != absl::StrCat("\n", HexHashOf(line), "\n")) {
    return Corrupt(path, "its bytes do not match their checksum");
  }
  const json fields = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!fields.is_object() || !fields.contains("format") || fields["format"] != kFormat ||
      !fields.contains("version") || !fields["version"].is_number_integer()) {
    return Corrupt(path, "it is not the manifest of a snapshot");
  }
  if (const int version = fields["version"].get<int>(); version != kVersion) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "UNKNOWN_VERSION",
        absl::StrCat(path, " has version ", version, "; this Winnow reads version ", kVersion));
  }
  return DecodeFields(path, fields);
}

absl::Status WriteTo(const std::string& path, const SnapshotManifest& manifest) {
  absl::StatusOr<std::unique_ptr<SealedFileWriter>> file = SealedFileWriter::Create(path);
  if (!file.ok()) return file.status();
  const std::string text = Encode(manifest);
  absl::Status status = (*file)->Write(std::as_bytes(std::span(text)));
  return status.ok() ? (*file)->Finish().status() : status;
}

}  // namespace

std::string ManifestPath(const std::string& directory) { return directory + "/snapshot.json"; }

absl::StatusOr<SnapshotManifest> ReadManifest(const std::string& directory) {
  absl::StatusOr<SnapshotManifest> manifest = ReadFrom(ManifestPath(directory));
  if (manifest.ok() || manifest.status().code() != absl::StatusCode::kNotFound) return manifest;
  return Error(absl::StatusCode::kNotFound, "NO_SNAPSHOT",
               absl::StrCat(directory, " holds no finished snapshot"));
}

absl::StatusOr<SnapshotManifest> ReadUnfinishedManifest(const std::string& directory) {
  return ReadFrom(UnfinishedPath(directory));
}

absl::Status WriteUnfinishedManifest(const std::string& directory,
                                     const SnapshotManifest& manifest) {
  return WriteTo(UnfinishedPath(directory), manifest);
}

absl::Status WriteManifest(const std::string& directory, const SnapshotManifest& manifest) {
  absl::Status status = WriteTo(ManifestPath(directory), manifest);
  if (!status.ok()) return status;
  std::remove(UnfinishedPath(directory).c_str());
  return absl::OkStatus();
}

}  // namespace winnow
