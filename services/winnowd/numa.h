#ifndef WINNOW_SERVICES_WINNOWD_NUMA_H_
#define WINNOW_SERVICES_WINNOWD_NUMA_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

// Where a process runs and where its memory is, on machines whose memory lies in several nodes. A
// scan is as fast as the memory it reads: threads of a node read their own at full speed, and all
// nodes together give more than one.
namespace winnow {

// What the process may use; nothing where the system does not know of nodes.
struct NumaNodes {
  std::vector<int> with_memory;
  std::vector<int> with_cpus;
};
NumaNodes AllowedNumaNodes();

struct NumaPlacement {
  std::optional<int> bound_to;  // runs on this node's CPUs, and takes its memory while there is any
  std::vector<int> interleaved;  // takes pages of memory from these in turn
};

// `wanted` is auto, which interleaves if memory lies in several nodes, off, or the number of a node
// to be bound to. Returns "" and sets *placement, or says what would be right.
std::string PlaceOnNuma(const std::string& wanted, const NumaNodes& nodes,
                        NumaPlacement* placement);

// "node 1", "interleaved over nodes 0, 1" or "as the system places it".
std::string Describe(const NumaPlacement& placement);

// For the calling thread and those that it starts from then on. FAILED_PRECONDITION NUMA_REFUSED if
// the system does not let it, as in a container without CAP_SYS_NICE.
absl::Status Apply(const NumaPlacement& placement);

// CPUs that the calling thread may run on, at least 1.
int AllowedCpus();

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_NUMA_H_
