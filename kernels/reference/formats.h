#ifndef WINNOW_KERNELS_REFERENCE_FORMATS_H_
#define WINNOW_KERNELS_REFERENCE_FORMATS_H_

#include <cstddef>
#include <cstdint>

#include "kernels/layout.h"

// One number at a time, as the formats define them. Plain enough to be read as the definition.
namespace winnow::kernels {

// OCP 8-bit floating point, E4M3: bias 7, no infinity, 0x7f and 0xff NaN.
float DecodeE4m3(uint8_t code);

// OCP microscaling E2M1, of the low four bits: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.
float DecodeE2m1(uint8_t nibble);

// OCP microscaling E8M0: 2^(code - 127); 255 is NaN.
float DecodeUe8m0(uint8_t code);

float DecodeBf16(const std::byte* value);

// One key or query head into `values` [dim]. The fp32 scale that ends an fp8 or int8 key is not
// applied; MXFP4's block scales are, which fp32 could not hold of all codes.
void DecodeCodes(KeyFormat format, int dim, const std::byte* codes, double* values);

// The fp32 scale of a key; 1 where the format has none.
float DecodeKeyScale(KeyFormat format, int dim, const std::byte* key);

// One KV row into `values` [latent_dim + rope_dim].
void DecodeRow(RowFormat format, int latent_dim, int rope_dim, const std::byte* row, float* values);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_REFERENCE_FORMATS_H_
