#ifndef WINNOW_TESTS_FAULTS_OWNER_H_
#define WINNOW_TESTS_FAULTS_OWNER_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/faults/entry_bytes.h"
#include "tests/faults/rpc.h"

namespace winnow::testing {

enum class Act { kNone, kCreate, kAppend, kFork, kSeal, kDelete, kSpill, kRestore, kQuery };
const char* ActName(Act act);

// A context as its owner knows it.
struct OwnedContext {
  std::string id;
  Durability durability = Durability::kLogged;
  Profile profile;
  Content content{0};
  std::vector<uint64_t> ends;  // [layers] acknowledged
  bool sealed = false;

  uint64_t entries() const;  // that every stored layer holds
};

// One thread's contexts in a service that is killed again and again: what was acknowledged, what
// was under way, and whether what is found afterwards is right. Owners share nothing but the
// service. Not thread-safe but for under_way().
class Owner {
 public:
  Owner(std::string name, uint64_t seed) : name_(std::move(name)), random_(seed) {}

  // Acts at random, the given act more often, until a call finds nobody there or `stop`.
  void Work(Rpc* rpc, Act emphasis, const std::atomic<bool>& stop);
  // Once the service has started anew: finishes what was under way, which must have happened wholly
  // or not at all.
  void Return(Rpc* rpc);
  // Goes on until a context with entries is held that is not sealed.
  void HoldOne(Rpc* rpc);
  // Reads everything back.
  void Verify(Rpc* rpc);
  void VerifyContext(Rpc* rpc, const OwnedContext& context);

  // Thread-safe.
  Act under_way() const { return act_; }
  // Null if there is none.
  const OwnedContext* FindOpen() const;
  const std::map<std::string, OwnedContext>& contexts() const { return contexts_; }
  uint64_t acknowledged_entries() const { return acknowledged_entries_; }
  // One line for each thing that was wrong; a service is right while there is none.
  const std::vector<std::string>& wrong() const { return wrong_; }
  void Forgive() { wrong_.clear(); }

 private:
  // A call of which no answer is known.
  struct UnderWay {
    Act act = Act::kNone;
    OwnedContext context;  // as it was; of a fork and a new one, as it shall be
    std::string parent;
    uint64_t start = 0;
    uint32_t count = 0;
    std::vector<int> layers;
  };

  Act Choose(Act emphasis);
  void Step(Rpc* rpc, Act act);
  void Create(Rpc* rpc);
  void Append(Rpc* rpc, const OwnedContext& context);
  void Fork(Rpc* rpc, const OwnedContext& parent);

  void Begin(UnderWay call);
  // True if the call under way is acknowledged. Otherwise it stays under way, or is wrong.
  bool Answered(const absl::Status& status);
  void Done(const UnderWay& call);
  void Settle(Rpc* rpc);
  void SettleAppend(Rpc* rpc, const UnderWay& append);

  void CompareOutline(const OwnedContext& context, const v1::ContextInfo& info);
  void CompareRows(Rpc* rpc, const OwnedContext& context);
  void CompareGathered(const OwnedContext& context, int layer, uint64_t entries,
                       const absl::StatusOr<v1::GatherReply>& gathered);
  void AppendAgain(Rpc* rpc, const OwnedContext& context, const std::string& id);
  void AppendOther(Rpc* rpc, const OwnedContext& context, const std::string& id);
  void Wrong(const std::string& id, const std::string& what);

  int Random(int min, int max) { return std::uniform_int_distribution(min, max)(random_); }

  const std::string name_;
  std::mt19937_64 random_;
  int names_ = 0;
  std::string fingerprints_[2];  // small rows, large rows
  std::map<std::string, OwnedContext> contexts_;
  std::optional<UnderWay> under_way_;
  std::atomic<Act> act_ = Act::kNone;
  bool gone_ = false;  // nobody answered
  uint64_t acknowledged_entries_ = 0;
  std::vector<std::string> wrong_;
};

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_FAULTS_OWNER_H_
