#ifndef WINNOW_KERNELS_CPU_FREE_LIST_H_
#define WINNOW_KERNELS_CPU_FREE_LIST_H_

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace winnow::kernels {

// Working memory that calls take and give back, so that only the first calls allocate: as many
// exist as calls ever ran at once. Thread-safe.
template <typename T>
class FreeList {
 public:
  // Lent until it goes out of scope.
  class Loan {
   public:
    explicit Loan(FreeList* list) : list_(list), item_(list->Take()) {}
    ~Loan() { list_->Return(std::move(item_)); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    T* operator->() { return item_.get(); }
    T& operator*() { return *item_; }

   private:
    FreeList* const list_;
    std::unique_ptr<T> item_;
  };

 private:
  std::unique_ptr<T> Take() {
    std::lock_guard lock(mu_);
    if (free_.empty()) return std::make_unique<T>();
    std::unique_ptr<T> item = std::move(free_.back());
    free_.pop_back();
    return item;
  }

  void Return(std::unique_ptr<T> item) {
    std::lock_guard lock(mu_);
    free_.push_back(std::move(item));
  }

  std::mutex mu_;
  std::vector<std::unique_ptr<T>> free_;  // guarded by mu_
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_FREE_LIST_H_
