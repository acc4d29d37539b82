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

constexpr int kMostCpus = 8192;
constexpr size_t kCpuSetBytes = CPU_ALLOC_SIZE(kMostCpus);
using CpuSet = std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)>;
CpuSet NoCpus() {
  CpuSet cpus(CPU_ALLOC(kMostCpus), [](cpu_set_t* set) { CPU_FREE(set); });
  CPU_ZERO_S(kCpuSetBytes, cpus.get());
  return cpus;
}

// CPUs that the calling thread may run on; none if the system does not say.
std::vector<int> CpusOfThread() {
  const CpuSet set = NoCpus();
  std::vector<int> cpus;
  if (sched_getaffinity(0, kCpuSetBytes, set.get()) != 0) return cpus;
  for (int cpu = 0; cpu < kMostCpus; ++cpu) {
    if (CPU_ISSET_S(cpu, kCpuSetBytes, set.get())) cpus.push_back(cpu);
  }
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
  const CpuSet of_node = NoCpus();
  for (const int cpu : CpusOfThread()) {
    if (numa_node_of_cpu(cpu) == node) CPU_SET_S(cpu, kCpuSetBytes, of_node.get());
  }
  return sched_setaffinity(0, kCpuSetBytes, of_node.get()) == 0;
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
  std::set<int> with_cpus;
  for (const int cpu : CpusOfThread()) {
    if (const int node = numa_node_of_cpu(cpu); node >= 0) with_cpus.insert(node);
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
  const auto cpus = static_cast<int>(CpusOfThread().size());
  return std::max(1, cpus > 0 ? cpus : static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace winnow
