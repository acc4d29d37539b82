#ifndef WINNOW_TESTS_GPU_ONE_PRODUCT_CUH_
#define WINNOW_TESTS_GPU_ONE_PRODUCT_CUH_

#include <cstdint>

#include "kernels/cuda/simt.h"

// One product of a group of four warps in each of the layouts that kernels/cuda/simt.h describes:
// what is to be looked at first where a kernel that multiplies by groups is wrong on a device. Its
// values are small integers, so that every sum is exact.
namespace winnow::kernels::cuda {

enum class ProductKind {
  kRegisters,
  kMatrices,
  kTransposed,
  kF16,
  kF16Matrices,
  kF16Transposed,
  kF16WideTransposed
};

constexpr bool IsF16(ProductKind kind) { return kind >= ProductKind::kF16; }
constexpr bool IsTransposed(ProductKind kind) {
  return kind == ProductKind::kTransposed || kind >= ProductKind::kF16Transposed;
}

inline constexpr int kProductRows = 64;
inline constexpr int kProductDepth = 16;
constexpr int ProductColumns(ProductKind kind) {
  return kind == ProductKind::kTransposed || kind == ProductKind::kF16WideTransposed ? 128 : 64;
}

WINNOW_DEVICE float ValueOfA(int row, int k) { return static_cast<float>(row - 2 * k); }
WINNOW_DEVICE float ValueOfB(int k, int column) { return static_cast<float>(3 * k + column - 20); }

// Shared memory: B [16, columns], then A [64, 16], in tiles of 8 x 8, first along the lines.
inline constexpr int kProductTileBytes = 128;
constexpr int HalfBytes(int lines) { return lines / 8 * kProductTileBytes; }
constexpr int ProductSharedBytes(ProductKind kind) {
  return 2 * (HalfBytes(ProductColumns(kind)) + HalfBytes(kProductRows));
}

template <bool kF16>
WINNOW_DEVICE uint32_t Pack(float low, float high) {
  return kF16 ? simt::PackF16x2(low, high) : simt::PackBf16x2(low, high);
}

// Writes matrix[k][line] of `lines` rows of A or columns of B; `transposed` changes k and line in
// each tile.
template <bool kF16 = false, typename Value>
WINNOW_DEVICE void WriteMatrix(std::byte* to, int lines, bool transposed, Value value) {
  for (int i = simt::ThreadInBlock(); i < kProductDepth * lines; i += simt::ThreadsInBlock()) {
    const int k = i / lines, line = i % lines;
    const int major = transposed ? k % 8 : line % 8, minor = transposed ? line % 8 : k % 8;
    *reinterpret_cast<uint16_t*>(to + k / 8 * HalfBytes(lines) + line / 8 * kProductTileBytes +
                                 16 * major + 2 * minor) =
        static_cast<uint16_t>(Pack<kF16>(value(k, line), 0));
  }
}

template <bool kF16 = false>
WINNOW_DEVICE void FragmentOfA(uint32_t (&a)[4]) {
  const int row = 16 * simt::Warp() + simt::Lane() / 4, k = simt::Lane() % 4 * 2;
  for (int i = 0; i < 4; ++i) {
    const int r = row + i % 2 * 8, first = k + i / 2 * 8;
    a[i] = Pack<kF16>(ValueOfA(r, first), ValueOfA(r, first + 1));
  }
}

// How many of a thread's values of the product are not A times B.
template <int kTiles>
WINNOW_DEVICE uint32_t WrongValues(const float (&d)[kTiles][4]) {
  uint32_t wrong = 0;
  WINNOW_UNROLL
  for (int i = 0; i < 4 * kTiles; ++i) {
    const int row = 16 * simt::Warp() + simt::Lane() / 4 + i % 4 / 2 * 8;
    const int column = i / 4 * 8 + simt::Lane() % 4 * 2 + i % 2;
    float expected = 0;
    for (int k = 0; k < kProductDepth; ++k) expected += ValueOfA(row, k) * ValueOfB(k, column);
    wrong += static_cast<uint32_t>(d[i / 4][i % 4] != expected);
  }
  return wrong;
}

// Adds to `wrong` the values of the product that are. By one block of 128 threads, on a device that
// has groups.
template <ProductKind kKind>
WINNOW_DEVICE void MultiplyOnce(uint32_t* wrong) {
  constexpr int kColumns = ProductColumns(kKind);
  std::byte* const shared = simt::SharedMemory();
  std::byte* const shared_a = shared + 2 * HalfBytes(kColumns);
  WriteMatrix<IsF16(kKind)>(shared, kColumns, IsTransposed(kKind),
                            [](int k, int column) { return ValueOfB(k, column); });
  WriteMatrix<IsF16(kKind)>(shared_a, kProductRows, false,
                            [](int k, int row) { return ValueOfA(row, k); });
  simt::PublishShared();
  simt::SyncBlock();
  const uint64_t b = simt::SharedMatrix(shared, HalfBytes(kColumns), kProductTileBytes);
  const uint64_t matrix = simt::SharedMatrix(shared_a, HalfBytes(kProductRows), kProductTileBytes);
  float d[kColumns / 8][4];
  uint32_t a[4];
  FragmentOfA<IsF16(kKind)>(a);
  simt::GroupBegin();
  if constexpr (kKind == ProductKind::kTransposed) {
    simt::MmaGroupTransposed(d, a, b, false);
  } else if constexpr (kKind == ProductKind::kMatrices) {
    simt::MmaGroup(d, matrix, b, false);
  } else if constexpr (kKind == ProductKind::kF16Matrices) {
    simt::MmaGroupF16(d, matrix, b, false);
  } else if constexpr (kKind == ProductKind::kF16) {
    simt::MmaGroupF16(d, a, b, false);
  } else if constexpr (IsF16(kKind)) {
    simt::MmaGroupF16Transposed(d, a, b, false);
  } else {
    simt::MmaGroup(d, a, b, false);
  }
  simt::GroupCommit();
  simt::GroupWait<0>();
  simt::GroupHold(d);
  if (const uint32_t count = WrongValues(d); count != 0) simt::AtomicAdd(wrong, count);
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_ONE_PRODUCT_CUH_
