#include "client/winnowctl/trial_context.h"

#include <gtest/gtest.h>

#include "client/winnowctl/demo/induction_profile.h"
#include "tests/client/fake_service.h"

namespace winnow::ctl {
namespace {

TEST(TrialContextTest, RenewsItsLeaseWhenHalfOfItIsOver) {
  FakeService service;
  client::Client client(service.address());
  auto fresh = TrialContext::Create(client, InductionProfile());
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  EXPECT_TRUE(fresh->Keep().ok());
  EXPECT_EQ(service.renewals(), 0);
  auto over = TrialContext::Create(client, InductionProfile(), absl::ZeroDuration());
  ASSERT_TRUE(over.ok()) << over.status();
  EXPECT_TRUE(over->Keep().ok());
  EXPECT_EQ(service.renewals(), 1);
}

}  // namespace
}  // namespace winnow::ctl
