#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "tests/kernels/output_spread.h"
#include "tests/kernels/random_data.h"
#include "tests/kernels/tested_backends.h"

namespace winnow::kernels {
namespace {

struct Shape {
  RowFormat format = RowFormat::kBf16;
  int heads = 8;
  int latent_dim = 128;
  int rope_dim = 64;
  int row_count = 50;
  float softmax_scale = 0.05f;
};

struct Attention {
  std::vector<float> outputs;
  std::vector<float> lse;
};

struct Inputs {
  Shape shape;
  std::vector<std::byte> queries;
  std::vector<std::byte> rows;
};

Inputs RandomInputs(RandomData& random, const Shape& shape) {
  return {shape, random.Bf16(shape.heads * (shape.latent_dim + shape.rope_dim)),
          random.Rows(shape.format, shape.latent_dim, shape.rope_dim, shape.row_count)};
}

std::vector<const std::byte*> RowsOf(const Inputs& in, int first, int count) {
  const size_t row_bytes = RowBytes(in.shape.format, in.shape.latent_dim, in.shape.rope_dim);
  std::vector<const std::byte*> rows;
  for (int i = first; i < first + count; ++i) rows.push_back(&in.rows[i * row_bytes]);
  return rows;
}

AttendParams Params(const Inputs& in, std::span<const std::byte* const> rows, Attention* out) {
  const Shape& s = in.shape;
  return {.format = s.format,
          .heads = s.heads,
          .latent_dim = s.latent_dim,
          .rope_dim = s.rope_dim,
          .softmax_scale = s.softmax_scale,
          .queries = in.queries.data(),
          .rows = rows.data(),
          .row_count = static_cast<int>(rows.size()),
          .outputs = out->outputs.data(),
          .lse = out->lse.data()};
}

Attention Evaluate(const Backend& backend, const Inputs& in, int first, int count,
                   int threads = 2) {
  const Shape& s = in.shape;
  Attention out{std::vector<float>(size_t{1} * s.heads * s.latent_dim, -7),
                std::vector<float>(s.heads, -7)};
  const std::vector<const std::byte*> rows = RowsOf(in, first, count);
  WorkerPool pool(threads);
  backend.SparseAttention(Params(in, rows, &out), pool);
  return out;
}

Attention Evaluate(const Backend& backend, const Inputs& in) {
  return Evaluate(backend, in, 0, in.shape.row_count);
}

// Outputs are averages of rows, so their error is judged against the largest output of the head,
// and where probabilities are rounded, against what their errors can add up to.
void ExpectAgrees(const Backend& backend, const Inputs& in, const Attention& got,
                  double relative = 2e-3) {
  Attention expected = Evaluate(*ChooseBackend("reference"), in);
  ASSERT_EQ(got.outputs.size(), expected.outputs.size());
  std::vector<double> spread(expected.outputs.size());
  if (RoundsProbabilities(backend) && in.shape.format == RowFormat::kBf16) {
    spread = OutputSpread(Params(in, RowsOf(in, 0, in.shape.row_count), &expected));
  }
  const int latent_dim = in.shape.latent_dim;
  for (size_t head = 0; head < expected.lse.size(); ++head) {
    ASSERT_NEAR(got.lse[head], expected.lse[head],
                relative * std::max(1.0, std::abs(double{expected.lse[head]})));
    double largest = 1e-30;
    for (int d = 0; d < latent_dim; ++d) {
      largest = std::max(largest, std::abs(double{expected.outputs[head * latent_dim + d]}));
    }
    for (int d = 0; d < latent_dim; ++d) {
      const size_t i = head * latent_dim + d;
      ASSERT_NEAR(got.outputs[i], expected.outputs[i], relative * std::max(largest, 4 * spread[i]))
          << "head " << head << " dim " << d;
    }
  }
}

void ExpectAgrees(const Backend& backend, const Inputs& in) {
  ExpectAgrees(backend, in, Evaluate(backend, in));
}

class AttentionTest : public testing::TestWithParam<const Backend*> {
 protected:
  AttentionTest() : random_(TestSeed()) {}
  RandomData random_;
};

INSTANTIATE_TEST_SUITE_P(EveryVariant, AttentionTest, testing::ValuesIn(TestedBackends()),
                         [](const auto& info) { return std::string(info.param->name()); });

TEST_P(AttentionTest, AgreesWithTheReferenceOnRandomShapes) {
  for (const RowFormat format : {RowFormat::kBf16, RowFormat::kFp8FlashMla}) {
    for (int round = 0; round < 6; ++round) {
      const int latent =
          format == RowFormat::kBf16 ? 32 * random_.Int(1, 12) : 128 * random_.Int(1, 3);
      const Inputs in = RandomInputs(random_, {.format = format,
                                               .heads = random_.Int(1, 70),
                                               .latent_dim = latent,
                                               .rope_dim = 16 * random_.Int(0, 4),
                                               .row_count = random_.Int(1, 150),
                                               .softmax_scale = 0.03f});
      ExpectAgrees(*GetParam(), in);
    }
  }
}

TEST_P(AttentionTest, AgreesOnThePublishedShape) {
  for (const RowFormat format : {RowFormat::kBf16, RowFormat::kFp8FlashMla}) {
    const Inputs in = RandomInputs(random_, {.format = format,
                                             .heads = 16,
                                             .latent_dim = 512,
                                             .rope_dim = 64,
                                             .row_count = 2048,
                                             .softmax_scale = 0.0722f});
    ExpectAgrees(*GetParam(), in);
  }
}

TEST_P(AttentionTest, OfNoRowsIsZeroWithAnEmptyLse) {
  const Inputs in = RandomInputs(random_, {.row_count = 1});
  const Attention none = Evaluate(*GetParam(), in, 0, 0);
  for (const float value : none.outputs) EXPECT_EQ(value, 0);
  for (const float value : none.lse) EXPECT_EQ(value, -std::numeric_limits<float>::infinity());
}

TEST_P(AttentionTest, OfOneRowIsItsLatentPart) {
  const Inputs in = RandomInputs(random_, {.heads = 3, .row_count = 1});
  ExpectAgrees(*GetParam(), in, Evaluate(*GetParam(), in), 1e-6);
}

// However probabilities are rounded, outputs are averages and LSEs are not.
TEST_P(AttentionTest, OfRowsWithOneLatentPartIsThatPart) {
  for (const int row_count : {40, 700}) {
    Inputs in = RandomInputs(random_, {.heads = 20, .row_count = row_count, .softmax_scale = 0.3f});
    const size_t row_bytes = in.rows.size() / row_count;
    for (int i = 1; i < row_count; ++i) {
      std::copy_n(in.rows.begin(), 2 * in.shape.latent_dim, in.rows.begin() + i * row_bytes);
    }
    ExpectAgrees(*GetParam(), in, Evaluate(*GetParam(), in), 2e-5);
  }
}

// Variants divide rows into parts of 512, and heads into tasks of up to 128.
TEST_P(AttentionTest, AgreesAroundTheEndsOfPartsOfTheRows) {
  for (const RowFormat format : {RowFormat::kBf16, RowFormat::kFp8FlashMla}) {
    for (const int row_count : {511, 512, 513, 1025}) {
      SCOPED_TRACE(row_count);
      const Inputs in =
          RandomInputs(random_, {.format = format, .heads = 130, .row_count = row_count});
      ExpectAgrees(*GetParam(), in);
    }
  }
}

TEST_P(AttentionTest, SurvivesSharpSoftmax) {
  for (const int row_count : {200, 1025}) {
    const Inputs in = RandomInputs(random_, {.row_count = row_count, .softmax_scale = 30.0f});
    ExpectAgrees(*GetParam(), in);
  }
}

TEST_P(AttentionTest, DoesNotDependOnThreads) {
  for (const RowFormat format : {RowFormat::kBf16, RowFormat::kFp8FlashMla}) {
    for (const int row_count : {77, 1025}) {
      const Inputs in =
          RandomInputs(random_, {.format = format, .heads = 200, .row_count = row_count});
      const Attention one = Evaluate(*GetParam(), in, 0, row_count, 1);
      for (const int threads : {2, 3, 16}) {
        const Attention several = Evaluate(*GetParam(), in, 0, row_count, threads);
        EXPECT_EQ(one.outputs, several.outputs);
        EXPECT_EQ(one.lse, several.lse);
      }
    }
  }
}

TEST_P(AttentionTest, PartsMergeToTheWhole) {
  const Inputs in = RandomInputs(random_, {.heads = 9, .row_count = 90});
  const Attention a = Evaluate(*GetParam(), in, 0, 13);
  const Attention b = Evaluate(*GetParam(), in, 13, 0);
  const Attention c = Evaluate(*GetParam(), in, 13, 77);
  Attention merged{std::vector<float>(a.outputs.size()), std::vector<float>(a.lse.size())};
  const float* outputs[] = {a.outputs.data(), b.outputs.data(), c.outputs.data()};
  const float* lse[] = {a.lse.data(), b.lse.data(), c.lse.data()};
  MergeAttention(outputs, lse, 9, 128, merged.outputs.data(), merged.lse.data());
  ExpectAgrees(*GetParam(), in, merged);
}

TEST(MergeAttention, OfEmptyPartsIsEmpty) {
  const std::vector<float> zeros(64, 0.0f);
  const std::vector<float> empty(2, -std::numeric_limits<float>::infinity());
  const float* outputs[] = {zeros.data(), zeros.data()};
  const float* lse[] = {empty.data(), empty.data()};
  std::vector<float> out(64, 5), out_lse(2, 5);
  MergeAttention(outputs, lse, 2, 32, out.data(), out_lse.data());
  EXPECT_EQ(out, zeros);
  EXPECT_EQ(out_lse, empty);
}

TEST(AttentionSink, TakesWeightAndAddsNothing) {
  std::vector<float> outputs = {4, 8, 2, 6, 1, 1};
  const std::vector<float> lse = {1, 2, -std::numeric_limits<float>::infinity()};
  const std::vector<float> sink = {1, -100, 0};
  ApplyAttentionSink(sink.data(), lse.data(), 3, 2, outputs.data());
  EXPECT_EQ(outputs, (std::vector<float>{2, 4, 2, 6, 0, 0}));
}

}  // namespace
}  // namespace winnow::kernels
