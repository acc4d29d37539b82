// What a message cannot hold is an error in the caller's process, not its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "tests/client/fake_service.h"
#include "winnow/client.h"

namespace winnow::ctl {
namespace {

using ::testing::HasSubstr;

class MessageLimitTest : public testing::Test {
 protected:
  static constexpr size_t kBytes = (size_t{1} << 30) + 1;

  void SetUp() override {
    // Address space alone: nobody reads it.
    void* memory =
        mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    layers_ = {{.layer = 0, .kv_rows = {static_cast<const std::byte*>(memory), kBytes}}};
  }
  void TearDown() override { munmap(const_cast<std::byte*>(layers_[0].kv_rows.data()), kBytes); }

  static void ExpectRefused(const absl::Status& status) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("layers is 1073741825 bytes"));
  }

  FakeService service_;
  std::vector<client::LayerEntries> layers_;
};

TEST_F(MessageLimitTest, HoldsForEveryWayToAppend) {
  client::Client client(service_.address());
  const client::Context context = client.OpenContext("text").value();
  ExpectRefused(context.Append(0, 1, layers_).status());
  ExpectRefused(context.AppendAsync(0, 1, layers_).get().status());
  ExpectRefused(
      context.StartDecode()->Run({.start_position = 0, .count = 1, .layers = layers_}).status());
}

TEST_F(MessageLimitTest, HoldsForEveryQuery) {
  client::Client client(service_.address());
  const client::Context context = client.OpenContext("text").value();
  const client::IndexQuery query = {.queries = layers_[0].kv_rows, .visible_entries = {1}};
  const client::AttendRequest attend = {.source = uint64_t{1}, .queries = layers_[0].kv_rows};
  for (const absl::Status& status :
       {context.Select(0, query).status(), context.Gather(0, query).status(),
        context.Attend(attend).status(), context.AttendAsync(attend).get().status(),
        context.StartDecode()->Run({.attend = attend}).status()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the query is 10737418"));
  }
}

TEST_F(MessageLimitTest, AStepDropsNoLayers) {
  client::Client client(service_.address());
  const client::Context context = client.OpenContext("text").value();
  const absl::Status status = context.StartDecode()->Run({.layers = layers_}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("count is 0"));
}

TEST_F(MessageLimitTest, ADecodeTellsThatTheServiceTakesLess) {
  client::Client client(service_.address());
  const client::Context context = client.OpenContext("text").value();
  constexpr size_t kMoreThanTheServiceTakes = 5 << 20;
  layers_[0].kv_rows = layers_[0].kv_rows.first(kMoreThanTheServiceTakes);
  const absl::Status status =
      context.StartDecode()->Run({.start_position = 0, .count = 1, .layers = layers_}).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

}  // namespace
}  // namespace winnow::ctl
