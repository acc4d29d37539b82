#ifndef WINNOW_KERNELS_CANDIDATE_H_
#define WINNOW_KERNELS_CANDIDATE_H_

#include <cstdint>

namespace winnow::kernels {

// One scored entry. Travels as these eight bytes, little-endian.
struct Candidate {
  float score;
  uint32_t position;

  friend bool operator==(const Candidate&, const Candidate&) = default;
};
static_assert(sizeof(Candidate) == 8);

// The one order of candidates: higher score first, then lower position. Total as long as scores are
// not NaN, which scoring guarantees, so a selection does not depend on how the scan was divided.
inline bool Better(const Candidate& a, const Candidate& b) {
  return a.score > b.score || (a.score == b.score && a.position < b.position);
}

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CANDIDATE_H_
