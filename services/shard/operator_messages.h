#ifndef WINNOW_SERVICES_SHARD_OPERATOR_MESSAGES_H_
#define WINNOW_SERVICES_SHARD_OPERATOR_MESSAGES_H_

#include <cstdint>
#include <string>

// Of the calls in messages.h, those that an operator makes.
namespace winnow::shard {

// What is to be done with a range of a context's stripes.
enum class TierAction { kSpill, kRestore, kVerify };

struct Tier {
  TierAction action = TierAction::kSpill;
  std::string context_id;
  uint64_t incarnation = 0;
  bool index = true;  // which planes
  bool kv = true;
  uint32_t first_stripe = 0;
  uint32_t stripes = 0;
};

// Writes what this shard holds of a context into files below a directory of its machine.
struct SaveSnapshot {
  std::string context_id;
  uint64_t incarnation = 0;
  std::string directory;
  uint32_t first_stripe = 0;
  uint32_t stripes = 0;
  uint64_t entries = 0;  // positions below are written, so that all layers end alike
  uint32_t shards = 0;   // that hold the context; only as many take the snapshot back
  bool finish = false;   // seals the snapshot; nothing more is written
};

// Makes a context of such files.
struct LoadSnapshot {
  std::string context_id;    // the new one's
  uint64_t incarnation = 0;  // likewise; not looked at for the first range, which makes it
  std::string tenant;        // likewise, whoever saved it
  uint32_t shards = 0;       // of the cluster it is loaded into
  std::string directory;
  uint32_t first_stripe = 0;
  uint32_t stripes = 0;
};

struct ListTenants {};

// Finished snapshots <directory>/<tenant>/<context id>/<part>.
struct ListSnapshots {
  std::string directory;
  std::string part;
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_OPERATOR_MESSAGES_H_
