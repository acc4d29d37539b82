#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/error.h"
#include "tests/cluster/process.h"
#include "tests/faults/store_directory.h"
#include "tests/faults/store_history.h"
#include "tests/kernels/random_data.h"

// Every stored byte damaged in turn: what is read is right, or refused with a name for it.
// WINNOW_CORRUPTIONS is how many places are damaged in each file, 0 for every byte;
// WINNOW_CORRUPTION_KIND limits it to a kind of file, like "manifest".
namespace winnow::testing {
namespace {

constexpr char kBoot[] = "the same boot";

// Several segments of a few KB.
EntryStoreOptions TinyStore(const std::string& directory, rocksdb::Env* env) {
  EntryStoreOptions options = SmallStore(directory, env, kBoot);
  options.segment_bytes = size_t{8} << 10;
  return options;
}

struct Damage {
  std::string file;
  std::string what;
  std::function<void(StoredFiles*)> act;
};

struct Tally {
  int detected = 0;
  int harmless = 0;
  int wrong = 0;
};

size_t DamagesPerFile() {
  const char* const text = std::getenv("WINNOW_CORRUPTIONS");
  size_t damages = 10;
  if (text != nullptr && !absl::SimpleAtoi(text, &damages)) ADD_FAILURE() << text;
  return damages;
}

// The files of a store that is at work, once it rests: copied at one moment, as a kill would leave
// them.
StoredFiles QuietFiles(const std::string& directory) {
  StoredFiles before;
  StoredFiles files = ReadFiles(directory);
  while (before != files) {
    absl::SleepFor(absl::Milliseconds(100));
    before = std::exchange(files, ReadFiles(directory));
  }
  return files;
}

// A data directory of several contexts and segments, and what it holds.
class Stored {
 public:
  explicit Stored(uint64_t seed)
      : history_({.name = "c",
                  .seed = seed,
                  .durabilities = {Durability::kLogged, Durability::kSynced},
                  .max_append = 6,
                  .max_contexts = 4}),
        env_(HastyEnv()) {}

  // As a kill leaves it if `killed`, else as a clean end does; not counting the steps after.
  void Make(bool killed, int steps_after = 0) {
    const std::string directory = dir_.File("made");
    Recovery found;
    auto store = EntryStore::Open(TinyStore(directory, env_.get()), &found);
    ASSERT_TRUE(store.ok()) << store.status();
    const absl::Status filled = history_.Fill(store->get(), Durability::kLogged, 90, 25);
    ASSERT_TRUE(filled.ok()) << filled;
    ASSERT_NO_FATAL_FAILURE(Step(store->get(), 30));
    if (killed) files_ = QuietFiles(directory);
    ASSERT_NO_FATAL_FAILURE(Step(store->get(), steps_after));
    store->reset();
    history_.Release();
    if (!killed) files_ = ReadFiles(directory);
  }

  const StoredFiles& files() const { return files_; }

  // Counts what became of the damage; tells what is wrong if that was not noticed.
  std::string Try(const Damage& damage, Tally* tally) {
    StoredFiles damaged = files_;
    damage.act(&damaged);
    const std::string directory = dir_.File("damaged");
    WriteFiles(directory, damaged);
    Recovery found;
    auto store = EntryStore::Open(TinyStore(directory, env_.get()), &found);
    if (!store.ok()) {
      EXPECT_NE(ErrorReason(store.status()), "") << damage.what << ": " << store.status();
      ++tally->detected;
      return "";
    }
    int refused = 0;
    const auto wrong = history_.Check(history_.acknowledged(), /*power_lost=*/false, &refused,
                                      found, store->get());
    store->reset();
    int& outcome = !wrong.empty() ? tally->wrong : refused > 0 ? tally->detected : tally->harmless;
    ++outcome;
    return absl::StrJoin(wrong, "\n");
  }

 private:
  void Step(EntryStore* store, int steps) {
    for (int i = 0; i < steps; ++i) {
      const absl::Status status = history_.Step(store);
      ASSERT_TRUE(status.ok()) << status;
    }
  }

  const TempDir dir_;
  StoreHistory history_;
  const std::unique_ptr<rocksdb::Env> env_;
  StoredFiles files_;
};

// Offsets below `size`: all, or so many, among them the first and the last.
std::vector<size_t> Offsets(size_t size, size_t wanted, std::mt19937_64& random) {
  std::vector<size_t> offsets;
  const size_t stride = wanted == 0 ? 1 : std::max<size_t>(1, size / wanted);
  for (size_t at = 0; at < size; at += stride) {
    offsets.push_back(std::min(size - 1, at == 0 ? 0 : at + random() % stride));
  }
  if (!offsets.empty() && offsets.back() != size - 1) offsets.push_back(size - 1);
  return offsets;
}

std::vector<Damage> Damages(const std::string& file, size_t size, size_t wanted,
                            std::mt19937_64& random) {
  std::vector<Damage> damages;
  damages.push_back({file, "deleted", [file](StoredFiles* files) { files->erase(file); }});
  for (const size_t at : Offsets(size, wanted, random)) {
    const auto bit = static_cast<char>(1 << random() % 8);
    damages.push_back({file, absl::StrCat("bit ", int{bit}, " of byte ", at, " flipped"),
                       [=](StoredFiles* files) { (*files)[file][at] ^= bit; }});
    damages.push_back({file, absl::StrCat("byte ", at, " inverted"),
                       [=](StoredFiles* files) { (*files)[file][at] ^= '\xff'; }});
    damages.push_back({file, absl::StrCat("cut at ", at, " of ", size),
                       [=](StoredFiles* files) { (*files)[file].resize(at); }});
  }
  return damages;
}

void ExpectAllDetected(bool killed) {
  const uint64_t seed = kernels::TestSeed();
  std::mt19937_64 random(seed);
  Stored stored(seed);
  ASSERT_NO_FATAL_FAILURE(stored.Make(killed));
  Tally untouched;
  stored.Try({stored.files().begin()->first, "nothing done", [](StoredFiles*) {}}, &untouched);
  ASSERT_EQ(untouched.harmless, 1);
  const char* const only = std::getenv("WINNOW_CORRUPTION_KIND");
  std::map<std::string, Tally> tallies;
  for (const auto& [name, bytes] : stored.files()) {
    const std::string kind = KindOfFile(name);
    if (kind == "text" || (only != nullptr && kind != only)) continue;
    for (const Damage& damage : Damages(name, bytes.size(), DamagesPerFile(), random)) {
      EXPECT_EQ(stored.Try(damage, &tallies[kind]), "") << name << ", " << damage.what;
    }
  }
  std::printf("%-14s %9s %9s %9s   (%s)\n", "kind of file", "detected", "harmless", "wrong",
              killed ? "as a kill left it" : "closed");
  for (const auto& [kind, tally] : tallies) {
    std::printf("%-14s %9d %9d %9d\n", kind.c_str(), tally.detected, tally.harmless, tally.wrong);
  }
}

// That a loss is seen: a copy from before the last steps is whole, and not what must be there.
TEST(Corruption, AnOldCopyIsNotTakenForTheWhole) {
  Stored stored(kernels::TestSeed());
  ASSERT_NO_FATAL_FAILURE(stored.Make(/*killed=*/true, /*steps_after=*/20));
  Tally tally;
  EXPECT_NE(stored.Try({.what = "grown old", .act = [](StoredFiles*) {}}, &tally), "");
  EXPECT_EQ(tally.wrong, 1);
}

TEST(Corruption, OfAClosedStoreIsNeverServed) { ExpectAllDetected(/*killed=*/false); }
TEST(Corruption, OfAKilledStoreIsNeverServed) { ExpectAllDetected(/*killed=*/true); }

}  // namespace
}  // namespace winnow::testing
