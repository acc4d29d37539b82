#include "kernels/cuda/simulator/simt_group_host.h"

#include <array>
#include <cmath>
#include <cstring>

namespace winnow::kernels::simt {
namespace {

constexpr int kLanes = 32;
constexpr int kWarpRows = 16;
constexpr int kFieldBits = 14;  // of a descriptor, in units of 16 bytes
constexpr int kUnitBytes = 16;

// A warp's.
using Product = std::array<ProductOperand, kLanes>;

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

// That lines of it, 16 values along k each, were published.
void RequirePublished(const std::byte* shared, uint64_t matrix, int lines) {
  constexpr size_t kTileBytes = 8 * kUnitBytes;
  for (int i = 0; i < lines / 8 * 2; ++i) {
    simulator::RequirePublished(shared + FieldBytes(matrix, 0) + i / 2 * FieldBytes(matrix, 32) +
                                    i % 2 * FieldBytes(matrix, 16),
                                kTileBytes);
  }
}

// The rows of A, and so of D, that are the warp's.
void ReadA(const Product& product, int warp, const std::byte* shared, float (&a)[kWarpRows][16]) {
  if (product[0].a == nullptr) {
    for (int row = 0; row < kWarpRows; ++row) {
      ReadLine(shared, product[0].a_matrix, warp * kWarpRows + row, false, product[0].f16, a[row]);
    }
    return;
  }
  for (int i = 0; i < kLanes; ++i) {
    for (int part = 0; part < 4; ++part) {
      float* to = &a[i / 4 + 8 * (part % 2)][i % 4 * 2 + 8 * (part / 2)];
      to[0] = Value(product[0].f16, product[i].a[part], 0);
      to[1] = Value(product[0].f16, product[i].a[part], 1);
    }
  }
}

void Multiply(const Product& product, int warp, const std::byte* shared) {
  static thread_local float a[kWarpRows][16], b[256][16];
  ReadA(product, warp, shared, a);
  for (int column = 0; column < 8 * product[0].tiles; ++column) {
    ReadLine(shared, product[0].b, column, product[0].b_transposed, product[0].f16, b[column]);
  }
  for (int i = 0; i < kLanes; ++i) {
    for (int tile = 0; tile < product[0].tiles; ++tile) {
      for (int part = 0; part < 4; ++part) {
        float& d = product[i].d[4 * tile + part];
        const int row = i / 4 + 8 * (part / 2), column = 8 * tile + i % 4 * 2 + part % 2;
        d = AddProducts(product[0].add ? d : 0.0f, a[row], b[column], 1);
      }
    }
  }
}

void GiveProduct(void* const* operands) {
  const auto operand = [&](int i) { return *static_cast<ProductOperand*>(operands[i]); };
  RequirePublished(SharedMemory(), operand(0).b, 8 * operand(0).tiles);
  if (operand(0).a == nullptr) RequirePublished(SharedMemory(), operand(0).a_matrix, 64);
  for (int warp = 0; warp < simulator::kGroupThreads / kLanes; ++warp) {
    Product product;
    for (int i = 0; i < kLanes; ++i) {
      product[i] = operand(warp * kLanes + i);
      if (product[i].b != operand(0).b || product[i].a_matrix != operand(0).a_matrix ||
          product[i].add != operand(0).add) {
        simulator::Fail("the threads of a group multiply by different matrices");
      }
    }
    simulator::GiveProduct(
        warp, [product, warp, shared = SharedMemory()] { Multiply(product, warp, shared); });
  }
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
