#ifndef WINNOW_STORAGE_ROCKSDB_KEYS_H_
#define WINNOW_STORAGE_ROCKSDB_KEYS_H_

#include <array>
#include <cstdint>
#include <string>

#include "rocksdb/slice.h"
#include "storage/page_set.h"

namespace winnow {

// The column families; see Database.
inline constexpr char kEntriesFamily[] = "entries";
inline constexpr const char* kFamilies[] = {"default", "contexts", "runs", kEntriesFamily};

// A key of the column family `entries`. Sorts by its fields in their order.
//   segment u32, context number u48, plane u8, layer u8, position u32; big-endian
struct EntryKey {
  uint32_t segment = 0;
  uint64_t number = 0;
  Plane plane = Plane::kIndex;
  int layer = 0;
  uint32_t position = 0;  // in the context
};

// Numbers of contexts are below.
inline constexpr uint64_t kContextNumbers = uint64_t{1} << 48;

class EntryKeyBytes {
 public:
  EntryKeyBytes() = default;
  explicit EntryKeyBytes(const EntryKey& key);
  rocksdb::Slice slice() const { return {bytes_.data(), bytes_.size()}; }
  friend auto operator<=>(const EntryKeyBytes& a, const EntryKeyBytes& b) {
    return a.slice().compare(b.slice()) <=> 0;
  }
  friend bool operator==(const EntryKeyBytes&, const EntryKeyBytes&) = default;

 private:
  std::array<char, 16> bytes_ = {};
};

// False if these are not the bytes of a key.
bool DecodeEntryKey(const rocksdb::Slice& bytes, EntryKey* key);

// A key of the column family `runs`.
//   context number u64, stripe u32, layer u8, end u16; big-endian
struct RunKey {
  uint64_t number = 0;
  uint32_t stripe = 0;
  int layer = 0;
  uint32_t end = 0;  // in the stripe
};

std::string EncodeRunKey(const RunKey& key);
bool DecodeRunKey(const rocksdb::Slice& bytes, RunKey* key);

// `bytes` bytes of a number, big-endian.
void AppendNumber(uint64_t value, int bytes, std::string* out);
uint64_t ReadNumber(const char* from, int bytes);

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_KEYS_H_
