#include "services/winnowd/server.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "kernels/backend.h"
#include "services/cluster/metadata.h"
#include "services/cluster/placement.h"
#include "services/cluster/shard_layout.h"
#include "services/coordinator/coordinator.h"
#include "services/coordinator/local_shard_channel.h"
#include "services/shard/shard.h"
#include "services/winnowd/admin_service.h"
#include "services/winnowd/compute.h"
#include "services/winnowd/contexts_service.h"
#include "services/winnowd/executor.h"
#include "services/winnowd/listen_check.h"
#include "services/winnowd/log.h"
#include "services/winnowd/remote_shard_channel.h"
#include "services/winnowd/retrieval_service.h"
#include "services/winnowd/shard_service.h"
#include "services/winnowd/streams.h"
#include "storage/error.h"

namespace winnow {
namespace {

// A node list that never changes has one epoch.
constexpr uint64_t kStaticEpoch = 1;
// Calls and streams served at once; each has a thread. More are refused with RESOURCE_EXHAUSTED.
constexpr int kMaxServerThreads = 2048;
// Queries of a shard that run or wait at once, and as many other calls; kernels share the worker
// pool below them.
constexpr int kShardCallThreads = 16;
constexpr size_t kMaxQueuedShardCalls = 1024;
constexpr int kKeepaliveTimeMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kMinPingIntervalMs = 5'000;

}  // namespace

// Built from top to bottom and taken down from bottom to top.
struct Server::Parts {
  explicit Parts(const Options& options)
      : backend(kernels::ChooseBackend(options.kernels)), pool(options.threads) {}

  const kernels::Backend* const backend;
  kernels::WorkerPool pool;
  std::unique_ptr<shard::Compute> compute;
  std::vector<std::unique_ptr<shard::Shard>> shards;
  std::unique_ptr<cluster::MetadataStore> metadata;
  std::unique_ptr<coordinator::Coordinator> coordinator;
  std::vector<RemoteShardChannel*> remote_shards;  // the coordinator's
  std::unique_ptr<Executor> queries;
  std::unique_ptr<Executor> changes;
  Streams streams;
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<grpc::Server> server;
  std::string address;
  int port = 0;
};

namespace {

// The directory of one of the server's parts; empty where nothing is kept.
std::string DirectoryOf(const Options& options, const std::string& part) {
  return options.data_dir.empty() ? "" : absl::StrCat(options.data_dir, "/", part);
}

std::string ShardDirectory(const Options& options, uint32_t number) {
  return DirectoryOf(options, absl::StrCat("shard-", number));
}

void LogRecovery(uint32_t number, const std::string& directory,
                 const shard::RecoveryReport& report) {
  if (directory.empty()) return;
  Log(LogLevel::kInfo, "recovered",
      {{"shard", absl::StrCat(number)},
       {"directory", directory},
       {"contexts", absl::StrCat(report.contexts)},
       {"layer_entries", absl::StrCat(report.entries)},
       {"layer_entries_from_log", absl::StrCat(report.entries_from_log)},
       {"duration", absl::FormatDuration(report.duration)}});
}

void LogDamage(uint32_t number, const std::string& context_id, const std::string& damage) {
  Log(LogLevel::kError, "damaged page",
      {{"shard", absl::StrCat(number)}, {"context", context_id}, {"damage", damage}});
}

// The layout is known of a shard in the coordinator's process only; others are told by
// coordinators.
absl::StatusOr<std::unique_ptr<shard::Shard>> OpenShard(
    const Options& options, uint32_t number, const std::optional<cluster::ShardLayout>& layout,
    shard::Compute* compute) {
  shard::ShardOptions shard_options{.memory_budget_bytes = options.memory_budget_bytes,
                                    .max_selections = options.max_selections,
                                    .selection_ttl = options.selection_ttl,
                                    .data_dir = ShardDirectory(options, number),
                                    .default_durability = options.durability,
                                    .spill_bytes_per_second = options.spill_bytes_per_second,
                                    .scrub_bytes_per_second = options.scrub_bytes_per_second,
                                    .on_damage = std::bind_front(LogDamage, number)};
  const std::string& directory = shard_options.data_dir;
  absl::StatusOr<std::unique_ptr<shard::Shard>> shard = shard::Shard::Open(shard_options, compute);
  if (!shard.ok()) return shard;
  // Now that no other process has the directory.
  if (layout.has_value() && !directory.empty()) {
    if (absl::Status status = cluster::KeepLayout(directory, *layout); !status.ok()) return status;
  }
  LogRecovery(number, directory, (*shard)->recovery());
  return shard;
}

// The metadata is made once all shards are: a first start that was cut short has made none.
absl::Status CheckDirectories(const Options& options) {
  if (options.data_dir.empty()) return absl::OkStatus();
  std::vector<std::string> directories;
  for (uint32_t i = 0; i < options.shards; ++i) directories.push_back(ShardDirectory(options, i));
  std::error_code unclear;
  return cluster::CheckLayouts(directories,
                               std::filesystem::exists(DirectoryOf(options, "metadata"), unclear));
}

absl::StatusOr<std::unique_ptr<cluster::MetadataStore>> OpenMetadata(const Options& options) {
  const std::string path = DirectoryOf(options, "metadata");
  return path.empty() ? cluster::NewEmbeddedMetadata() : cluster::OpenEmbeddedMetadata(path);
}

std::vector<std::unique_ptr<RemoteShardChannel>> RemoteChannels(const Options& options) {
  std::vector<std::unique_ptr<RemoteShardChannel>> channels;
  const auto count = static_cast<uint32_t>(options.shard_addresses.size());
  for (uint32_t i = 0; i < count; ++i) {
    channels.push_back(
        std::make_unique<RemoteShardChannel>(RemoteShard{.address = options.shard_addresses[i],
                                                         .shard = i,
                                                         .shards = count,
                                                         .epoch = kStaticEpoch}));
  }
  return channels;
}

int MaxReceivedBytes(const Options& options) {
  const size_t margin = options.role == Role::kShard ? kShardMessageMarginBytes : 0;
  return static_cast<int>(options.max_message_bytes + margin);
}

void ConfigureTransport(const Options& options, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(MaxReceivedBytes(options));
  // Without this a second process could share the port and take half of the calls.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              kMinPingIntervalMs);
  grpc::ResourceQuota quota("winnowd");
  quota.SetMaxThreads(kMaxServerThreads);
  builder->SetResourceQuota(quota);
}

// As the health service knows them.
std::vector<std::string> ServiceNames(Role role) {
  if (role == Role::kShard) return {v1::Shard::service_full_name()};
  return {v1::Contexts::service_full_name(), v1::Retrieval::service_full_name(),
          v1::Admin::service_full_name()};
}

std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

}  // namespace

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::Status Server::AddShards(const Options& options, uint32_t count, Parts* parts) {
  for (uint32_t number = 0; number < count; ++number) {
    std::optional<cluster::ShardLayout> layout;
    if (options.role == Role::kStandalone) layout = {.shard = number, .shards = count};
    absl::StatusOr<std::unique_ptr<shard::Shard>> shard =
        OpenShard(options, number, layout, parts->compute.get());
    if (!shard.ok()) return shard.status();
    parts->shards.push_back(*std::move(shard));
  }
  return absl::OkStatus();
}

absl::Status Server::AddShardService(const Options& options, Parts* parts) {
  Parts& p = *parts;
  if (absl::Status status = AddShards(options, 1, parts); !status.ok()) return status;
  for (std::unique_ptr<Executor>* executor : {&p.queries, &p.changes}) {
    *executor = std::make_unique<Executor>(kShardCallThreads, kMaxQueuedShardCalls);
  }
  p.services.push_back(std::make_unique<ShardService>(p.shards[0].get(), ShardDirectory(options, 0),
                                                      p.queries.get(), p.changes.get(), &p.streams,
                                                      options.max_deadline));
  return absl::OkStatus();
}

absl::Status Server::AddCoordinatorServices(const Options& options, Parts* parts) {
  Parts& p = *parts;
  std::vector<std::unique_ptr<coordinator::ShardChannel>> channels;
  if (options.role == Role::kCoordinator) {
    for (std::unique_ptr<RemoteShardChannel>& channel : RemoteChannels(options)) {
      p.remote_shards.push_back(channel.get());
      channels.push_back(std::move(channel));
    }
  } else {
    if (absl::Status status = CheckDirectories(options); !status.ok()) return status;
    if (absl::Status status = AddShards(options, options.shards, parts); !status.ok()) {
      return status;
    }
    for (const auto& shard : p.shards) {
      channels.push_back(std::make_unique<coordinator::LocalShardChannel>(shard.get()));
    }
  }
  absl::StatusOr<std::unique_ptr<cluster::MetadataStore>> metadata = OpenMetadata(options);
  if (!metadata.ok()) return metadata.status();
  p.metadata = *std::move(metadata);
  const auto shard_count = static_cast<uint32_t>(channels.size());
  p.coordinator = std::make_unique<coordinator::Coordinator>(
      coordinator::CoordinatorParts{.map = cluster::ClusterMap::Static(shard_count, kStaticEpoch),
                                    .shards = std::move(channels),
                                    .metadata = p.metadata.get(),
                                    .backend = p.backend,
                                    .pool = &p.pool});
  p.services.push_back(
      std::make_unique<ContextsService>(p.coordinator.get(), &p.streams, options.max_deadline));
  p.services.push_back(
      std::make_unique<RetrievalService>(p.coordinator.get(), &p.streams, options.max_deadline));
  p.services.push_back(std::make_unique<AdminService>(p.coordinator.get(), options.listen,
                                                      &p.streams, options.max_deadline));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options) {
  auto parts = std::make_unique<Parts>(options);
  Parts& p = *parts;
  if (options.role != Role::kCoordinator) {
    absl::StatusOr<std::unique_ptr<shard::Compute>> compute =
        OpenCompute(options, p.backend, &p.pool);
    if (!compute.ok()) return compute.status();
    p.compute = *std::move(compute);
  }
  const absl::Status added = options.role == Role::kShard ? AddShardService(options, &p)
                                                          : AddCoordinatorServices(options, &p);
  if (!added.ok()) return added;

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  ConfigureTransport(options, &builder);
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &p.port);
  for (const auto& service : p.services) builder.RegisterService(service.get());
  p.server = builder.BuildAndStart();
  if (p.server == nullptr || p.port == 0) return WhyNotListening(options.listen);
  p.address = WithPort(options.listen, p.port);
  for (const std::string& name : ServiceNames(options.role)) {
    p.server->GetHealthCheckService()->SetServingStatus(name, true);
  }
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

void Server::Drain(absl::Duration timeout) {
  if (parts_->server == nullptr) return;
  const absl::Time deadline = absl::Now() + timeout;
  parts_->server->GetHealthCheckService()->SetServingStatus(false);
  parts_->streams.Drain(deadline);
  // gRPC waits for handlers, and those would wait for shards until their calls' deadlines.
  for (RemoteShardChannel* shard : parts_->remote_shards) shard->Close();
  parts_->server->Shutdown(absl::ToChronoTime(deadline));
  parts_->server->Wait();
  parts_->server.reset();
}

Server::~Server() { Drain(absl::ZeroDuration()); }

const std::string& Server::address() const { return parts_->address; }
int Server::port() const { return parts_->port; }

}  // namespace winnow
