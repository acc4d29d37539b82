#ifndef WINNOW_STORAGE_LAYER_BYTES_H_
#define WINNOW_STORAGE_LAYER_BYTES_H_

#include <cstddef>
#include <span>

namespace winnow {

// Entries of one layer as they travel.
struct LayerBytes {
  int layer = 0;
  std::span<const std::byte> index_keys;  // [count, key_bytes]; empty where the layer has no index
  std::span<const std::byte> kv_rows;     // [count, row_bytes]
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_LAYER_BYTES_H_
