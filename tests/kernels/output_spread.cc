#include "tests/kernels/output_spread.h"

#include <cmath>

#include "kernels/reference/formats.h"

namespace winnow::kernels {

std::vector<double> OutputSpread(const AttendParams& params) {
  const int width = params.latent_dim + params.rope_dim;
  std::vector<double> spread(size_t{1} * params.heads * params.latent_dim);
  std::vector<float> row(width);
  for (int i = 0; i < params.row_count; ++i) {
    DecodeRow(params.format, params.latent_dim, params.rope_dim, params.rows[i], row.data());
    for (int h = 0; h < params.heads; ++h) {
      double dot = 0;
      const std::byte* query = params.queries + size_t{2} * h * width;
      for (int d = 0; d < width; ++d) dot += double{DecodeBf16(query + 2 * d)} * row[d];
      const double p = std::exp(params.softmax_scale * dot - params.lse[h]);
      for (int d = 0; d < params.latent_dim; ++d) {
        spread[size_t{1} * h * params.latent_dim + d] += p * row[d] * p * row[d];
      }
    }
  }
  for (double& value : spread) value = std::sqrt(value);
  return spread;
}

}  // namespace winnow::kernels
