#ifndef WINNOW_TESTS_GPU_ATTENTION_CASE_H_
#define WINNOW_TESTS_GPU_ATTENTION_CASE_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels::cuda {

struct AttentionCase {
  RowFormat format = RowFormat::kBf16;
  int heads = 8;
  int latent_dim = 128;
  int rope_dim = 64;
  float softmax_scale = 0.05f;
  std::vector<int> row_counts = {50};  // of each query row
  int first_row_at = 0;                // bytes before the first row
  int first_moved_by = 0;              // bytes, into the next: of each query row's first row alone
};

struct AttentionResult {
  std::vector<float> outputs;
  std::vector<float> lse;
};

// Queries, and rows that are shared by all query rows, each of which begins at another.
struct AttentionInputs {
  std::vector<std::byte> queries;
  std::vector<std::byte> rows;
};

AttentionInputs RandomInputs(RandomData& random, const AttentionCase& c);

// Multiplies bf16 values by 2^exponent(number of the value); what would be subnormal, or overflow,
// becomes zero.
void ScaleBf16(std::vector<std::byte>* values, const std::function<int(size_t)>& exponent);

// Multiplies each scale of each of FlashMLA's rows, of 512 + 64 dims from the first byte on, by
// factor(row, number of the scale).
void ChangeScales(AttentionInputs* in, const std::function<float(int, int)>& factor);

AttentionResult Evaluate(DeviceApi& device, const CudaBackend& backend, const AttentionCase& c,
                         const AttentionInputs& in);

// Where a result is not the reference's: an LSE, or an output that is off by more than `relative`
// of the head's largest, or of four times the dim's OutputSpread. Empty if nowhere.
Error Disagreement(const AttentionCase& c, const AttentionInputs& in, const AttentionResult& got,
                   double relative = 2e-3);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_ATTENTION_CASE_H_
