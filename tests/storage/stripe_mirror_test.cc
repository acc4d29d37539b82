#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <utility>

#include "storage/error.h"
#include "storage/page_mirror.h"
#include "storage/stripe.h"
#include "tests/kernels/random_data.h"
#include "tests/storage/stripe_data.h"

namespace winnow {
namespace {

using kernels::kPageEntries;
using kernels::TestSeed;

// A device whose memory is the host's. What was written is to be seen only once it is published.
class FakeMirror final : public PageMirror {
 public:
  explicit FakeMirror(size_t pages) : free_pages_(pages) {}

  Copy Add(size_t page_bytes) override {
    if (free_pages_ == 0) return nullptr;
    --free_pages_;
    auto* memory = new std::byte[page_bytes];
    std::memset(memory, 0xee, page_bytes);
    return Copy(memory, [this](std::byte* gone) {
      ++free_pages_;
      delete[] gone;
    });
  }

  absl::Status Write(const Copy& copy, size_t offset, std::span<const std::byte> bytes) override {
    if (fails_) return Error(absl::StatusCode::kInternal, "DEVICE_FAILED", "told to");
    std::memcpy(copy.get() + offset, bytes.data(), bytes.size());
    unpublished_ = true;
    return absl::OkStatus();
  }

  absl::Status Publish() override {
    unpublished_ = false;
    return absl::OkStatus();
  }

  void Fail() { fails_ = true; }
  bool unpublished() const { return unpublished_; }
  size_t free_pages() const { return free_pages_; }

 private:
  size_t free_pages_;
  bool fails_ = false;
  bool unpublished_ = false;
};

class StripeMirrorTest : public testing::Test {
 protected:
  explicit StripeMirrorTest(size_t pages = 1000) : mirror_(pages) {}

  void Append(Stripe& stripe, uint32_t offset, uint32_t count) {
    const auto written = stripe.Append(offset, count, data_.Slice(offset, count));
    EXPECT_TRUE(written.ok()) << written.status();
    EXPECT_FALSE(mirror_.unpublished());
  }

  // That every entry's copy has the bytes of the entry itself.
  void ExpectMirrored(const Stripe& stripe) const {
    for (const int layer : {0, 2, 3}) {
      for (uint32_t entry = 0; entry < stripe.entries(layer); ++entry) {
        const Place row = KvRow(stripe, layer, entry);
        ASSERT_NE(row.device, nullptr);
        ASSERT_EQ(std::memcmp(row.device, row.host, profile_->row_bytes()), 0)
            << "row " << entry << " of layer " << layer;
        if (!profile_->has_index(layer)) continue;
        const Place page = KeyPage(stripe, layer, entry / kPageEntries);
        ASSERT_EQ(KeyOf(page.device, entry), KeyOf(page.host, entry)) << "key " << entry;
      }
    }
  }

  std::vector<std::byte> KeyOf(const std::byte* page, uint32_t entry) const {
    std::vector<std::byte> key(profile_->key_bytes());
    kernels::ExtractKeys(profile_->key_format, profile_->index_dim, page,
                         static_cast<int>(entry % kPageEntries), 1, key.data());
    return key;
  }

  const std::shared_ptr<const Profile> profile_ = StripeProfile();
  const StripeData data_{*profile_, 400, TestSeed()};
  PageArena arena_{0};
  FakeMirror mirror_;
  const std::shared_ptr<const ContextStorage> storage_ = MemoryStorage(profile_, &arena_, &mirror_);
  std::unique_ptr<Stripe> stripe_ = std::make_unique<Stripe>(storage_, 0);
};

TEST_F(StripeMirrorTest, EveryEntryHasACopyOnTheDevice) {
  for (const auto& [offset, count] : {std::pair{0u, 1u}, {1, 62}, {63, 2}, {65, 200}, {265, 7}}) {
    Append(*stripe_, offset, count);
    ExpectMirrored(*stripe_);
  }
}

TEST_F(StripeMirrorTest, AForkSharesCopiesAndHasOneOfItsPartialPage) {
  Append(*stripe_, 0, 200);
  const absl::StatusOr<std::shared_ptr<Stripe>> fork = stripe_->Fork(stripe_->context(), 150);
  ASSERT_TRUE(fork.ok()) << fork.status();
  EXPECT_FALSE(mirror_.unpublished());
  ExpectMirrored(**fork);
  EXPECT_EQ(KvRow(**fork, 0, 0).device, KvRow(*stripe_, 0, 0).device);
  EXPECT_NE(KvRow(**fork, 0, 149).device, KvRow(*stripe_, 0, 149).device);
  Append(**fork, 150, 100);
  ExpectMirrored(**fork);
  ExpectMirrored(*stripe_);
}

TEST_F(StripeMirrorTest, CopiesAreGivenBackWithTheStripe) {
  const size_t before = mirror_.free_pages();
  Append(*stripe_, 0, 130);
  EXPECT_LT(mirror_.free_pages(), before);
  stripe_.reset();
  EXPECT_EQ(mirror_.free_pages(), before);
}

TEST_F(StripeMirrorTest, AFailedDeviceDoesNotKeepEntriesFromBeingHeld) {
  Append(*stripe_, 0, 30);
  mirror_.Fail();
  Append(*stripe_, 30, 100);
  EXPECT_TRUE(data_.IsHeldBy(*stripe_, 130));
}

class FullDeviceTest : public StripeMirrorTest {
 protected:
  FullDeviceTest() : StripeMirrorTest(3) {}
};

TEST_F(FullDeviceTest, PagesWithoutRoomAreHeldByTheHostAlone) {
  Append(*stripe_, 0, 200);
  EXPECT_TRUE(data_.IsHeldBy(*stripe_, 200));
  EXPECT_NE(KeyPage(*stripe_, 0, 0).device, nullptr);
  EXPECT_EQ(KvRow(*stripe_, 3, 199).device, nullptr);
  EXPECT_EQ(mirror_.free_pages(), 0u);
}

}  // namespace
}  // namespace winnow
