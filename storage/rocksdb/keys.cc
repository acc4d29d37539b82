#include "storage/rocksdb/keys.h"

namespace winnow {
namespace {

constexpr size_t kEntryKeyBytes = 16;
constexpr size_t kRunKeyBytes = 15;

void WriteNumber(uint64_t value, int bytes, char* to) {
  for (int i = 0; i < bytes; ++i) to[i] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
}

}  // namespace

uint64_t ReadNumber(const char* from, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<uint8_t>(from[i]);
  return value;
}

void AppendNumber(uint64_t value, int bytes, std::string* out) {
  char encoded[8];
  WriteNumber(value, bytes, encoded);
  out->append(encoded, bytes);
}

EntryKeyBytes::EntryKeyBytes(const EntryKey& key) {
  WriteNumber(key.segment, 4, &bytes_[0]);
  WriteNumber(key.number, 6, &bytes_[4]);
  bytes_[10] = static_cast<char>(key.plane);
  bytes_[11] = static_cast<char>(key.layer);
  WriteNumber(key.position, 4, &bytes_[12]);
}

bool DecodeEntryKey(const rocksdb::Slice& bytes, EntryKey* key) {
  if (bytes.size() != kEntryKeyBytes) return false;
  key->segment = static_cast<uint32_t>(ReadNumber(bytes.data(), 4));
  key->number = ReadNumber(bytes.data() + 4, 6);
  key->plane = static_cast<Plane>(bytes[10]);
  key->layer = static_cast<uint8_t>(bytes[11]);
  key->position = static_cast<uint32_t>(ReadNumber(bytes.data() + 12, 4));
  return key->plane == Plane::kIndex || key->plane == Plane::kKv;
}

std::string EncodeRunKey(const RunKey& key) {
  std::string out;
  AppendNumber(key.number, 8, &out);
  AppendNumber(key.stripe, 4, &out);
  AppendNumber(key.layer, 1, &out);
  AppendNumber(key.end, 2, &out);
  return out;
}

bool DecodeRunKey(const rocksdb::Slice& bytes, RunKey* key) {
  if (bytes.size() != kRunKeyBytes) return false;
  key->number = ReadNumber(bytes.data(), 8);
  key->stripe = static_cast<uint32_t>(ReadNumber(bytes.data() + 8, 4));
  key->layer = static_cast<int>(ReadNumber(bytes.data() + 12, 1));
  key->end = static_cast<uint32_t>(ReadNumber(bytes.data() + 13, 2));
  return true;
}

}  // namespace winnow
