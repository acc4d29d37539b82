#ifndef WINNOW_STORAGE_CONTEXT_STORAGE_H_
#define WINNOW_STORAGE_CONTEXT_STORAGE_H_

#include <memory>

#include "storage/context_record.h"
#include "storage/page_arena.h"
#include "storage/page_mirror.h"
#include "storage/profile.h"

namespace winnow {

class EntryStore;

// What the stripes of a context share. All pointers must outlive the stripes and their forks.
struct ContextStorage {
  std::shared_ptr<const Profile> profile;
  PageArena* arena = nullptr;
  PageMirror* mirror = nullptr;  // null: no device
  EntryStore* store = nullptr;   // null: memory only
  ContextRecord record;          // of it, the number and the durability
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_CONTEXT_STORAGE_H_
