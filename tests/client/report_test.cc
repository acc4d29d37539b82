#include "client/winnowctl/demo/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace winnow::ctl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Findings GoodFindings() {
  Findings findings{.bytes = 400,
                    .bytes_right = 300,
                    .unique_bytes = 200,
                    .unique_bytes_right = 200,
                    .selections = 400,
                    .selections_equal = 400,
                    .reference_scans = 2,
                    .reference_scans_equal = 2};
  findings.calls.Add(2000, {.entries_scanned = 1000, .bytes_moved = 5000, .total_us = 1500});
  return findings;
}

DemoReport GoodReport() {
  return {.tokens = 1000,
          .text_files = 3,
          .shards = 4,
          .processes = 5,
          .passages = 6,
          .append_seconds = 2,
          .total_seconds = 9,
          .index_bytes = 400,
          .kv_bytes = 600,
          .peak_resident_bytes = 1000};
}

TEST(DemoReport, WhereAllIsRightThereAreNoFailures) {
  EXPECT_THAT(GoodReport().Failures(GoodFindings()), IsEmpty());
}

TEST(DemoReport, OneWrongSelectionIsAFailure) {
  Findings findings = GoodFindings();
  --findings.selections_equal;
  EXPECT_THAT(GoodReport().Failures(findings),
              ElementsAre("1 of 400 selections differ from brute force"));
}

TEST(DemoReport, OneWrongReferenceScanIsAFailure) {
  Findings findings = GoodFindings();
  --findings.reference_scans_equal;
  EXPECT_THAT(GoodReport().Failures(findings),
              ElementsAre("1 of 2 selections differ from the reference kernel's"));
}

TEST(DemoReport, AccuracyBelowTheLimitIsAFailure) {
  Findings findings = GoodFindings();
  findings.unique_bytes_right = 199;  // 99.5 %
  EXPECT_THAT(GoodReport().Failures(findings), IsEmpty());
  findings.unique_bytes_right = 198;
  EXPECT_THAT(GoodReport().Failures(findings),
              ElementsAre(AllOf(HasSubstr("198 of 200 bytes"), HasSubstr("99.5 %"))));
}

TEST(DemoReport, AccuracyElsewhereIsNotJudged) {
  Findings findings = GoodFindings();
  findings.bytes_right = findings.unique_bytes_right;
  EXPECT_THAT(GoodReport().Failures(findings), IsEmpty());
}

TEST(DemoReport, NothingUniqueIsAFailure) {
  Findings findings = GoodFindings();
  findings.unique_bytes = findings.unique_bytes_right = 0;
  EXPECT_THAT(GoodReport().Failures(findings), ElementsAre(HasSubstr("no suffix was unique")));
}

TEST(DemoReport, MemoryAboveTheLimitIsAFailure) {
  DemoReport report = GoodReport();
  // 1.25 * 1000 + 2^28
  EXPECT_EQ(report.resident_bytes_limit(), 268436706u);
  report.peak_resident_bytes = 268436706;
  EXPECT_THAT(report.Failures(GoodFindings()), IsEmpty());
  ++report.peak_resident_bytes;
  EXPECT_THAT(report.Failures(GoodFindings()),
              ElementsAre(AllOf(HasSubstr("memory"), HasSubstr("268.4 MB"))));
}

TEST(DemoReport, EveryFailureIsListed) {
  Findings findings = GoodFindings();
  findings.selections_equal = findings.reference_scans_equal = findings.unique_bytes_right = 0;
  DemoReport report = GoodReport();
  report.peak_resident_bytes = uint64_t{1} << 40;
  EXPECT_EQ(report.Failures(findings).size(), 4u);
}

TEST(DemoReport, JsonTellsFailuresAndFigures) {
  Findings findings = GoodFindings();
  auto json = ReportJson(GoodReport(), findings);
  EXPECT_EQ(json["ok"], true);
  EXPECT_THAT(json["failures"], IsEmpty());
  EXPECT_EQ(json["accuracy"], 0.75);
  EXPECT_EQ(json["unique_accuracy"], 1.0);
  EXPECT_EQ(json["selections_equal"], 400);
  EXPECT_EQ(json["p50_us"], 2000);
  EXPECT_EQ(json["keys_per_second"], 500000);
  EXPECT_EQ(json["append_entries_per_second"], 500);
  EXPECT_EQ(json["append_bytes_per_second"], 500);
  EXPECT_EQ(json["stages_us"]["service_total"], 1500);
  findings.selections_equal = 0;
  json = ReportJson(GoodReport(), findings);
  EXPECT_EQ(json["ok"], false);
  EXPECT_THAT(json["failures"], ElementsAre("400 of 400 selections differ from brute force"));
}

TEST(DemoReport, TextTellsTheSame) {
  const std::string text = ReportText(GoodReport(), GoodFindings());
  for (const char* line : {"accuracy                         300 of 400 bytes (75.00 %)\n",
                           "  where the suffix is unique     200 of 200 bytes (100.00 %)\n",
                           "selections equal to brute force  400 of 400\n",
                           "  to the reference kernel        2 of 2\n",
                           "decode step                      p50 2.0 ms, p99 2.0 ms\n",
                           "append                           500 entries/s, 500 B/s\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, HasSubstr("memory of the service"));
  DemoReport report = GoodReport();
  report.processes = 0;
  EXPECT_THAT(ReportText(report, GoodFindings()), Not(HasSubstr("memory of the service")))
      << "of a service that is not ours";
}

TEST(FormatPassage, WrongBytesAreShownBesideTheRightOnes) {
  const Passage passage = {
      .start = 64, .prompt = "a\tb\n", .expected = "xyz\x01", .predicted = "xy\n\x01"};
  EXPECT_EQ(FormatPassage(passage, /*colour=*/false),
            "byte 64\n"
            "  a→b⏎\n"
            "  xy[⏎|z]·\n");
  EXPECT_EQ(FormatPassage(passage, /*colour=*/true),
            "byte 64\n"
            "  a→b⏎\n"
            "  \033[32mx\033[0m\033[32my\033[0m\033[31m⏎\033[0m\033[32m·\033[0m\n");
}

}  // namespace
}  // namespace winnow::ctl
