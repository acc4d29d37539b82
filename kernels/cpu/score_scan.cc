#include "kernels/cpu/score_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

#include "kernels/cpu/for_each_sought.h"

namespace winnow::kernels {
namespace {

// Pages that a thread claims at once: 4096 keys, about half a megabyte.
constexpr int kPagesPerTask = 64;
constexpr float kNoFloor = -std::numeric_limits<float>::infinity();

// Offers the scores of a page to the row's best.
void Offer(std::span<const float> scores, uint32_t first_position, TopK* best) {
  const bool takes_all = !best->full();
  const float threshold = best->threshold();
  ForEachSought(
      scores, [=](float score) { return takes_all | (score > threshold); },
      [&](size_t i) { best->Push(scores[i], first_position + static_cast<uint32_t>(i)); });
}

// The variant's sieve, if it is of use to the call.
const Sieve* SieveFor(const CpuVariant& variant, const ScoreTopKParams& params, int threads) {
  const Sieve* const sieve = variant.sieve;
  if (sieve == nullptr || !sieve->runs_here() || !sieve->suits(params.query)) return nullptr;
  // Threads of a row, which wait while one of them prepares it.
  const size_t sharers = std::max(1, threads / params.query.rows);
  const size_t least = sharers * sieve->least_entries + sieve->entries_per_selected * params.k;
  return params.pages.size() * kPageEntries >= least ? sieve : nullptr;
}

ScoreQuery RowOf(const ScoreQuery& query, int row) {
  ScoreQuery one = query;
  one.rows = 1;
  one.queries += row * query.heads * QueryBytes(query.format, query.dim);
  one.weights += row * query.heads;
  return one;
}

// While it lives, its thread may score pages.
class Entered {
 public:
  Entered(const CpuVariant& variant, const ScoreQuery& query) : variant_(variant) {
    if (variant.enter != nullptr) variant.enter(query);
  }
  ~Entered() {
    if (variant_.leave != nullptr) variant_.leave();
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  const CpuVariant& variant_;
};

// A page's turn as it is once the one before may have made it ready; the next page is then ready.
PageTurn Follow(PageTurn turn, const std::byte** ready) {
  turn.first = *ready != turn.page;
  *ready = turn.next;
  return turn;
}

class Scan {
 public:
  Scan(const CpuVariant& variant, const ScoreTopKParams& params, WorkerPool& pool,
       ScanMemory* memory)
      : variant_(variant),
        params_(params),
        query_(params.query),
        sieve_(SieveFor(variant, params, pool.threads())),
        memory_(*memory) {
    const auto workers = static_cast<size_t>(pool.threads());
    if (memory_.workers.size() < workers) memory_.workers.resize(workers);
    for (Worker& worker : memory_.workers) worker.used = false;
    prepared_ = memory_.prepared.Get(variant.prepared_bytes(query_));
    if (sieve_ != nullptr) ReserveSieve();
    pool.ParallelFor(query_.rows, [this](int row, int worker) {
      variant_.prepare_row(query_, row, prepared_);
      if (sieve_ != nullptr) PrepareToSieve(row, &memory_.workers[worker]);
    });
  }

  void ScanTask(int first_page, int last_page, int worker_number) {
    Worker& worker = memory_.workers[worker_number];
    if (!worker.used) Begin(&worker);
    worker.ready = worker.sieve_ready = nullptr;
    const Entered entered(variant_, query_);
    const auto keys_of = [&](int i) { return i < last_page ? params_.pages[i].keys : nullptr; };
    for (int i = first_page; i < last_page; ++i) {
      const KeyPage& page = params_.pages[i];
      const PageTurn turn = {
          .page = page.keys, .next = keys_of(i + 1), .first = true, .after = keys_of(i + 2)};
      if (sieve_ == nullptr) {
        ScorePage(page, turn, &worker);
      } else if (worker.trial.worthwhile() && AreFloorsKnown()) {
        SievePage(page, turn, &worker);
      } else {
        ScoreUnsieved(page, turn, &worker);
      }
    }
  }

  // Returns how many workers had a task; once all are over.
  int GatherWorkers() {
    memory_.used.clear();
    for (Worker& worker : memory_.workers) {
      if (worker.used) memory_.used.push_back(&worker);
    }
    return static_cast<int>(memory_.used.size());
  }

  // Scores what is left of such a worker's survivors and sorts its best.
  void Finish(int number) {
    Worker& worker = *memory_.used[number];
    if (sieve_ != nullptr) {
      const Entered entered(variant_, query_);
      ScoreAllSurvivors(&worker);
    }
    for (int row = 0; row < query_.rows; ++row) {
      worker.best[row].Sort(sieve_ == nullptr ? kNoFloor : memory_.floors[row].floor());
    }
  }

  // The best of all workers, which have finished.
  void Merge(int row, int worker_number, std::vector<Candidate>* best) {
    std::vector<std::span<const Candidate>>& lists = memory_.workers[worker_number].lists;
    lists.clear();
    for (const Worker* worker : memory_.used) lists.push_back(worker->best[row].sorted());
    MergeCandidates(lists, params_.k, best);
  }

 private:
  using Worker = ScanMemory::Worker;

  void ReserveSieve() {
    sieve_prepared_ = memory_.sieve_prepared.Get(sieve_->prepared_bytes(query_));
    row_bytes_ = variant_.prepared_bytes(RowOf(query_, 0));
    row_bytes_ = (row_bytes_ + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
    rows_prepared_ =
        query_.rows == 1 ? prepared_ : memory_.rows_prepared.Get(query_.rows * row_bytes_);
    while (memory_.floors.size() < static_cast<size_t>(query_.rows)) memory_.floors.emplace_back();
  }

  // A row for the sieve and what passes it.
  void PrepareToSieve(int row, Worker* worker) {
    std::byte* scratch = worker->sieve_scratch.Get(sieve_->prepare_scratch_bytes(query_));
    sieve_->prepare_row(query_, row, sieve_prepared_, scratch);
    if (query_.rows > 1) {
      variant_.prepare_row(RowOf(query_, row), 0, rows_prepared_ + row * row_bytes_);
    }
    memory_.floors[row].Reset(params_.k);
  }

  void Begin(Worker* worker) {
    worker->used = true;
    const auto rows = static_cast<size_t>(query_.rows);
    if (worker->best.size() < rows) worker->best.resize(rows);
    for (size_t row = 0; row < rows; ++row) worker->best[row].Reset(params_.k);
    if (sieve_ == nullptr) return;
    if (worker->survivors.size() < rows) worker->survivors.resize(rows);
    for (size_t row = 0; row < rows; ++row) worker->survivors[row].Reset(query_);
    worker->trial = SieveTrial();
  }

  uint32_t VisibleOf(const KeyPage& page, int row) const {
    const uint32_t visible = params_.visible_entries[row];
    return visible <= page.first_position ? 0
                                          : std::min(page.entries, visible - page.first_position);
  }

  void ScorePage(const KeyPage& page, const PageTurn& turn, Worker* worker) {
    std::byte* scratch = worker->scratch.Get(variant_.score_scratch_bytes(query_));
    alignas(kScratchAlignment) std::array<float, kMaxQueryRows * kPageEntries> scores;
    variant_.score_page(query_, prepared_, Follow(turn, &worker->ready), scratch, scores.data());
    for (int row = 0; row < query_.rows; ++row) {
      const std::span<const float> seen(&scores[static_cast<size_t>(row) * kPageEntries],
                                        VisibleOf(page, row));
      Offer(seen, page.first_position, &worker->best[row]);
      if (sieve_ != nullptr) memory_.floors[row].Note(seen);
    }
  }

  // A row that sees fewer than k entries never has a floor: all that it sees passes.
  bool AreFloorsKnown() const {
    int known = 0;
    for (int row = 0; row < query_.rows; ++row) {
      known += static_cast<int>(memory_.floors[row].floor() > kNoFloor);
    }
    return 2 * known > query_.rows;
  }

  // Survivors that wait come first, as candidates are to be given in the order of positions.
  void ScoreUnsieved(const KeyPage& page, const PageTurn& turn, Worker* worker) {
    if (!worker->trial.worthwhile()) worker->trial.Wait();
    ScoreAllSurvivors(worker);
    ScorePage(page, turn, worker);
  }

  void SievePage(const KeyPage& page, const PageTurn& turn, Worker* worker) {
    std::byte* scratch = worker->sieve_scratch.Get(sieve_->scratch_bytes(query_));
    alignas(kScratchAlignment) std::array<float, kMaxQueryRows * kPageEntries> bounds;
    std::array<float, kMaxQueryRows> floors;
    std::array<uint64_t, kMaxQueryRows> passed;
    for (int row = 0; row < query_.rows; ++row) floors[row] = memory_.floors[row].floor();
    sieve_->bound_page(query_, sieve_prepared_, Follow(turn, &worker->sieve_ready), scratch,
                       {.floors = floors.data(), .bounds = bounds.data(), .passed = passed.data()});
    uint64_t entries = 0, kept = 0;
    for (int row = 0; row < query_.rows; ++row) {
      const uint32_t visible = VisibleOf(page, row);
      if (visible == 0) continue;
      entries += visible;
      const uint64_t seen = ~uint64_t{0} >> (kPageEntries - visible);
      kept += KeepSurvivors(passed[row] & seen, page, row, worker);
    }
    worker->trial.Count(entries, kept);
  }

  // Of those entries. Returns how many.
  uint64_t KeepSurvivors(uint64_t entries, const KeyPage& page, int row, Worker* worker) {
    Survivors& survivors = worker->survivors[row];
    uint64_t kept = 0;
    for (; entries != 0; entries &= entries - 1, ++kept) {
      const int entry = std::countr_zero(entries);
      survivors.Add(page.keys, entry, page.first_position + static_cast<uint32_t>(entry));
      if (survivors.full()) ScoreSurvivors(row, worker);
    }
    return kept;
  }

  void ScoreAllSurvivors(Worker* worker) {
    for (int row = 0; row < query_.rows; ++row) {
      if (!worker->survivors[row].empty()) ScoreSurvivors(row, worker);
    }
  }

  void ScoreSurvivors(int row, Worker* worker) {
    Survivors& survivors = worker->survivors[row];
    const ScoreQuery query = RowOf(query_, row);
    std::byte* scratch = worker->scratch.Get(variant_.score_scratch_bytes(query));
    worker->ready = nullptr;
    std::byte* const page = worker->survivor_page.Get(KeyPageBytes(query.format, query.dim));
    survivors.ArrangeIn(page);
    alignas(kScratchAlignment) std::array<float, kPageEntries> scores;
    variant_.score_page(query, rows_prepared_ + row * row_bytes_,
                        {.page = page, .next = nullptr, .first = true}, scratch, scores.data());
    const std::span<const uint32_t> positions = survivors.positions();
    for (size_t i = 0; i < positions.size(); ++i) worker->best[row].Push(scores[i], positions[i]);
    memory_.floors[row].Note(std::span(scores).first(positions.size()));
    survivors.Clear();
  }

  // Constant after construction.
  const CpuVariant& variant_;
  const ScoreTopKParams& params_;
  const ScoreQuery& query_;
  const Sieve* const sieve_;  // null if there is none of use
  std::byte* prepared_ = nullptr;
  std::byte* sieve_prepared_ = nullptr;
  std::byte* rows_prepared_ = nullptr;  // [rows, row_bytes_], each as a query of one row
  size_t row_bytes_ = 0;

  ScanMemory& memory_;  // a worker's part is its own
};

}  // namespace

void ScanPages(const CpuVariant& variant, const ScoreTopKParams& params, WorkerPool& pool,
               ScanMemory* memory, ScoreTopKResult* result) {
  result->selected.resize(params.query.rows);
  for (std::vector<Candidate>& row : result->selected) row.clear();
  Scan scan(variant, params, pool, memory);
  const auto pages = static_cast<int>(params.pages.size());
  const auto cancelled = [&params] {
    return params.cancelled != nullptr && params.cancelled->load(std::memory_order_relaxed);
  };
  pool.ParallelFor((pages + kPagesPerTask - 1) / kPagesPerTask, [&](int task, int worker) {
    if (cancelled()) return;
    const int first = task * kPagesPerTask;
    scan.ScanTask(first, std::min(pages, first + kPagesPerTask), worker);
  });
  result->complete = !cancelled();
  if (!result->complete) return;
  const int workers = scan.GatherWorkers();
  pool.ParallelFor(workers, [&](int number, int) { scan.Finish(number); });
  const auto merge = [&](int row, int worker) { scan.Merge(row, worker, &result->selected[row]); };
  // What one worker found is not worth waking others.
  if (workers > 1) return pool.ParallelFor(params.query.rows, merge);
  for (int row = 0; row < params.query.rows; ++row) merge(row, 0);
}

}  // namespace winnow::kernels
