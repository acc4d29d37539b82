#include <xxhash.h>

#include "services/shard/messages.h"

namespace winnow::shard {

// The hashed bytes: the placement key, little-endian, then the fingerprint's characters.
uint64_t ContextTag(uint64_t placement_key, const std::string& profile_fingerprint) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(placement_key >> (8 * i)));
  bytes += profile_fingerprint;
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace winnow::shard
