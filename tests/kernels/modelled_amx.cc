#include "tests/kernels/modelled_amx.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

#include "kernels/cpu/avx512_bf16.h"
#include "kernels/cpu/next_page.h"
#include "kernels/cpu/prepare.h"
#include "kernels/cpu/rows_ahead.h"
#include "kernels/cpu/score_error.h"
#include "kernels/cpu/sieve_query.h"
#include "kernels/reference/formats.h"

namespace winnow::kernels {
namespace {

// A thread's tile registers.
class TileFile {
 public:
  using Tile = std::byte[16][64];

  static TileFile& OfThread() {
    thread_local TileFile file;
    return file;
  }

  // The unit holds nothing before it is configured and after it is released.
  void Configure() {
    configured_ = true;
    std::memset(tiles_, 0, sizeof tiles_);
  }
  void Release() { configured_ = false; }

  Tile& operator[](int tile) {
    if (!configured_) {
      std::fprintf(stderr, "tile %d was used outside Configure and Release\n", tile);
      std::abort();
    }
    return tiles_[tile];
  }

 private:
  bool configured_ = false;
  Tile tiles_[8];
};

// As TDPBF16PS takes and leaves values: subnormal ones are zero.
float Flushed(float value) {
  return std::abs(value) < std::numeric_limits<float>::min() ? std::copysign(0.0f, value) : value;
}

template <typename T>
T Read(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// c[m][n] = dot(c[m][n], words of a[m], words of column n of b).
template <typename Sum, typename DotFn>
void Multiply(int c, int a, int b, DotFn dot) {
  TileFile& file = TileFile::OfThread();
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 16; ++n) {
      std::byte column[64];
      for (int w = 0; w < 16; ++w) std::memcpy(column + 4 * w, &file[b][w][4 * n], 4);
      const Sum sum = dot(Read<Sum>(&file[c][m][4 * n]), file[a][m], column);
      std::memcpy(&file[c][m][4 * n], &sum, sizeof sum);
    }
  }
}

struct ModelTiles {
  static void Configure() { TileFile::OfThread().Configure(); }
  static void Release() { TileFile::OfThread().Release(); }

  template <int tile>
  static void Load(const std::byte* from, size_t stride_bytes) {
    for (int row = 0; row < 16; ++row) {
      std::memcpy(TileFile::OfThread()[tile][row], from + row * stride_bytes, 64);
    }
  }
  template <int tile>
  static void Zero() {
    std::memset(TileFile::OfThread()[tile], 0, sizeof(TileFile::Tile));
  }
  template <int tile>
  static void Store(std::byte* to) {
    std::memcpy(to, TileFile::OfThread()[tile], sizeof(TileFile::Tile));
  }
  // Intel's manual, TDPBF16PS: the even values and the odd ones are added in a chain each, from
  // zero, then both, and then to the sum.
  template <int sum_tile, int a_tile, int b_tile>
  static void MultiplyBf16() {
    Multiply<float>(
        sum_tile, a_tile, b_tile, [](float sum, const std::byte* a, const std::byte* b) {
          float chains[2] = {};
          for (int k = 0; k < 32; ++k) {
            float& chain = chains[k % 2];
            chain = Flushed(
                std::fma(Flushed(DecodeBf16(a + 2 * k)), Flushed(DecodeBf16(b + 2 * k)), chain));
          }
          return Flushed(Flushed(sum) + Flushed(chains[0] + chains[1]));
        });
  }
  template <int sum_tile, int a_tile, int b_tile>
  static void MultiplyInt8() {
    Multiply<int32_t>(sum_tile, a_tile, b_tile,
                      [](int32_t sum, const std::byte* a, const std::byte* b) {
                        for (int k = 0; k < 64; ++k) {
                          sum += Read<int8_t>(a + k) * Read<int8_t>(b + k);
                        }
                        return sum;
                      });
  }
};

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,avx512vnni,fma,f16c")
#include "kernels/cpu/amx_attention.inc"
#pragma GCC pop_options

}  // namespace

const CpuVariant& ModelledAmxVariant() {
  static constexpr CpuVariant variant =
      MakeTileVariant<ModelTiles>("modelled_amx", [] { return Avx512Bf16Variant().runs_here(); });
  return variant;
}

}  // namespace winnow::kernels
