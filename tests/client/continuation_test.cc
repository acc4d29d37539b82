#include "client/winnowctl/demo/continuation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "client/winnowctl/demo/report.h"
#include "tests/client/fake_service.h"
#include "winnow/client.h"

namespace winnow::ctl {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr size_t kLength = 12;

std::string RandomText(size_t bytes) {
  std::mt19937 random(7);
  std::string text(bytes, ' ');
  for (char& byte : text) byte = static_cast<char>('a' + random() % 26);
  return text;
}

// A demo of one passage against a service that may lie.
class Demo {
 public:
  explicit Demo(std::string text, FakeService::Lie lie = nullptr)
      : text_(std::move(text)),
        service_(std::move(lie)),
        client_(service_.address()),
        continuation_(client_.OpenContext("text").value(), text_) {}

  absl::StatusOr<Passage> Run(uint64_t start, bool check_with_reference = true) {
    if (absl::Status streamed = continuation_.StreamText(); !streamed.ok()) return streamed;
    return continuation_.Continue(start, kLength, check_with_reference);
  }

  const std::string& text() const { return text_; }
  const Findings& findings() const { return continuation_.findings(); }
  FakeService& service() { return service_; }
  Continuation& continuation() { return continuation_; }
  std::vector<std::string> Failures() const { return DemoReport().Failures(findings()); }

 private:
  const std::string text_;
  FakeService service_;
  client::Client client_;
  Continuation continuation_;
};

template <typename T>
T Get(const std::string& field, size_t i) {
  T value;
  std::memcpy(&value, &field[i * sizeof(T)], sizeof value);
  return value;
}

template <typename T>
void Set(std::string* field, size_t i, T value) {
  std::memcpy(&(*field)[i * sizeof(T)], &value, sizeof value);
}

// Runs a demo whose third answer is a lie.
Findings FindingsOf(const std::function<void(v1::AttendReply*)>& lie,
                    std::vector<std::string>* failures) {
  Demo demo(RandomText(600), [&lie](int number, v1::DecodeReply* reply) {
    if (number == 2) lie(reply->mutable_attend());
  });
  const absl::StatusOr<Passage> passage = demo.Run(300);
  EXPECT_TRUE(passage.ok()) << passage.status();
  *failures = demo.Failures();
  return demo.findings();
}

void ExpectOneWrongSelection(const std::function<void(v1::AttendReply*)>& lie) {
  std::vector<std::string> failures;
  const Findings findings = FindingsOf(lie, &failures);
  EXPECT_EQ(findings.selections, kLength);
  EXPECT_EQ(findings.selections_equal, kLength - 1);
  EXPECT_THAT(failures, ElementsAre("1 of 12 selections differ from brute force"));
}

TEST(Continuation, OfATextThatIsUniqueIsRightEverywhere) {
  for (const size_t bytes :
       {600u, 4700u}) {  // fewer and more entries than top_k, one stripe and two
    Demo demo(RandomText(bytes));
    const absl::StatusOr<Passage> passage = demo.Run(bytes - 200);
    ASSERT_TRUE(passage.ok()) << passage.status();
    EXPECT_EQ(passage->start, bytes - 200);
    EXPECT_EQ(passage->prompt, demo.text().substr(bytes - 200 - kPromptBytes, kPromptBytes));
    EXPECT_EQ(passage->expected, demo.text().substr(bytes - 200, kLength));
    EXPECT_EQ(passage->predicted, passage->expected);
    EXPECT_EQ(passage->unique.size(), kLength);
    EXPECT_THAT(passage->unique, Each(true));
    const Findings& findings = demo.findings();
    EXPECT_EQ(findings.bytes, kLength);
    EXPECT_EQ(findings.bytes_right, kLength);
    EXPECT_EQ(findings.unique_bytes, kLength);
    EXPECT_EQ(findings.unique_bytes_right, kLength);
    EXPECT_EQ(findings.selections, kLength);
    EXPECT_EQ(findings.selections_equal, kLength);
    EXPECT_EQ(findings.reference_scans, 1u);
    EXPECT_EQ(findings.reference_scans_equal, 1u);
    EXPECT_EQ(findings.calls.calls(), kLength);
    EXPECT_THAT(demo.Failures(), IsEmpty());
  }
}

TEST(Continuation, LeavesTheSharedContextAsItWas) {
  Demo demo(RandomText(600));
  ASSERT_TRUE(demo.Run(300, /*check_with_reference=*/false).ok());
  EXPECT_EQ(demo.findings().reference_scans, 0u);
  EXPECT_THAT(demo.service().contexts(), ElementsAre("text"));
  EXPECT_EQ(demo.service().entries("text"), 599u);
  ASSERT_TRUE(demo.continuation().Continue(100, kLength, true).ok());
  EXPECT_EQ(demo.findings().selections_equal, 2 * kLength);
  EXPECT_THAT(demo.Failures(), IsEmpty());
}

TEST(Continuation, WhereTheTextRepeatsNothingIsUnique) {
  const std::string half = RandomText(300);
  Demo demo(half + half);
  const absl::StatusOr<Passage> passage = demo.Run(200);
  ASSERT_TRUE(passage.ok()) << passage.status();
  EXPECT_THAT(passage->unique, Each(false));
  EXPECT_EQ(demo.findings().unique_bytes, 0u);
  EXPECT_EQ(demo.findings().bytes_right, kLength) << "both places go on alike";
  EXPECT_THAT(demo.Failures(), ElementsAre(HasSubstr("no suffix was unique")));
}

TEST(Continuation, SelectionsInTheWrongOrderAreFound) {
  ExpectOneWrongSelection([](v1::AttendReply* reply) {
    std::string* positions = reply->mutable_selection()->mutable_positions();
    const auto first = Get<int32_t>(*positions, 0);
    Set(positions, 0, Get<int32_t>(*positions, 1));
    Set(positions, 1, first);
  });
}

TEST(Continuation, ScoresThatAreOffByABitAreFound) {
  ExpectOneWrongSelection([](v1::AttendReply* reply) {
    std::string* scores = reply->mutable_selection()->mutable_scores();
    Set(scores, 5, Get<uint32_t>(*scores, 5) + 1);
  });
}

TEST(Continuation, SelectionsThatAreTooShortAreFound) {
  ExpectOneWrongSelection([](v1::AttendReply* reply) {
    std::string* positions = reply->mutable_selection()->mutable_positions();
    size_t last = positions->size() / sizeof(int32_t) - 1;
    while (Get<int32_t>(*positions, last) == -1) --last;
    Set<int32_t>(positions, last, -1);
    Set(reply->mutable_selection()->mutable_scores(), last,
        -std::numeric_limits<float>::infinity());
  });
  ExpectOneWrongSelection([](v1::AttendReply* reply) {
    reply->mutable_selection()->clear_positions();
    reply->mutable_selection()->clear_scores();
  });
}

TEST(Continuation, PaddingThatIsNoneIsFound) {
  ExpectOneWrongSelection([](v1::AttendReply* reply) {
    std::string* scores = reply->mutable_selection()->mutable_scores();
    Set(scores, scores->size() / sizeof(float) - 1, 0.0f);
  });
}

TEST(Continuation, WrongBytesLowerTheAccuracy) {
  std::vector<std::string> failures;
  const Findings findings = FindingsOf(
      [](v1::AttendReply* reply) { Set(reply->mutable_outputs(), 'Z', 2.0f); }, &failures);
  EXPECT_EQ(findings.bytes_right, kLength - 1);
  EXPECT_EQ(findings.unique_bytes, kLength);
  EXPECT_EQ(findings.unique_bytes_right, kLength - 1);
  EXPECT_EQ(findings.selections_equal, kLength);
  EXPECT_THAT(failures, ElementsAre(HasSubstr("11 of 12 bytes")));
}

TEST(Continuation, AnErrorOfAStepEndsItAndTheForkIsDeleted) {
  Demo demo(RandomText(600), [](int number, v1::DecodeReply* reply) {
    if (number == 3) {
      reply->set_code(static_cast<int>(absl::StatusCode::kDataLoss));
      reply->set_message("lost it");
    }
  });
  const absl::Status status = demo.Run(300).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(status.message(), "lost it");
  EXPECT_EQ(demo.findings().selections, 3u);
  EXPECT_THAT(demo.service().contexts(), ElementsAre("text"));
}

TEST(Continuation, AForkLivesAsLongAsItsPassage) {
  const std::string text = RandomText(600);
  FakeService service;
  client::Client client(service.address());
  Continuation continuation(client.OpenContext("text").value(), text, nullptr,
                            /*fork_ttl=*/absl::ZeroDuration());
  ASSERT_TRUE(continuation.StreamText().ok());
  ASSERT_TRUE(continuation.Continue(300, kLength, false).ok());
  EXPECT_EQ(service.renewals(), static_cast<int>(kLength));
}

TEST(Continuation, AnAppendThatIsRefusedEndsTheStreaming) {
  Demo demo(RandomText(600));
  ASSERT_TRUE(demo.continuation().StreamText().ok());
  EXPECT_EQ(demo.continuation().StreamText().code(), absl::StatusCode::kInvalidArgument)
      << "the entries are there already";
}

}  // namespace
}  // namespace winnow::ctl
