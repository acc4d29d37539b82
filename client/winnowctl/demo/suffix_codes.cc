#include "client/winnowctl/demo/suffix_codes.h"

#include <xxhash.h>

#include <algorithm>

namespace winnow::ctl {

SuffixCodes CodeSuffix(std::string_view text) {
  SuffixCodes codes;
  for (size_t i = 0; i < kOrders.size(); ++i) {
    const std::string_view gram = text.substr(text.size() - std::min(kOrders[i], text.size()));
    const XXH128_hash_t hash = XXH3_128bits_withSeed(gram.data(), gram.size(), kOrders[i]);
    codes.index[i] = static_cast<uint32_t>(hash.low64);
    codes.context[i] = hash.high64;
  }
  return codes;
}

}  // namespace winnow::ctl
