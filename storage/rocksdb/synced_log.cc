#include "storage/rocksdb/synced_log.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "rocksdb/db.h"
#include "storage/rocksdb/keys.h"
#include "storage/rocksdb/log_chain.h"
#include "storage/rocksdb/status.h"

namespace winnow {

absl::Status CheckSyncedLog(const std::string& directory, rocksdb::Options options,
                            uint64_t synced) {
  if (synced == 0) return absl::OkStatus();
  LogChain chain(/*cut_is_damage=*/false, [](uint64_t) { return true; });
  options.wal_filter = &chain;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* const name : kFamilies) families.emplace_back(name, options);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(options, directory, families, &handles, &opened);
  const std::unique_ptr<rocksdb::DB> db(opened);
  if (!status.ok()) return FromOpening(status, directory);
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  // Where nothing was left to replay, files hold what was synced. Where something was, files may
  // hold later writes too, of some column families.
  const uint64_t reached =
      chain.last_sequence() != 0 ? chain.last_sequence() : db->GetLatestSequenceNumber();
  if (reached >= synced) return absl::OkStatus();
  return CorruptStore("", absl::StrCat("synced entries are missing: the log ends at write ",
                                       reached, ", synced were ", synced));
}

}  // namespace winnow
