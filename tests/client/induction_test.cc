// The demo's hand-made attention: codes, entries, queries, and two scans that must agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "client/winnowctl/demo/brute_force.h"
#include "client/winnowctl/demo/induction_profile.h"
#include "client/winnowctl/demo/reference_scan.h"
#include "client/winnowctl/demo/suffix_codes.h"

namespace winnow::ctl {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

constexpr std::byte kPlus{0x38}, kMinus{0xb8}, kZero{0};

// One bit set here and there; not the codes of any text.
constexpr SuffixCodes kCodes = {.index = {0, 0xffffffff, 1, 0x80000000},
                                .context = {1, 0, ~uint64_t{0}, uint64_t{1} << 63}};

std::vector<std::byte> Signs(uint64_t bits, int count) {
  std::vector<std::byte> signs;
  for (int i = 0; i < count; ++i) signs.push_back((bits >> i & 1) != 0 ? kPlus : kMinus);
  return signs;
}

std::span<const std::byte> Part(std::span<const std::byte> all, size_t from, size_t count) {
  EXPECT_LE(from + count, all.size());
  return all.subspan(from, count);
}

std::vector<float> Floats(std::span<const std::byte> bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(SuffixCodes, EachOrderSeesItsOwnLengthOnly) {
  const std::string end = "0123456789abcdefghijklmnopqrstuv";
  ASSERT_EQ(end.size(), kLongestOrder);
  EXPECT_EQ(CodeSuffix("something " + end), CodeSuffix("otherwise" + end));
  for (size_t i = 0; i < kOrders.size(); ++i) {
    // Differs just before the last kOrders[i] bytes.
    std::string other = end;
    if (kOrders[i] < other.size()) other[other.size() - kOrders[i] - 1] ^= 1;
    const SuffixCodes a = CodeSuffix("?" + end), b = CodeSuffix("!" + other);
    for (size_t j = 0; j < kOrders.size(); ++j) {
      const bool same = kOrders[j] <= kOrders[i];
      EXPECT_EQ(a.index[j] == b.index[j], same) << kOrders[i] << " " << kOrders[j];
      EXPECT_EQ(a.context[j] == b.context[j], same) << kOrders[i] << " " << kOrders[j];
    }
  }
}

TEST(SuffixCodes, AShortTextIsCodedWhole) {
  const SuffixCodes codes = CodeSuffix("abcde");
  EXPECT_NE(codes.index[1], CodeSuffix("xbcde").index[1]);
  EXPECT_EQ(codes.index[0], CodeSuffix("xbcde").index[0]);
  EXPECT_NE(codes.index[1], codes.index[2]) << "orders are hashed apart";
  EXPECT_NE(CodeSuffix("").index, CodeSuffix("a").index);
}

TEST(InductionProfile, IsAProfile) {
  const Profile profile = InductionProfile();
  EXPECT_TRUE(ValidateProfile(profile).ok()) << ValidateProfile(profile);
  EXPECT_EQ(profile.key_bytes(), 132u);
  EXPECT_EQ(profile.row_bytes(), 656u);
  EXPECT_EQ(kFullScore, 480);
}

TEST(InductionEntries, HoldCodesAsSigns) {
  InductionEntries entries;
  entries.Add(kCodes, 'A');
  entries.Add(CodeSuffix("other"), 'B');
  ASSERT_EQ(entries.count(), 2u);
  const client::LayerEntries layer = entries.Layers().at(0);
  EXPECT_EQ(layer.layer, 0);
  ASSERT_EQ(layer.index_keys.size(), 2 * 132u);
  ASSERT_EQ(layer.kv_rows.size(), 2 * 656u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_THAT(Part(layer.index_keys, 32 * i, 32), ElementsAreArray(Signs(kCodes.index[i], 32)));
    EXPECT_THAT(Part(layer.kv_rows, 256 + 64 * i, 64),
                ElementsAreArray(Signs(kCodes.context[i], 64)));
  }
  EXPECT_THAT(Floats(Part(layer.index_keys, 128, 4)), ElementsAre(1.0f));
  for (size_t byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(layer.kv_rows[byte], byte == 'A' ? kPlus : kZero) << byte;
  }
  EXPECT_THAT(Floats(Part(layer.kv_rows, 512, 16)), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(Part(layer.kv_rows, 528, 128), Each(kZero));
  EXPECT_EQ(layer.kv_rows[656 + 'B'], kPlus) << "the second row follows";
  entries.Clear();
  EXPECT_EQ(entries.count(), 0u);
  EXPECT_TRUE(entries.Layers().at(0).index_keys.empty());
}

TEST(InductionQuery, HeadJAsksForOrderJ) {
  const InductionQuery query(kCodes);
  const client::AttendRequest request = query.Request(77);
  const auto& index = std::get<client::IndexQuery>(request.source);
  EXPECT_EQ(request.layer, 0);
  EXPECT_TRUE(request.return_selection);
  EXPECT_THAT(index.visible_entries, ElementsAre(77));
  EXPECT_EQ(index.top_k, 0u);
  EXPECT_THAT(index.weights, ElementsAre(1, 2, 4, 8));
  ASSERT_EQ(index.queries.size(), 4 * 128u);
  for (size_t head = 0; head < 4; ++head) {
    for (size_t order = 0; order < 4; ++order) {
      const auto block = Part(index.queries, head * 128 + order * 32, 32);
      if (head == order) {
        EXPECT_THAT(block, ElementsAreArray(Signs(kCodes.index[order], 32)));
      } else {
        EXPECT_THAT(block, Each(kZero)) << head << " " << order;
      }
    }
  }
}

TEST(InductionQuery, AttendsByTheContextCodes) {
  const InductionQuery query(kCodes);
  const std::span<const std::byte> bytes = query.Request(1).queries;
  std::vector<uint16_t> bf16(bytes.size() / 2);
  std::memcpy(bf16.data(), bytes.data(), bytes.size());
  ASSERT_EQ(bf16.size(), 512u + 64u);
  for (size_t i = 0; i < bf16.size(); ++i) {
    const bool coded = i >= 256 && i < 512;
    const bool set = coded && (kCodes.context[(i - 256) / 64] >> (i - 256) % 64 & 1) != 0;
    EXPECT_EQ(bf16[i], !coded ? 0 : set ? 0x3f80 : 0xbf80) << i;
  }
}

TEST(PredictedByte, IsTheOneWithTheMostWeight) {
  std::vector<float> output(512, 0.0f);
  output[200] = 0.6f;
  output[65] = 0.4f;
  output[300] = 9.0f;  // a code, no byte
  EXPECT_EQ(PredictedByte(output), 200);
}

TEST(BruteForce, CountsBitsThatAgree) {
  BruteForce scan;
  const SuffixCodes wanted = {.index = {5, 6, 7, 8}, .context = {}};
  SuffixCodes one_off = wanted, order_off = wanted, half_off = wanted;
  one_off.index[0] ^= 1u << 31;      // 30 of 32: 2 less, once
  order_off.index[3] ^= 0xffffffff;  // all of order 3: counts as 0, not below
  half_off.index[1] ^= 0x0000ffff;   // agreement of 0
  for (const SuffixCodes& codes : {half_off, wanted, order_off, one_off, wanted}) scan.Add(codes);
  const BruteForce::Selected all = scan.Select(wanted, 5, 10);
  EXPECT_THAT(all.positions, ElementsAre(1, 4, 3, 0, 2)) << "ties go to the lower position";
  EXPECT_THAT(all.scores, ElementsAre(480, 480, 478, 416, 224));
  EXPECT_THAT(scan.Select(wanted, 5, 1).positions, ElementsAre(1));
  EXPECT_THAT(scan.Select(wanted, 4, 10).positions, ElementsAre(1, 3, 0, 2)) << "4 is not visible";
  EXPECT_EQ(scan.IndexCodesAt(3).index, one_off.index);
  scan.Truncate(3);
  EXPECT_EQ(scan.entries(), 3u);
  scan.Add(wanted);
  EXPECT_THAT(scan.Select(wanted, 4, 2).positions, ElementsAre(1, 3));
}

TEST(BruteForce, SelectsWhatTheReferenceKernelSelects) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += i % 3 == 0 ? "she sells " : i % 3 == 1 ? "sea " : "shells; ";
  BruteForce scan;
  for (size_t end = 1; end <= text.size(); ++end) scan.Add(CodeSuffix(text.substr(0, end)));
  for (const char* ending : {"she sells sea ", "", "something else altogether, and long enough"}) {
    const SuffixCodes codes = CodeSuffix(ending);
    const InductionQuery query(codes);
    // Around the edges of a page.
    for (const size_t visible : {size_t{1}, size_t{63}, size_t{64}, size_t{65}, text.size()}) {
      for (const int k : {1, 10, 300}) {
        const BruteForce::Selected selected = scan.Select(codes, visible, k);
        EXPECT_EQ(selected, ReferenceSelect(scan, query, visible, k)) << visible << " " << k;
        EXPECT_EQ(selected.positions.size(), std::min<size_t>(visible, k));
      }
    }
  }
}

}  // namespace
}  // namespace winnow::ctl
