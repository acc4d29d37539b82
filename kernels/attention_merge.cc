#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/backend.h"

namespace winnow::kernels {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// log(sum over parts of exp(lse)) of one head.
float MergedLse(std::span<const float* const> part_lse, int head) {
  float largest = kMinusInfinity;
  for (const float* lse : part_lse) largest = std::max(largest, lse[head]);
  if (largest == kMinusInfinity) return kMinusInfinity;
  float sum = 0;
  for (const float* lse : part_lse) sum += std::exp(lse[head] - largest);
  return largest + std::log(sum);
}

}  // namespace

void MergeAttention(std::span<const float* const> part_outputs,
                    std::span<const float* const> part_lse, int heads, int latent_dim,
                    float* outputs, float* lse) {
  for (int head = 0; head < heads; ++head) {
    float* out = outputs + static_cast<size_t>(head) * latent_dim;
    std::fill_n(out, latent_dim, 0.0f);
    lse[head] = MergedLse(part_lse, head);
    if (lse[head] == kMinusInfinity) continue;
    for (size_t part = 0; part < part_outputs.size(); ++part) {
      const float weight = std::exp(part_lse[part][head] - lse[head]);
      const float* in = part_outputs[part] + static_cast<size_t>(head) * latent_dim;
      for (int d = 0; d < latent_dim; ++d) out[d] += weight * in[d];
    }
  }
}

void ApplyAttentionSink(const float* sink, const float* lse, int heads, int latent_dim,
                        float* outputs) {
  for (int head = 0; head < heads; ++head) {
    const float factor =
        lse[head] == kMinusInfinity ? 0.0f : 1.0f / (1.0f + std::exp(sink[head] - lse[head]));
    float* out = outputs + static_cast<size_t>(head) * latent_dim;
    for (int d = 0; d < latent_dim; ++d) out[d] *= factor;
  }
}

}  // namespace winnow::kernels
