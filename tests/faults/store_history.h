#ifndef WINNOW_TESTS_FAULTS_STORE_HISTORY_H_
#define WINNOW_TESTS_FAULTS_STORE_HISTORY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "storage/entry_store.h"
#include "tests/faults/entry_bytes.h"

namespace winnow::testing {

// One context as it must be found.
struct ExpectedContext {
  ContextRecord record;  // the number is the store's affair
  Content content{0};
  std::map<uint32_t, std::vector<uint32_t>> ends;  // by stripe: [layers] where each ends
};

struct HistoryOptions {
  std::string name;  // of its contexts, and of nobody else's
  uint64_t seed = 1;
  std::vector<Durability> durabilities = {Durability::kSynced};  // of contexts, taken at random
  uint32_t max_append = 40;                                      // entries of a layer
  size_t max_contexts = 6;
};

// A random life of contexts in an EntryStore, and the judge of what is found of it after a crash.
// Steps are taken by one thread; the rest is thread-safe.
class StoreHistory {
 public:
  explicit StoreHistory(HistoryOptions options);

  // Appends, and now and then creates, forks, changes or removes a context.
  absl::Status Step(EntryStore* store);
  // Appends to a new context of the durability until `entries` are in each layer of stripe 0.
  absl::Status Fill(EntryStore* store, Durability durability, uint32_t entries, uint32_t batch);
  // Lets extents go, once the store has closed: without them it would take entries for deleted.
  void Release() { held_.clear(); }
  // Goes on after a crash with what was found, which Check() has accepted.
  void Resume(const Recovery& found);

  // Steps that were acknowledged.
  size_t acknowledged() const;

  // After that many acknowledged steps, with the next perhaps under way: one line for each thing
  // that is wrong with what was found. `power_lost`: contexts that are not kSynced may be as they
  // were at any earlier time, but whole. Reads that fail by DATA_LOSS are counted in `refused`, or
  // wrong if it is null.
  std::vector<std::string> Check(size_t acknowledged, bool power_lost, int* refused,
                                 const Recovery& found, EntryStore* store) const;

 private:
  // What a step made of a context; none if it removed it.
  struct Change {
    std::string context_id;
    std::optional<ExpectedContext> after;
  };
  // A context that is there, as its owner would know it.
  struct Held {
    ExpectedContext expected;
    std::map<uint32_t, StoredStripe> stripes;
  };

  absl::Status Create(EntryStore* store, Durability durability);
  absl::Status Append(EntryStore* store, Held* held, uint32_t stripe, uint32_t batch);
  absl::Status Fork(EntryStore* store, const Held& parent);
  absl::Status Update(EntryStore* store, Held* held);
  absl::Status Remove(EntryStore* store, const std::string& context_id);

  int Random(int min, int max) { return std::uniform_int_distribution(min, max)(random_); }
  Held* AnyHeld();
  std::string NewName();
  // What is written to the store is known before, so that a crash within the call can be judged.
  void Begin(const std::string& context_id, std::optional<ExpectedContext> after);
  void Acknowledge();
  std::vector<const std::optional<ExpectedContext>*> Acceptable(const std::string& context_id,
                                                                size_t acknowledged,
                                                                bool power_lost) const;

  const HistoryOptions options_;
  std::mt19937_64 random_;
  int names_ = 0;
  std::map<std::string, Held> held_;

  mutable absl::Mutex mu_;
  std::vector<Change> changes_ ABSL_GUARDED_BY(mu_);
  size_t acknowledged_ ABSL_GUARDED_BY(mu_) = 0;
};

// One line for each difference between a context as found and as expected; reads all of it back, by
// range and row by row. `refused` as in StoreHistory::Check.
std::vector<std::string> CompareStored(const ExpectedContext& expected, const StoredContext& found,
                                       int* refused, EntryStore* store);

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_FAULTS_STORE_HISTORY_H_
