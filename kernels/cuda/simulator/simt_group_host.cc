#include "kernels/cuda/simulator/simt_group_host.h"

#include <array>
#include <cmath>
#include <cstring>

namespace winnow::kernels::simt {
namespace {

using simulator::kGroupThreads;

constexpr int kFieldBits = 14;  // of a descriptor, in units of 16 bytes
constexpr int kUnitBytes = 16;

using Product = std::array<ProductOperand, kGroupThreads>;

uint64_t Field(size_t bytes, const char* what) {
  if (bytes % kUnitBytes != 0 || bytes / kUnitBytes >= (1u << kFieldBits)) {
    simulator::Fail(std::string(what) + " of a matrix in shared memory cannot be " +
                    std::to_string(bytes) + " bytes");
  }
  return bytes / kUnitBytes;
}

size_t FieldBytes(uint64_t matrix, int shift) {
  return (matrix >> shift & ((1u << kFieldBits) - 1)) * kUnitBytes;
}

float Value(bool f16, uint32_t word, int half) {
  return f16 ? HalfF16(word, half) : Half(word, half);
}

// 16 values along k of a row of A or a column of B.
void ReadLine(const std::byte* shared, uint64_t matrix, int line, bool transposed, bool f16,
              float (&values)[16]) {
  const std::byte* tile = shared + FieldBytes(matrix, 0) + line / 8 * FieldBytes(matrix, 32);
  for (int k = 0; k < 16; ++k) {
    const int row = transposed ? k % 8 : line % 8, at = transposed ? line % 8 : k % 8;
    uint16_t value;
    std::memcpy(&value, tile + k / 8 * FieldBytes(matrix, 16) + row * 16 + at * 2, sizeof value);
    values[k] = Value(f16, value, 0);
  }
}

// Row g of a warp's 16 is row 16 warp + g of A and of D.
void ReadA(const Product& product, const std::byte* shared, float (&a)[64][16]) {
  if (product[0].a == nullptr) {
    for (int row = 0; row < 64; ++row)
      ReadLine(shared, product[0].a_matrix, row, false, false, a[row]);
    return;
  }
  for (int i = 0; i < kGroupThreads; ++i) {
    const int g = i / 32 * 16 + i % 32 / 4, c = i % 4;
    for (int part = 0; part < 4; ++part) {
      float* to = &a[g + 8 * (part % 2)][2 * c + 8 * (part / 2)];
      to[0] = Value(product[0].f16, product[i].a[part], 0);
      to[1] = Value(product[0].f16, product[i].a[part], 1);
    }
  }
}

void Multiply(const Product& product, const std::byte* shared) {
  static thread_local float a[64][16], b[256][16];
  ReadA(product, shared, a);
  for (int column = 0; column < 8 * product[0].tiles; ++column) {
    ReadLine(shared, product[0].b, column, product[0].b_transposed, product[0].f16, b[column]);
  }
  for (int i = 0; i < kGroupThreads; ++i) {
    const int g = i / 32 * 16 + i % 32 / 4, c = i % 4;
    for (int tile = 0; tile < product[0].tiles; ++tile) {
      for (int part = 0; part < 4; ++part) {
        float& d = product[i].d[4 * tile + part];
        const int row = g + 8 * (part / 2), column = 8 * tile + 2 * c + part % 2;
        d = AddProducts(product[0].add ? d : 0.0f, a[row], b[column], 1);
      }
    }
  }
}

void GiveProduct(void* const* operands) {
  Product product;
  for (int i = 0; i < kGroupThreads; ++i) {
    product[i] = *static_cast<ProductOperand*>(operands[i]);
    if (product[i].b != product[0].b || product[i].a_matrix != product[0].a_matrix ||
        product[i].add != product[0].add) {
      simulator::Fail("the threads of a group multiply by different matrices");
    }
  }
  simulator::GiveProduct([product, shared = SharedMemory()] { Multiply(product, shared); });
}

}  // namespace

uint32_t E4m3PairToF16x2(uint32_t codes) {
  const auto value = [&](int i) {
    const uint32_t code = codes >> (8 * i) & 0xff, exponent = code >> 3 & 0xf;
    const float magnitude = exponent == 0           ? std::ldexp(static_cast<float>(code & 7), -9)
                            : (code & 0x7f) == 0x7f ? std::nanf("")
                                                    : std::ldexp(static_cast<float>(8 | (code & 7)),
                                                                 static_cast<int>(exponent) - 10);
    return (code & 0x80) != 0 ? -magnitude : magnitude;
  };
  return PackF16x2(value(0), value(1));
}

uint64_t SharedMatrix(const void* shared, int half_bytes, int tile_bytes) {
  const size_t at = static_cast<const std::byte*>(shared) - SharedMemory();
  return Field(at, "the place") | Field(half_bytes, "the half") << 16 |
         Field(tile_bytes, "the tile") << 32;
}

void MultiplyByGroup(ProductOperand operand, const Location& where) {
  simulator::MeetGroup("MmaGroup", where, &operand, &GiveProduct);
  simulator::CountProduct();
}

}  // namespace winnow::kernels::simt
