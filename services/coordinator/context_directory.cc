#include "services/coordinator/context_directory.h"

#include <utility>

namespace winnow::coordinator {

std::shared_ptr<const ContextRoute> ContextDirectory::Find(const std::string& shard_id) {
  absl::MutexLock lock(&mu_);
  const auto it = by_id_.find(shard_id);
  if (it == by_id_.end()) return nullptr;
  by_use_.splice(by_use_.end(), by_use_, it->second);
  return *it->second;
}

void ContextDirectory::Insert(std::shared_ptr<const ContextRoute> route) {
  absl::MutexLock lock(&mu_);
  EraseLocked(route->shard_id);
  if (by_use_.size() == max_routes_) EraseLocked(std::string(by_use_.front()->shard_id));
  by_use_.push_back(std::move(route));
  by_id_[by_use_.back()->shard_id] = std::prev(by_use_.end());
}

void ContextDirectory::Erase(const std::string& shard_id) {
  absl::MutexLock lock(&mu_);
  EraseLocked(shard_id);
}

void ContextDirectory::EraseLocked(const std::string& shard_id) {
  const auto it = by_id_.find(shard_id);
  if (it == by_id_.end()) return;
  by_use_.erase(it->second);
  by_id_.erase(it);
}

}  // namespace winnow::coordinator
