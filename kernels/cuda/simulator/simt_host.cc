#include "kernels/cuda/simulator/simt_host.h"

#include <algorithm>
#include <cstring>

namespace winnow::kernels::simt {
namespace {

constexpr int kLanes = 32;

struct ShuffleOperand {
  uint64_t bits;
  int source;
  uint64_t result;
};

struct VoteOperand {
  uint32_t value;
  uint32_t result;
};

struct MmaOperand {
  float* d;
  const uint32_t* a;
  uint32_t b[2];
};

struct MatrixOperand {
  uint32_t* r;
  const void* row;
};

uint16_t FloatToBf16(float value) {
  const uint32_t bits = AsBits(value);
  if (value != value) return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float Truncate(double value) {
  const auto rounded = static_cast<float>(value);
  if (std::isinf(rounded)) return rounded;
  return std::abs(static_cast<double>(rounded)) > std::abs(value) ? std::nextafter(rounded, 0.0f)
                                                                  : rounded;
}

void RunMma(void* const* operands) {
  const auto lane = [&](int i) { return static_cast<MmaOperand*>(operands[i]); };
  float a[16][16], b[16][8];
  for (int i = 0; i < kLanes; ++i) {
    const int g = i / 4, c = i % 4;
    for (int part = 0; part < 4; ++part) {
      for (int h = 0; h < 2; ++h) {
        a[g + 8 * (part % 2)][2 * c + 8 * (part / 2) + h] = Half(lane(i)->a[part], h);
        if (part < 2) b[2 * c + 8 * part + h][g] = Half(lane(i)->b[part], h);
      }
    }
  }
  for (int i = 0; i < kLanes; ++i) {
    for (int part = 0; part < 4; ++part) {
      const int row = i / 4 + 8 * (part / 2), column = 2 * (i % 4) + part % 2;
      lane(i)->d[part] = AddProducts(lane(i)->d[part], a[row], &b[0][column], 8);
    }
  }
}

// Matrix m's row r is at the address of lane 8 m + r.
template <int kMatrices, bool kTransposed>
void RunLoadMatrix(void* const* operands) {
  const auto lane = [&](int i) { return static_cast<MatrixOperand*>(operands[i]); };
  for (int m = 0; m < kMatrices; ++m) {
    uint16_t values[8][8];
    for (int r = 0; r < 8; ++r) std::memcpy(values[r], lane(8 * m + r)->row, 16);
    for (int i = 0; i < kLanes; ++i) {
      const int g = i / 4, c = i % 4;
      const uint32_t low = kTransposed ? values[2 * c][g] : values[g][2 * c];
      const uint32_t high = kTransposed ? values[2 * c + 1][g] : values[g][2 * c + 1];
      lane(i)->r[m] = low | high << 16;
    }
  }
}

template <int kMatrices, bool kTransposed>
void LoadMatrix(const char* what, uint32_t* r, const void* row, const Location& where) {
  if (Lane() < 8 * kMatrices && reinterpret_cast<uintptr_t>(row) % 16 != 0) {
    simulator::Fail("a row of LoadMatrix is not aligned to 16 bytes");
  }
  MatrixOperand operand{r, row};
  simulator::MeetWarp(what, where, &operand, &RunLoadMatrix<kMatrices, kTransposed>);
}

}  // namespace

float Half(uint32_t word, int half) { return AsFloat(half == 0 ? word << 16 : word & 0xffff0000); }

float HalfF16(uint32_t word, int half) {
  return std::bit_cast<_Float16>(static_cast<uint16_t>(word >> (16 * half)));
}

float AddProducts(float sum, const float* a, const float* b, int b_stride) {
  for (int first = 0; first < 16; first += 8) {
    double exact = sum;
    for (int k = first; k < first + 8; ++k) exact += double{a[k]} * b[k * b_stride];
    sum = Truncate(exact);
  }
  return sum;
}

void SyncWarp(const Location& where) {
  simulator::MeetWarp("SyncWarp", where, nullptr, [](void* const*) {});
}

uint32_t Ballot(bool vote, const Location& where) {
  VoteOperand operand{vote ? 1u : 0u, 0};
  simulator::MeetWarp("Ballot", where, &operand, [](void* const* operands) {
    uint32_t mask = 0;
    for (int i = 0; i < kLanes; ++i) mask |= static_cast<VoteOperand*>(operands[i])->value << i;
    for (int i = 0; i < kLanes; ++i) static_cast<VoteOperand*>(operands[i])->result = mask;
  });
  return operand.result;
}

uint32_t MatchAny(uint32_t value, const Location& where) {
  VoteOperand operand{value, 0};
  simulator::MeetWarp("MatchAny", where, &operand, [](void* const* operands) {
    const auto lane = [&](int i) { return static_cast<VoteOperand*>(operands[i]); };
    for (int i = 0; i < kLanes; ++i) {
      lane(i)->result = 0;
      for (int j = 0; j < kLanes; ++j) {
        lane(i)->result |= (lane(i)->value == lane(j)->value ? 1u : 0u) << j;
      }
    }
  });
  return operand.result;
}

uint32_t ReduceMax(uint32_t value, const Location& where) {
  VoteOperand operand{value, 0};
  simulator::MeetWarp("ReduceMax", where, &operand, [](void* const* operands) {
    uint32_t most = 0;
    for (int i = 0; i < kLanes; ++i) {
      most = std::max(most, static_cast<VoteOperand*>(operands[i])->value);
    }
    for (int i = 0; i < kLanes; ++i) static_cast<VoteOperand*>(operands[i])->result = most;
  });
  return operand.result;
}

uint64_t ShuffleBits(uint64_t bits, int source, const Location& where) {
  ShuffleOperand operand{bits, source, 0};
  simulator::MeetWarp("Shuffle", where, &operand, [](void* const* operands) {
    const auto lane = [&](int i) { return static_cast<ShuffleOperand*>(operands[i]); };
    for (int i = 0; i < kLanes; ++i) lane(i)->result = lane(lane(i)->source & 31)->bits;
  });
  return operand.result;
}

void MmaBf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
             const Location& where) {
  MmaOperand operand{d, a, {b0, b1}};
  simulator::MeetWarp("MmaBf16", where, &operand, &RunMma);
}

void LoadMatrix4(uint32_t (&r)[4], const void* row, const Location& where) {
  LoadMatrix<4, false>("LoadMatrix4", r, row, where);
}

void LoadMatrix2(uint32_t (&r)[2], const void* row, const Location& where) {
  LoadMatrix<2, false>("LoadMatrix2", r, row, where);
}

void LoadMatrix4Transposed(uint32_t (&r)[4], const void* row, const Location& where) {
  LoadMatrix<4, true>("LoadMatrix4Transposed", r, row, where);
}

void LoadMatrix2Transposed(uint32_t (&r)[2], const void* row, const Location& where) {
  LoadMatrix<2, true>("LoadMatrix2Transposed", r, row, where);
}

uint32_t Permute(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t nibble = (selector >> (4 * i)) & 0xf;
    uint32_t byte = static_cast<uint32_t>(bytes >> (8 * (nibble & 7))) & 0xff;
    if ((nibble & 8) != 0) byte = (byte & 0x80) != 0 ? 0xff : 0;
    result |= byte << (8 * i);
  }
  return result;
}

uint32_t MultiplyBf16x2(uint32_t a, uint32_t b) {
  return PackBf16x2(Half(a, 0) * Half(b, 0), Half(a, 1) * Half(b, 1));
}

uint32_t PackBf16x2(float low, float high) {
  return FloatToBf16(low) | static_cast<uint32_t>(FloatToBf16(high)) << 16;
}

uint32_t MultiplyF16x2(uint32_t a, uint32_t b) {
  return PackF16x2(HalfF16(a, 0) * HalfF16(b, 0), HalfF16(a, 1) * HalfF16(b, 1));
}

uint32_t PackF16x2(float low, float high) {
  const auto bits = [](float x) { return std::bit_cast<uint16_t>(static_cast<_Float16>(x)); };
  return bits(low) | static_cast<uint32_t>(bits(high)) << 16;
}

}  // namespace winnow::kernels::simt
