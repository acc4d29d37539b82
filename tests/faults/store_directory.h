#ifndef WINNOW_TESTS_FAULTS_STORE_DIRECTORY_H_
#define WINNOW_TESTS_FAULTS_STORE_DIRECTORY_H_

#include <map>
#include <memory>
#include <string>

#include "rocksdb/env.h"
#include "storage/entry_store.h"

namespace winnow::testing {

// The files of a data directory, by name.
using StoredFiles = std::map<std::string, std::string>;

StoredFiles ReadFiles(const std::string& directory);
// Makes the directory hold these files and nothing else.
void WriteFiles(const std::string& directory, const StoredFiles& files);

// "sst", "log", "manifest", "current", "acknowledged", "options", ...: what a file is for.
std::string KindOfFile(const std::string& name);

// The system's files without its syncs, which only cost time where no power is lost.
std::unique_ptr<rocksdb::Env> HastyEnv();

// Small segments and caches.
EntryStoreOptions SmallStore(const std::string& directory, rocksdb::Env* env,
                             const std::string& boot_id);

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_FAULTS_STORE_DIRECTORY_H_
