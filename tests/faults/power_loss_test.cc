#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/strings/str_join.h"
#include "rocksdb/env.h"
#include "tests/cluster/process.h"
#include "tests/faults/store_directory.h"
#include "tests/faults/store_history.h"
#include "tests/faults/unsynced_file_system.h"
#include "tests/kernels/random_data.h"

// An EntryStore in this process whose power is lost at its sync boundaries.
namespace winnow::testing {
namespace {

// Synced when they are made and then written through a mapping, beside the file system that is
// watched. After a loss of power they may be as of any time since they were made.
constexpr const char* kWatermarks[] = {"ACKNOWLEDGED", "SYNCED"};

constexpr size_t kShownLines = 20;

struct WatermarkFile {
  std::string made;
  std::string seen;  // as programs see it
};

struct Boundary {
  DiskImage image;
  std::map<std::string, WatermarkFile> watermarks;
  std::vector<size_t> acknowledged;  // steps of each history
};

// Steps of histories, one thread each, and the boundaries they passed.
class WatchedRun {
 public:
  WatchedRun(std::string directory, std::deque<StoreHistory>* histories)
      : directory_(std::move(directory)),
        histories_(*histories),
        disk_(std::make_shared<UnsyncedFileSystem>(rocksdb::FileSystem::Default())),
        env_(rocksdb::NewCompositeEnv(disk_)) {
    disk_->Adopt(directory_);
    disk_->set_on_sync([this](DiskImage image) { Keep(std::move(image)); });
  }

  void Take(int steps, const std::string& boot_id, bool resume) {
    Recovery found;
    auto store = EntryStore::Open(SmallStore(directory_, env_.get(), boot_id), &found);
    ASSERT_TRUE(store.ok()) << store.status();
    std::vector<std::thread> threads;
    for (StoreHistory& history : histories_) {
      if (resume) history.Resume(found);
      threads.emplace_back([&history, &store, steps] {
        for (int i = 0; i < steps; ++i) {
          const absl::Status status = history.Step(store->get());
          ASSERT_TRUE(status.ok()) << status;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    store->reset();
    for (StoreHistory& history : histories_) history.Release();
  }

  const std::vector<Boundary>& boundaries() const { return boundaries_; }
  const std::string& directory() const { return directory_; }

 private:
  void Keep(DiskImage image) {
    Boundary boundary{.image = std::move(image)};
    for (const char* const name : kWatermarks) KeepWatermark(name, &boundary);
    for (const StoreHistory& history : histories_) {
      boundary.acknowledged.push_back(history.acknowledged());
    }
    boundaries_.push_back(std::move(boundary));
  }

  // The file is replaced whenever it is made anew.
  void KeepWatermark(const std::string& name, Boundary* boundary) {
    const std::string path = directory_ + "/" + name;
    struct stat file;
    if (stat(path.c_str(), &file) != 0) return;
    auto& [inode, made] = made_[name];
    std::ifstream stream(path, std::ios::binary);
    const std::string seen(std::istreambuf_iterator<char>(stream), {});
    if (file.st_ino != inode) made = seen;
    inode = file.st_ino;
    boundary->watermarks[name] = {.made = made, .seen = seen};
  }

  const std::string directory_;
  std::deque<StoreHistory>& histories_;
  const std::shared_ptr<UnsyncedFileSystem> disk_;
  const std::unique_ptr<rocksdb::Env> env_;
  // Under the disk's lock.
  std::vector<Boundary> boundaries_;
  std::map<std::string, std::pair<ino_t, std::string>> made_;  // watermarks
};

void Restore(const Boundary& boundary, Survival survival, uint64_t seed, const WatchedRun& run,
             const std::string& directory) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  UnsyncedFileSystem::Restore(boundary.image, survival, seed, run.directory(), directory);
  // Last, for what was adopted of it is old.
  for (const auto& [name, file] : boundary.watermarks) {
    const std::string& bytes = seed % 2 == 0 ? file.made : file.seen;
    std::ofstream(directory + "/" + name, std::ios::binary) << bytes;
  }
}

// What is wrong in a directory that was left by a loss of power, or by less. The histories then
// take what is there for what was acknowledged if they are to `settle`.
std::vector<std::string> Judge(const std::string& directory, const Boundary& boundary,
                               std::deque<StoreHistory>* histories, bool power_lost, bool settle) {
  const auto env = HastyEnv();
  Recovery found;
  const auto store = EntryStore::Open(SmallStore(directory, env.get(), "after"), &found);
  if (!store.ok()) return {absl::StrCat("cannot open: ", store.status().ToString())};
  std::vector<std::string> wrong;
  for (size_t i = 0; i < histories->size(); ++i) {
    StoreHistory& history = (*histories)[i];
    const auto lines = history.Check(boundary.acknowledged[i], power_lost,
                                     /*refused=*/nullptr, found, store->get());
    wrong.insert(wrong.end(), lines.begin(), lines.end());
    if (settle) history.Resume(found);
    history.Release();
  }
  wrong.resize(std::min(wrong.size(), kShownLines));
  return wrong;
}

std::deque<StoreHistory> Histories(uint64_t seed) {
  std::deque<StoreHistory> histories;
  histories.emplace_back(HistoryOptions{.name = "synced", .seed = seed});
  histories.emplace_back(
      HistoryOptions{.name = "mixed",
                     .seed = seed + 1,
                     .durabilities = {Durability::kSynced, Durability::kLogged}});
  return histories;
}

void ExpectSurvives(const WatchedRun& run, std::deque<StoreHistory>* histories, Survival survival,
                    size_t stride, const char* what) {
  const TempDir scratch;
  size_t losses = 0;
  for (size_t i = 0; i < run.boundaries().size(); i += stride) {
    const Boundary& boundary = run.boundaries()[i];
    Restore(boundary, survival, i, run, scratch.File("data"));
    const auto wrong =
        Judge(scratch.File("data"), boundary, histories, /*power_lost=*/true, /*settle=*/false);
    ASSERT_TRUE(wrong.empty()) << what << ", boundary " << i << " of " << run.boundaries().size()
                               << ":\n"
                               << absl::StrJoin(wrong, "\n");
    ++losses;
  }
  std::printf("%-28s %zu losses of power, nothing synced was lost\n", what, losses);
}

// Boundaries from one that is tried to the next: WINNOW_POWER_LOSSES=all tries every one.
size_t Stride() {
  const char* const losses = std::getenv("WINNOW_POWER_LOSSES");
  return losses != nullptr && std::string_view(losses) == "all" ? 1 : 6;
}

TEST(PowerLoss, AtEverySyncBoundaryKeepsWhatWasSynced) {
  const uint64_t seed = kernels::TestSeed();
  const TempDir live;
  std::filesystem::create_directories(live.File("data"));
  std::deque<StoreHistory> histories = Histories(seed);
  WatchedRun run(live.File("data"), &histories);
  ASSERT_NO_FATAL_FAILURE(run.Take(60, "before", /*resume=*/false));
  ASSERT_GT(run.boundaries().size(), 60u);
  ExpectSurvives(run, &histories, Survival::kSyncedOnly, Stride(), "only what was synced");
  ExpectSurvives(run, &histories, Survival::kPartly, 4 * Stride(), "part of the rest too");
  ExpectSurvives(run, &histories, Survival::kLengthsOnly, 4 * Stride(), "zeros for the rest");
}

// That a loss is seen: what was logged alone goes with the power.
TEST(PowerLoss, TakesWhatWasNotSynced) {
  const TempDir live;
  std::filesystem::create_directories(live.File("data"));
  std::deque<StoreHistory> histories;
  histories.emplace_back(HistoryOptions{
      .name = "logged", .seed = kernels::TestSeed(), .durabilities = {Durability::kLogged}});
  WatchedRun run(live.File("data"), &histories);
  ASSERT_NO_FATAL_FAILURE(run.Take(100, "before", /*resume=*/false));
  const TempDir scratch;
  size_t seen = 0;
  for (size_t i = 0; i < run.boundaries().size(); i += 3) {
    const Boundary& boundary = run.boundaries()[i];
    // With the watermark as it was, so that it is the entries that are missed.
    Restore(boundary, Survival::kSyncedOnly, /*seed=*/1, run, scratch.File("data"));
    seen +=
        Judge(scratch.File("data"), boundary, &histories, /*power_lost=*/false, /*settle=*/false)
                .empty()
            ? 0
            : 1;
  }
  EXPECT_GT(seen, 0u);
}

TEST(PowerLoss, AgainAndAgainLosesNothing) {
  constexpr int kLives = 20;
  const uint64_t seed = kernels::TestSeed();
  const TempDir live;
  std::string directory = live.File("0");
  std::filesystem::create_directories(directory);
  std::deque<StoreHistory> histories = Histories(seed);
  std::mt19937_64 random(seed);
  for (int life = 1; life <= kLives; ++life) {
    WatchedRun run(directory, &histories);
    ASSERT_NO_FATAL_FAILURE(run.Take(20, absl::StrCat("boot ", life), /*resume=*/life > 1));
    ASSERT_FALSE(run.boundaries().empty());
    const Boundary& boundary = run.boundaries()[random() % run.boundaries().size()];
    directory = live.File(absl::StrCat(life));
    const uint64_t torn = random();
    const auto survival = static_cast<Survival>(random() % 3);
    const TempDir copy;
    Restore(boundary, survival, torn, run, copy.File("data"));
    const auto wrong =
        Judge(copy.File("data"), boundary, &histories, /*power_lost=*/true, /*settle=*/true);
    ASSERT_TRUE(wrong.empty()) << "life " << life << ", survival " << static_cast<int>(survival)
                               << ", boundary " << (&boundary - run.boundaries().data()) << " of "
                               << run.boundaries().size() << ":\n"
                               << absl::StrJoin(wrong, "\n");
    Restore(boundary, survival, torn, run, directory);
  }
}

}  // namespace
}  // namespace winnow::testing
