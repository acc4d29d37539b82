#include "kernels/cpu/score_floor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

#include "tests/kernels/random_data.h"

namespace winnow::kernels {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

// -inf if there are fewer than k.
float KthBest(std::vector<float> scores, size_t k) {
  if (scores.size() < k) return kNone;
  std::sort(scores.begin(), scores.end(), std::greater<>());
  return scores[k - 1];
}

TEST(ScoreFloor, RisesWithTheKthBestAndIsNeverAboveIt) {
  RandomData random(TestSeed());
  for (const int k : {1, 2, 7, 100}) {
    ScoreFloor floor;
    floor.Reset(k);
    std::vector<float> all;
    float before = kNone;
    for (int round = 0; round < 200; ++round) {
      const std::vector<float> scores = random.Floats(random.Int(0, 20), -5, 5);
      floor.Note(scores);
      all.insert(all.end(), scores.begin(), scores.end());
      EXPECT_LE(floor.floor(), KthBest(all, k));
      EXPECT_GE(floor.floor(), before);
      before = floor.floor();
    }
    // At most k - 1 of the best came after the last cut.
    EXPECT_GE(floor.floor(), KthBest(all, 2 * k)) << k;
  }
}

TEST(ScoreFloor, IsUnknownBelowKScoresAndAfterAReset) {
  ScoreFloor floor;
  floor.Reset(3);
  floor.Note(std::vector<float>{1, 2});
  EXPECT_EQ(floor.floor(), kNone);
  floor.Note(std::vector<float>{3, 4, 5, 6});
  EXPECT_EQ(floor.floor(), 4);
  floor.Reset(1);
  EXPECT_EQ(floor.floor(), kNone);
}

TEST(ScoreFloor, KnowsWhatAllThreadsNoted) {
  RandomData random(TestSeed());
  constexpr int kThreads = 4, kK = 50;
  std::vector<std::vector<float>> scores;
  std::vector<float> all;
  for (int i = 0; i < kThreads; ++i) {
    scores.push_back(random.Floats(5000, 0, 1));
    all.insert(all.end(), scores.back().begin(), scores.back().end());
  }
  ScoreFloor floor;
  floor.Reset(kK);
  std::vector<std::thread> threads;
  for (const std::vector<float>& part : scores) {
    threads.emplace_back([&floor, &part] {
      for (size_t at = 0; at < part.size(); at += 10) {
        floor.Note(std::span(part).subspan(at, 10));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(floor.floor(), KthBest(all, kK));
  EXPECT_GE(floor.floor(), KthBest(all, 2 * kK));
}

}  // namespace
}  // namespace winnow::kernels
