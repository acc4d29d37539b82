#ifndef WINNOW_TESTS_KERNELS_SIEVE_FIXTURE_H_
#define WINNOW_TESTS_KERNELS_SIEVE_FIXTURE_H_

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "tests/kernels/random_data.h"
#include "tests/kernels/score_case.h"
#include "tests/kernels/tested_backends.h"

namespace winnow::kernels {

// Tests of the bounds of a variant's sieve, all for row 0.
class SieveTest : public testing::TestWithParam<const CpuVariant*> {
 protected:
  // Scores every entry where all are selected.
  const Backend& plain() const { return *plain_; }
  std::array<const Backend*, 2> both() const { return {plain_.get(), ChooseBackend("reference")}; }

  bool Suits(KeyFormat format, int dim) const {
    return GetParam()->sieve->suits({.format = format, .dim = dim});
  }

  // Scores of all entries.
  static std::vector<float> ScoresOf(const Backend& backend, const ScoreCase& c);
  // Bounds of them, from pages whose other entries are NaN, and of which some are made ready in the
  // turn before. Those that pass are compared with bounds of earlier pages.
  std::vector<float> BoundsOf(const ScoreCase& c);
  void ExpectNoScoreAboveItsBound(std::span<const Backend* const> backends, const ScoreCase& c);
  // So many entries whose bounds reach the 40th best score.
  int64_t PassFor40Best(const ScoreCase& c);

  RandomData random_{TestSeed()};

 private:
  // 0 if there are none.
  float AnyOf(const std::vector<float>& bounds);

  const std::unique_ptr<const Backend> plain_{MakeCpuBackend(*GetParam())};
};

}  // namespace winnow::kernels

#endif  // WINNOW_TESTS_KERNELS_SIEVE_FIXTURE_H_
