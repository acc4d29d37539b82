#include "services/winnowd/numa.h"

#include <numa.h>
#include <numaif.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/error.h"

namespace winnow {
namespace {

using Mask = std::unique_ptr<bitmask, void (*)(bitmask*)>;

bool KnowsNodes() { return numa_available() >= 0; }

// CPUs that the calling thread may run on; of as many as the mask has room for.
Mask CpusOfThread() {
  Mask cpus(numa_allocate_cpumask(), numa_free_cpumask);
  if (numa_sched_getaffinity(0, cpus.get()) < 0) numa_bitmask_clearall(cpus.get());
  return cpus;
}

absl::Status Refused(const NumaPlacement& placement) {
  return Error(absl::StatusCode::kFailedPrecondition, "NUMA_REFUSED",
               absl::StrCat("memory and threads cannot be placed (", Describe(placement),
                            "): ", strerror(errno), "; --numa=off leaves it to the system"));
}

bool SetPolicy(int mode, const std::vector<int>& nodes) {
  const Mask mask(numa_allocate_nodemask(), numa_free_nodemask);
  for (const int node : nodes) numa_bitmask_setbit(mask.get(), node);
  // The system reads one bit less than it is told.
  return set_mempolicy(mode, mask->maskp, mask->size + 1) == 0;
}

// The node's CPUs, as far as the thread may run on them already.
bool RunOn(int node) {
  const Mask allowed = CpusOfThread();
  for (unsigned cpu = 0; cpu < allowed->size; ++cpu) {
    if (numa_bitmask_isbitset(allowed.get(), cpu) != 0 &&
        numa_node_of_cpu(static_cast<int>(cpu)) != node) {
      numa_bitmask_clearbit(allowed.get(), cpu);
    }
  }
  return numa_sched_setaffinity(0, allowed.get()) == 0;
}

}  // namespace

NumaNodes AllowedNumaNodes() {
  NumaNodes nodes;
  if (!KnowsNodes()) return nodes;
  const Mask memory(numa_get_mems_allowed(), numa_free_nodemask);
  for (int node = 0; node <= numa_max_node(); ++node) {
    if (numa_bitmask_isbitset(memory.get(), node) != 0 && numa_node_size64(node, nullptr) > 0) {
      nodes.with_memory.push_back(node);
    }
  }
  const Mask cpus = CpusOfThread();
  std::set<int> with_cpus;
  for (unsigned cpu = 0; cpu < cpus->size; ++cpu) {
    if (numa_bitmask_isbitset(cpus.get(), cpu) == 0) continue;
    if (const int node = numa_node_of_cpu(static_cast<int>(cpu)); node >= 0) with_cpus.insert(node);
  }
  nodes.with_cpus.assign(with_cpus.begin(), with_cpus.end());
  return nodes;
}

std::string PlaceOnNuma(const std::string& wanted, const NumaNodes& nodes,
                        NumaPlacement* placement) {
  *placement = {};
  if (wanted == "off") return "";
  if (wanted == "auto") {
    if (nodes.with_memory.size() > 1) placement->interleaved = nodes.with_memory;
    return "";
  }
  std::vector<int> complete;
  std::ranges::set_intersection(nodes.with_memory, nodes.with_cpus, std::back_inserter(complete));
  int node = 0;
  if (absl::SimpleAtoi(wanted, &node) && std::ranges::find(complete, node) != complete.end()) {
    placement->bound_to = node;
    return "";
  }
  return complete.empty()
             ? "auto or off, as this system knows of no NUMA nodes"
             : absl::StrCat("auto, off or a NUMA node: ", absl::StrJoin(complete, ", "));
}

std::string Describe(const NumaPlacement& placement) {
  if (placement.bound_to) return absl::StrCat("node ", *placement.bound_to);
  if (placement.interleaved.empty()) return "as the system places it";
  return absl::StrCat("interleaved over nodes ", absl::StrJoin(placement.interleaved, ", "));
}

absl::Status Apply(const NumaPlacement& placement) {
  if (!placement.interleaved.empty() && !SetPolicy(MPOL_INTERLEAVE, placement.interleaved)) {
    return Refused(placement);
  }
  if (placement.bound_to &&
      (!SetPolicy(MPOL_PREFERRED, {*placement.bound_to}) || !RunOn(*placement.bound_to))) {
    return Refused(placement);
  }
  return absl::OkStatus();
}

int AllowedCpus() {
  constexpr int kMostCpus = 8192;
  const size_t bytes = CPU_ALLOC_SIZE(kMostCpus);
  const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> cpus(
      CPU_ALLOC(kMostCpus), [](cpu_set_t* set) { CPU_FREE(set); });
  const bool known = sched_getaffinity(0, bytes, cpus.get()) == 0;
  return std::max(1, known ? CPU_COUNT_S(bytes, cpus.get())
                           : static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace winnow
