#ifndef WINNOW_KERNELS_LAYOUT_H_
#define WINNOW_KERNELS_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace winnow::kernels {

// Entries in a page, the unit of memory. FlashMLA and DeepGEMM page by 64 as well.
inline constexpr int kPageEntries = 64;

// Bounds of every shape in this library; the kernels size their stack buffers by them.
inline constexpr int kMaxQueryRows = 64;
inline constexpr int kMaxIndexHeads = 128;
inline constexpr int kMinIndexDim = 32;
inline constexpr int kMaxIndexDim = 256;  // and a multiple of 32
inline constexpr int kMaxLatentDim = 1024;
inline constexpr int kMaxRopeDim = 256;
inline constexpr int kMaxQueryHeads = 256;
inline constexpr int kMaxTopK = 16384;

// How an index key is stored: its codes, then its scales. Values are part of stored formats.
enum class KeyFormat : uint8_t {
  kFp8E4M3 = 1,  // dim e4m3, one fp32 scale
  kMxFp4 = 2,    // dim / 2 bytes of E2M1 pairs (even dim low), dim / 32 UE8M0 scales
  kBf16 = 3,     // dim bf16
  kInt8 = 4,     // dim int8, one fp32 scale
};

// How a KV row is stored.
enum class RowFormat : uint8_t {
  kBf16 = 1,         // latent bf16, rope bf16
  kFp8FlashMla = 2,  // latent e4m3, one fp32 scale per 128 of them, rope bf16
};

// Latent dims that share a scale in kFp8FlashMla.
inline constexpr int kLatentScaleGroup = 128;

size_t KeyCodeBytes(KeyFormat format, int dim);
size_t KeyScaleBytes(KeyFormat format, int dim);
// Codes and scales of one key: 132 for kFp8E4M3 at 128 dims.
size_t KeyBytes(KeyFormat format, int dim);
// One head of one query row: as a key, less the fp32 scale where the key has one.
size_t QueryBytes(KeyFormat format, int dim);
// A page of 64 keys: exactly 64 * KeyBytes, a multiple of 64.
size_t KeyPageBytes(KeyFormat format, int dim);
// One KV row: 656 for kFp8FlashMla at 512 + 64.
size_t RowBytes(RowFormat format, int latent_dim, int rope_dim);

// Writes keys into a page in the order the matrix units want (documented beside the definition).
//   keys  [count, KeyBytes] entry-major, as they travel
//   page  KeyPageBytes, 64-byte aligned; only the bytes of entries first .. first + count - 1
//         change, so readers of earlier entries are not disturbed
void ArrangeKeys(KeyFormat format, int dim, const std::byte* keys, int first, int count,
                 std::byte* page);

// The inverse of ArrangeKeys.
void ExtractKeys(KeyFormat format, int dim, const std::byte* page, int first, int count,
                 std::byte* keys);

// Index of the first entry that holds a NaN or an infinity (in a code or a scale), or -1.
// A UE8M0 scale of 255 is NaN. MXFP4 values that fp32 does not hold are infinite: 4 and 6 where the
// scale is 253, 2 to 6 where it is 254.
int64_t FirstNonFiniteKey(KeyFormat format, int dim, std::span<const std::byte> keys);
int64_t FirstNonFiniteRow(RowFormat format, int latent_dim, int rope_dim,
                          std::span<const std::byte> rows);
// queries: [n, QueryBytes]
int64_t FirstNonFiniteQuery(KeyFormat format, int dim, std::span<const std::byte> queries);
int64_t FirstNonFiniteBf16(std::span<const std::byte> values);
int64_t FirstNonFiniteFp32(std::span<const std::byte> values);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_LAYOUT_H_
