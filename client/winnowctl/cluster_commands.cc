#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/winnowctl/commands.h"
#include "client/winnowctl/table.h"

namespace winnow::ctl {
namespace {

int ListNodes(const Globals& globals) {
  client::Client client = globals.Connect();
  absl::StatusOr<std::vector<client::NodeInfo>> nodes = client.ListNodes();
  if (!nodes.ok()) return Fail(nodes.status());
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"NODE", "ADDRESS", "REACHABLE", "ROUND TRIP US", "VERSION", "ERROR"});
  bool all_answer = true;
  for (const client::NodeInfo& node : *nodes) {
    all_answer &= node.reachable;
    all.push_back({{"name", node.name},
                   {"address", node.address},
                   {"reachable", node.reachable},
                   {"round_trip_us", node.round_trip_us},
                   {"version", node.version},
                   {"error", node.error}});
    table.Add({node.name, node.address, node.reachable ? "yes" : "no",
               absl::StrCat(node.round_trip_us), node.version, node.error});
  }
  std::cout << (globals.json ? all.dump(2) + "\n" : table.ToString());
  return all_answer ? kOk : kRefused;
}

std::string FormatDevice(const client::ShardInfo& shard) {
  if (shard.device_capacity_bytes == 0) return "none";
  return absl::StrCat(FormatBytes(shard.device_bytes), " of ",
                      FormatBytes(shard.device_capacity_bytes));
}

int ListShards(const Globals& globals) {
  client::Client client = globals.Connect();
  absl::StatusOr<std::vector<client::ShardInfo>> shards = client.ListShards();
  if (!shards.ok()) return Fail(shards.status());
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"SHARD", "ADDRESS", "SLOTS", "CONTEXTS", "LAYER ENTRIES", "INDEX", "KV", "MEMORY",
               "BUDGET", "DEVICE", "DISK", "DAMAGED PAGES", "THREADS", "KERNELS", "ERROR"});
  bool all_answer = true;
  for (const client::ShardInfo& shard : *shards) {
    all_answer &= shard.error.empty();
    all.push_back({{"shard", shard.shard},
                   {"address", shard.address},
                   {"slots", shard.slots},
                   {"contexts", shard.contexts},
                   {"entries", shard.entries},
                   {"index_bytes", shard.index_bytes},
                   {"kv_bytes", shard.kv_bytes},
                   {"memory_bytes", shard.memory_bytes},
                   {"memory_budget_bytes", shard.memory_budget_bytes},
                   {"device_bytes", shard.device_bytes},
                   {"device_capacity_bytes", shard.device_capacity_bytes},
                   {"disk_bytes", shard.disk_bytes},
                   {"corrupt_pages", shard.corrupt_pages},
                   {"threads", shard.threads},
                   {"kernels", shard.kernels},
                   {"error", shard.error}});
    table.Add(
        {absl::StrCat(shard.shard), shard.address, absl::StrCat(shard.slots),
         absl::StrCat(shard.contexts), absl::StrCat(shard.entries), FormatBytes(shard.index_bytes),
         FormatBytes(shard.kv_bytes), FormatBytes(shard.memory_bytes),
         shard.memory_budget_bytes == 0 ? "none" : FormatBytes(shard.memory_budget_bytes),
         FormatDevice(shard), FormatBytes(shard.disk_bytes), absl::StrCat(shard.corrupt_pages),
         absl::StrCat(shard.threads), shard.kernels, shard.error});
  }
  std::cout << (globals.json ? all.dump(2) + "\n" : table.ToString());
  return all_answer ? kOk : kRefused;
}

}  // namespace

void AddClusterCommands(CLI::App& app, const Globals& globals, Run* run) {
  app.add_subcommand("nodes", "Processes of the cluster; exit code 1 if one cannot be reached")
      ->callback([&globals, run] { *run = [&globals] { return ListNodes(globals); }; });
  app.add_subcommand("shards", "What each shard holds; exit code 1 if one does not answer")
      ->callback([&globals, run] { *run = [&globals] { return ListShards(globals); }; });
}

}  // namespace winnow::ctl
