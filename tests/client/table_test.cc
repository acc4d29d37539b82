#include "client/winnowctl/table.h"

#include <gtest/gtest.h>

#include <limits>

namespace winnow::ctl {
namespace {

TEST(Table, NumbersAlignToTheRightAndTextToTheLeft) {
  Table table({"NAME", "ENTRIES", "SCALE"});
  table.Add({"a", "7", "-0.25"});
  table.Add({"longer", "123456789", "1"});
  EXPECT_EQ(table.ToString(),
            "NAME      ENTRIES  SCALE\n"
            "a               7  -0.25\n"
            "longer  123456789      1\n");
}

TEST(Table, AColumnWithOneTextIsText) {
  Table table({"SIZE", "ERROR"});
  table.Add({"12", ""});
  table.Add({"1.5 MB", "gone"});
  EXPECT_EQ(table.ToString(),
            "SIZE    ERROR\n"
            "12\n"
            "1.5 MB  gone\n")
      << "and no line ends in blanks";
}

TEST(Table, WithoutRowsIsItsHead) { EXPECT_EQ(Table({"A", "LONG"}).ToString(), "A  LONG\n"); }

TEST(FormatBytes, ChangesUnitAtEveryThousand) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1000), "1.0 KB");
  EXPECT_EQ(FormatBytes(999'949), "999.9 KB");
  EXPECT_EQ(FormatBytes(999'999), "1.0 MB");
  EXPECT_EQ(FormatBytes(1234567), "1.2 MB");
  EXPECT_EQ(FormatBytes(999'900'000), "999.9 MB");
  EXPECT_EQ(FormatBytes(1'000'000'000), "1.0 GB");
  EXPECT_EQ(FormatBytes(2'500'000'000'000), "2.5 TB");
}

TEST(FormatBytes, StaysAtTheLargestUnit) {
  EXPECT_EQ(FormatBytes(7'000'000'000'000'000), "7000.0 TB");
  EXPECT_EQ(FormatBytes(std::numeric_limits<uint64_t>::max()), "18446744.1 TB");
}

}  // namespace
}  // namespace winnow::ctl
