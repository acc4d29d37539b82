// How an attention is divided over threads.
#include "kernels/cpu/attend_tasks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace winnow::kernels {
namespace {

// What a variant was asked to do.
struct Asked {
  std::mutex mu;
  int tasks = 0;
  std::map<std::pair<int, int>, int> parts;  // by first row and 32 heads: how often
  std::vector<int> finished;                 // by head: of how many parts
};
Asked* asked;

// Of up to `attend_heads` heads a task.
CpuVariant NotingVariant(int attend_heads) {
  CpuVariant variant = PortableVariant();
  variant.attend_heads = attend_heads;
  variant.attend = [](const AttendParams& params, const AttendTask& task, std::byte*, std::byte*) {
    EXPECT_EQ(task.rows, std::min(kAttendRows, params.row_count - task.first_row));
    const std::lock_guard lock(asked->mu);
    asked->tasks += static_cast<int>(task.first);
    for (int head = 0; head < task.heads; head += kAttendHeads) {
      ++asked->parts[{task.first_row, task.first_head + head}];
    }
  };
  variant.finish_attend = [](const AttendParams&, std::span<std::byte* const> parts, int first_head,
                             int heads) {
    const std::lock_guard lock(asked->mu);
    for (int head = first_head; head < first_head + heads; ++head) {
      asked->finished[head] += static_cast<int>(parts.size());
    }
  };
  return variant;
}

int TasksOf(int attend_heads, int heads, int rows, int threads) {
  Asked now;
  now.finished.resize(heads);
  asked = &now;
  WorkerPool pool(threads);
  AttendMemory memory;
  AttendInTasks(NotingVariant(attend_heads),
                {.format = RowFormat::kBf16, .heads = heads, .latent_dim = 32, .row_count = rows},
                pool, &memory);
  const int parts = (rows + kAttendRows - 1) / kAttendRows;
  const int groups = (heads + kAttendHeads - 1) / kAttendHeads;
  EXPECT_EQ(now.parts.size(), static_cast<size_t>(parts) * groups);
  for (const auto& [part, times] : now.parts) EXPECT_EQ(times, 1) << part.first;
  EXPECT_EQ(now.finished, std::vector<int>(heads, parts));
  return now.tasks;
}

TEST(AttendTasks, AreAsManyAsThreadsWhereThereAreRowsAndHeads) {
  EXPECT_EQ(TasksOf(32, 128, 2048, 16), 16);
  EXPECT_EQ(TasksOf(32, 64, 2048, 8), 8);
  EXPECT_EQ(TasksOf(128, 128, 2048, 16), 16);
  EXPECT_EQ(TasksOf(128, 128, 2048, 2), 4);
  EXPECT_EQ(TasksOf(32, 128, 512, 16), 4);
  EXPECT_EQ(TasksOf(32, 1, 2048, 16), 4);
}

// So that each arranges its queries once.
TEST(AttendTasks, HaveAllRowsWhereHeadsAreEnough) {
  EXPECT_EQ(TasksOf(32, 128, 2048, 1), 4);
  EXPECT_EQ(TasksOf(32, 128, 2048, 2), 4);
  EXPECT_EQ(TasksOf(32, 256, 2048, 8), 8);
}

TEST(AttendTasks, DoEachHeadOfEachPartOnce) {
  for (const int attend_heads : {32, 128}) {
    for (const int heads : {1, 33, 96, 200, 256}) {
      for (const int rows : {1, 511, 513, 1025, 5000}) {
        for (const int threads : {1, 2, 3, 5, 16}) {
          EXPECT_GE(TasksOf(attend_heads, heads, rows, threads), 1);
        }
      }
    }
  }
}

}  // namespace
}  // namespace winnow::kernels
