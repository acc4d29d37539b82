#include "storage/context_record.h"

#include <xxhash.h>

#include <cstring>
#include <string>

#include "gtest/gtest.h"
#include "storage/error.h"
#include "tests/storage/test_profile.h"

namespace winnow {
namespace {

ContextRecord FullRecord() {
  ContextRecord record;
  record.number = 0x0123456789AB;
  record.context_id = "context id";
  record.tenant = "tenant";
  record.profile = TestProfile();
  record.placement_key = 0xFEDCBA9876543210;
  record.durability = Durability::kSynced;
  record.sealed = true;
  record.pinned_until = absl::FromUnixMicros(1'800'000'000'123'457);
  record.expires_at = absl::FromUnixNanos(1'234'567'890'123'456'789);
  record.origin = ForkOrigin{"parent", 12345};
  return record;
}

TEST(ContextRecord, ComesBackAsItWas) {
  for (int fields = 0; fields < 16; ++fields) {
    ContextRecord record = FullRecord();
    if ((fields & 1) == 0) record.origin.reset();
    if ((fields & 2) == 0) record.expires_at = absl::InfiniteFuture();
    if ((fields & 4) == 0) record.pinned_until = absl::InfinitePast();
    if ((fields & 8) == 0) record.sealed = false;
    const auto decoded = DecodeContextRecord(EncodeContextRecord(record));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, record);
  }
}

TEST(ContextRecord, HasAStableEncoding) {
  ContextRecord record;
  record.number = 1;
  record.context_id = "a";
  record.profile = TestProfile();
  const std::string bytes = EncodeContextRecord(record);
  EXPECT_EQ(bytes.size(), 109u);
  EXPECT_EQ(bytes.substr(0, 17), std::string("\2\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0a", 17));
}

TEST(ContextRecord, NoticesEveryFlippedByteAndEveryTruncation) {
  const std::string bytes = EncodeContextRecord(FullRecord());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] ^= 0x10;
    EXPECT_EQ(ErrorReason(DecodeContextRecord(damaged).status()), "CORRUPT_RECORD") << i;
    EXPECT_EQ(ErrorReason(DecodeContextRecord(bytes.substr(0, i)).status()), "CORRUPT_RECORD") << i;
  }
}

TEST(ContextRecord, OfADurabilityThatThereIsNotIsDamaged) {
  ContextRecord record = FullRecord();
  record.durability = static_cast<Durability>(4);
  EXPECT_EQ(ErrorReason(DecodeContextRecord(EncodeContextRecord(record)).status()),
            "CORRUPT_RECORD");
}

TEST(ContextRecord, OfALaterVersionIsRefused) {
  std::string bytes = EncodeContextRecord(FullRecord());
  bytes[0] = 3;
  const uint64_t checksum = XXH3_64bits(bytes.data(), bytes.size() - sizeof checksum);
  std::memcpy(&bytes[bytes.size() - sizeof checksum], &checksum, sizeof checksum);
  EXPECT_EQ(ErrorReason(DecodeContextRecord(bytes).status()), "UNKNOWN_VERSION");
}

TEST(ContextRecord, NamesDurability) {
  EXPECT_EQ(DurabilityName(Durability::kDefault), "default");
  EXPECT_EQ(DurabilityName(Durability::kMemory), "memory");
  EXPECT_EQ(DurabilityName(Durability::kLogged), "logged");
  EXPECT_EQ(DurabilityName(Durability::kSynced), "synced");
}

}  // namespace
}  // namespace winnow
