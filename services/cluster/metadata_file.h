#ifndef WINNOW_SERVICES_CLUSTER_METADATA_FILE_H_
#define WINNOW_SERVICES_CLUSTER_METADATA_FILE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/cluster/metadata.h"

namespace winnow::cluster {

// All that a store holds.
struct MetadataContents {
  int64_t revision = 0;
  std::map<std::string, MetadataEntry, std::less<>> entries;  // by key
};

// A versioned encoding that ends in a checksum, and its inverse; errors of OpenEmbeddedMetadata.
std::string EncodeMetadata(const MetadataContents& contents);
absl::StatusOr<MetadataContents> DecodeMetadata(std::string_view bytes);

// The file that keeps them, locked against other processes. Not thread-safe.
class MetadataFile {
 public:
  // Makes an empty one if there is none; errors of OpenEmbeddedMetadata.
  static absl::StatusOr<std::unique_ptr<MetadataFile>> Open(const std::string& path);
  ~MetadataFile();
  MetadataFile(const MetadataFile&) = delete;
  MetadataFile& operator=(const MetadataFile&) = delete;

  absl::StatusOr<MetadataContents> Load() const;
  // Either all of it or nothing is there afterwards, whatever happens on the way.
  absl::Status Save(const MetadataContents& contents) const;

 private:
  MetadataFile(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  const std::string path_;
  const int lock_;  // file descriptor
};

}  // namespace winnow::cluster

#endif  // WINNOW_SERVICES_CLUSTER_METADATA_FILE_H_
