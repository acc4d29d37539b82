#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "tests/faults/faulty_server.h"
#include "tests/faults/owner.h"
#include "tests/kernels/random_data.h"

// A service whose process is killed again and again, at random moments and at named places, on one
// data directory. How often: --kills=N, or WINNOW_KILLS=N.
namespace winnow::testing {

int kills_wanted = 36;

namespace {

constexpr int kOwners = 2;
constexpr absl::Duration kNamedPatience = absl::Seconds(4);

// Where the process may be killed, by what its passage is likeliest to come with.
struct Failpoint {
  const char* name;
  Act act;
  int max_count;
};
constexpr Failpoint kFailpoints[] = {
    {"append.before_log", Act::kAppend, 60}, {"append.logged", Act::kAppend, 60},
    {"append.publish", Act::kAppend, 60},    {"segment.close", Act::kAppend, 2},
    {"segment.closed", Act::kAppend, 2},     {"spill.stored", Act::kSpill, 8},
    {"spill.freed", Act::kSpill, 8},         {"restore.read", Act::kRestore, 4},
    {"context.add", Act::kCreate, 4},        {"context.remove", Act::kDelete, 4},
    {"fork.copied", Act::kFork, 4},          {"reclaim.compact", Act::kDelete, 1},
    {"reclaim.delete", Act::kDelete, 1},
};

class KillTrial {
 public:
  explicit KillTrial(uint64_t seed) : random_(seed) {
    for (int i = 0; i < kOwners; ++i) {
      owners_.push_back(std::make_unique<Owner>(absl::StrCat("owner", i), random_()));
    }
  }

  // One life of the process. False if something was wrong.
  bool LiveAndDie() {
    if (Random(0, 9) == 0) return DieWhileStarting();
    const Failpoint* const named =
        Random(0, 9) < 4 ? nullptr : &kFailpoints[next_failpoint_++ % std::size(kFailpoints)];
    Start(named);
    if (!FindAllRight()) return false;
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    if (named != nullptr) server_->process().Signal(SIGUSR1);
    for (const auto& owner : owners_) {
      threads.emplace_back([&] {
        Rpc rpc(server_->address());
        owner->Work(&rpc, named == nullptr ? Act::kNone : named->act, stop);
      });
    }
    const std::string place = Die(named);
    for (std::thread& thread : threads) thread.join();
    ++kills_[place];
    return AllRight();
  }

  // Ends it in order, and finds all of it again.
  bool EndWell() {
    Start(nullptr);
    if (!FindAllRight()) return false;
    server_->process().Signal(SIGTERM);
    EXPECT_EQ(server_->process().Wait(), 0) << server_->process().Err();
    Start(nullptr);
    return FindAllRight();
  }

  Owner& owner(int i) { return *owners_[static_cast<size_t>(i)]; }
  Rpc NewRpc() const { return Rpc(server_->address()); }

  int kills() const {
    int kills = 0;
    for (const auto& [place, count] : kills_) kills += count;
    return kills;
  }

  void Print() const {
    std::printf("%-32s kills\n", "where");
    for (const auto& [place, count] : kills_) std::printf("%-32s %5d\n", place.c_str(), count);
    uint64_t entries = 0;
    for (const auto& owner : owners_) entries += owner->acknowledged_entries();
    std::printf("%d kills; %llu entries of layers were acknowledged, none was lost\n", kills(),
                static_cast<unsigned long long>(entries));
  }

 private:
  int Random(int min, int max) { return std::uniform_int_distribution(min, max)(random_); }

  void Start(const Failpoint* named) {
    std::map<std::string, std::string> env;
    if (named != nullptr) {
      env["WINNOW_FAILPOINT"] =
          absl::StrCat(named->name, ":", Random(1, named->max_count), "@USR1");
    }
    server_ = std::make_unique<FaultyServer>(
        dir_.File("data"),
        std::vector<std::string>{"--shards=2", "--threads=1", "--memory-budget=96MiB"}, env);
  }

  bool DieWhileStarting() {
    Start(nullptr);
    absl::SleepFor(absl::Milliseconds(Random(0, 150)));
    server_->Kill();
    ++kills_["at random while starting"];
    return true;
  }

  // Waits for the end, or brings it about; tells where it was.
  std::string Die(const Failpoint* named) {
    Process& process = server_->process();
    if (named != nullptr && process.Wait(kNamedPatience).has_value()) {
      EXPECT_EQ(process.Wait(), 128 + SIGKILL) << process.Err();
      return named->name;
    }
    absl::SleepFor(absl::Milliseconds(Random(0, 500)));
    Act act = Act::kNone;
    for (const auto& owner : owners_) {
      const Act other = owner->under_way();
      // What is done seldom is of more interest.
      if (act == Act::kNone || act == Act::kAppend) act = other == Act::kNone ? act : other;
    }
    // It may have come to the named place only now.
    if (const auto code = process.Wait(absl::ZeroDuration()); code.has_value()) {
      EXPECT_TRUE(named != nullptr && code == 128 + SIGKILL) << *code << process.Err();
      return named == nullptr ? "by itself" : named->name;
    }
    server_->Kill();
    return absl::StrCat("at random during ", ActName(act));
  }

  bool FindAllRight() {
    if (!server_->Serves()) {
      ADD_FAILURE() << "does not start:\n" << server_->process().Err();
      return false;
    }
    std::vector<std::thread> threads;
    for (const auto& owner : owners_) {
      threads.emplace_back([&] {
        Rpc rpc(server_->address());
        owner->Return(&rpc);
        owner->Verify(&rpc);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return AllRight();
  }

  bool AllRight() {
    bool right = true;
    for (const auto& owner : owners_) {
      right = right && owner->wrong().empty();
      EXPECT_TRUE(owner->wrong().empty()) << "after " << kills() << " kills:\n"
                                          << absl::StrJoin(owner->wrong(), "\n");
    }
    if (!right) std::printf("%s\n", server_->process().Err().c_str());
    return right;
  }

  const TempDir dir_;
  std::mt19937_64 random_;
  size_t next_failpoint_ = 0;
  std::vector<std::unique_ptr<Owner>> owners_;
  std::unique_ptr<FaultyServer> server_;
  std::map<std::string, int> kills_;
};

// That a judge who is told a falsehood says so.
void ExpectFalsehoodsAreSeen(KillTrial* trial) {
  Rpc rpc = trial->NewRpc();
  Owner& owner = trial->owner(0);
  owner.HoldOne(&rpc);
  const OwnedContext* const held = owner.FindOpen();
  ASSERT_NE(held, nullptr);
  const OwnedContext truth = *held;
  OwnedContext longer = truth;
  ++longer.ends[0];
  OwnedContext other = truth;
  other.content = truth.content.ContinuedBy(1, truth.entries() - 1);
  OwnedContext sealed = truth;
  sealed.sealed = true;
  OwnedContext gone = truth;
  gone.id += "-gone";
  for (const OwnedContext& falsehood : {longer, other, sealed, gone}) {
    owner.VerifyContext(&rpc, falsehood);
    EXPECT_FALSE(owner.wrong().empty());
    owner.Forgive();
  }
}

TEST(Kill, LosesNothingThatWasAcknowledged) {
  KillTrial trial(kernels::TestSeed());
  while (trial.kills() < kills_wanted) ASSERT_TRUE(trial.LiveAndDie());
  ASSERT_TRUE(trial.EndWell());
  trial.Print();
  ExpectFalsehoodsAreSeen(&trial);
}

}  // namespace
}  // namespace winnow::testing

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::string kills = std::getenv("WINNOW_KILLS") != nullptr ? std::getenv("WINNOW_KILLS") : "";
  for (int i = 1; i < argc; ++i) {
    if (absl::StartsWith(argv[i], "--kills=")) kills = argv[i] + std::string("--kills=").size();
  }
  if (!kills.empty() && !absl::SimpleAtoi(kills, &winnow::testing::kills_wanted)) {
    std::fprintf(stderr, "--kills is '%s'; it must be a number\n", kills.c_str());
    return 2;
  }
  return RUN_ALL_TESTS();
}
