#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/winnowctl/commands.h"
#include "client/winnowctl/duration_option.h"
#include "client/winnowctl/number_option.h"
#include "client/winnowctl/profile_commands.h"
#include "client/winnowctl/synthetic.h"
#include "client/winnowctl/table.h"

namespace winnow::ctl {
namespace {

// Flags of all context commands; each uses its own.
struct ContextFlags {
  std::string id;
  std::string profile;
  std::string fork_id;
  uint64_t entries = 0;
  uint64_t seed = 1;
  bool yes = false;
  client::ContextOptions options;
  const CLI::Option* ttl = nullptr;  // of create
};

// A lease is told in whole milliseconds, by clocks that may be a little apart.
constexpr absl::Duration kExpirySlack = absl::Seconds(1);

std::string InSeconds(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Seconds(1)));
}

std::string ExpiryText(absl::Duration expires_in) {
  return expires_in == absl::InfiniteDuration() ? "never" : "in " + InSeconds(expires_in);
}

std::string PinText(const client::ContextInfo& info) {
  if (!info.pinned) return "no";
  return info.pinned_for == absl::InfiniteDuration() ? "yes" : "for " + InSeconds(info.pinned_for);
}

// 0 where there is no end.
int64_t ToMs(absl::Duration duration) {
  return duration == absl::InfiniteDuration() ? 0 : absl::ToInt64Milliseconds(duration);
}

nlohmann::ordered_json ToJson(const client::ContextInfo& info) {
  return {{"context_id", info.context_id},
          {"tenant", info.tenant},
          {"profile_fingerprint", info.profile_fingerprint},
          {"durability", std::string(DurabilityName(info.durability))},
          {"sealed", info.sealed},
          {"pinned", info.pinned},
          {"pinned_for_ms", ToMs(info.pinned_for)},
          {"expires_in_ms", ToMs(info.expires_in)},
          {"entries", info.entries},
          {"index_bytes", info.index_bytes},
          {"kv_bytes", info.kv_bytes},
          {"resident_index_bytes", info.resident_index_bytes},
          {"resident_kv_bytes", info.resident_kv_bytes},
          {"stored_bytes", info.stored_bytes},
          {"damage", info.damage}};
}

void Print(const Globals& globals, const client::Context& context,
           const client::ContextInfo& info) {
  if (globals.json) {
    nlohmann::ordered_json json = ToJson(info);
    json["layer_entries"] = info.layer_entries;
    json["shard_entries"] = info.shard_entries;
    std::cout << json.dump(2) << "\n";
    return;
  }
  Table table({"FIELD", "VALUE"});
  table.Add({"context", info.context_id});
  table.Add({"tenant", info.tenant});
  table.Add({"profile", context.profile().name + " " + info.profile_fingerprint});
  table.Add({"durability", std::string(DurabilityName(info.durability))});
  table.Add({"sealed", info.sealed ? "yes" : "no"});
  table.Add({"pinned", PinText(info)});
  table.Add({"expires", ExpiryText(info.expires_in)});
  table.Add({"entries", absl::StrCat(info.entries)});
  table.Add({"index", FormatBytes(info.index_bytes)});
  table.Add({"index in memory", FormatBytes(info.resident_index_bytes)});
  table.Add({"KV", FormatBytes(info.kv_bytes)});
  table.Add({"KV in memory", FormatBytes(info.resident_kv_bytes)});
  table.Add({"on disk", FormatBytes(info.stored_bytes)});
  table.Add({"entries by shard", absl::StrJoin(info.shard_entries, ", ")});
  std::cout << table.ToString();
}

int Describe(const Globals& globals, const client::Context& context) {
  absl::StatusOr<client::ContextInfo> info = context.Describe();
  if (!info.ok()) return Fail(info.status());
  Print(globals, context, *info);
  return kOk;
}

// A context that was there keeps what it was made with. An exit code; `taken` is how long ago it
// was asked for.
int CheckIsAsAsked(const client::ContextInfo& info, const ContextFlags& flags,
                   absl::Duration taken) {
  const auto& [durability, ttl] = flags.options;
  const bool expires_later = info.expires_in > ttl + kExpirySlack;
  const bool expires_sooner = info.expires_in < ttl - taken - kExpirySlack;
  if (flags.ttl->count() > 0 && (expires_later || expires_sooner)) {
    std::cerr << "winnowctl: context " << info.context_id << " exists and keeps its lease: expires "
              << ExpiryText(info.expires_in) << "; context renew changes that\n";
  }
  if (durability == Durability::kDefault || durability == info.durability) return kOk;
  std::cerr << "winnowctl: context " << info.context_id << " exists with durability "
            << DurabilityName(info.durability) << ", not " << DurabilityName(durability) << "\n";
  return kRefused;
}

// Of a call that was cut short at some of the shards, perhaps.
int FailHalfway(const absl::Status& status, const std::string& id) {
  const int code = Fail(status);
  const bool unclear = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
  if (unclear && !id.empty()) {
    std::cerr
        << "winnowctl: some shards may have done their part; repeat the command for the others\n";
  }
  return code;
}

int Create(const Globals& globals, const ContextFlags& flags) {
  client::Client client = globals.Connect();
  absl::StatusOr<std::string> fingerprint = ResolveProfile(client, flags.profile);
  if (!fingerprint.ok()) return Fail(fingerprint.status());
  const absl::Time asked = absl::Now();
  absl::StatusOr<client::Context> context =
      client.CreateContext(*fingerprint, flags.id, flags.options);
  if (!context.ok()) return FailHalfway(context.status(), flags.id);
  absl::StatusOr<client::ContextInfo> info = context->Describe();
  if (!info.ok()) return Fail(info.status());
  Print(globals, *context, *info);
  return CheckIsAsAsked(*info, flags, absl::Now() - asked);
}

int Append(const Globals& globals, const ContextFlags& flags) {
  return WithContext(globals, flags.id, [&](const client::Context& context) {
    absl::StatusOr<client::ContextInfo> info = context.Describe();
    if (!info.ok()) return Fail(info.status());
    uint64_t at = info->entries;
    const absl::Status status = FillContext(context, &at, at + flags.entries, flags.seed);
    if (status.ok()) return Describe(globals, context);
    std::cerr << "winnowctl: " << at - info->entries << " of " << flags.entries
              << " entries were appended; they end at " << at << "\n";
    return Fail(status);
  });
}

int List(const Globals& globals, const ContextFlags&) {
  client::Client client = globals.Connect();
  absl::StatusOr<std::vector<client::ContextInfo>> contexts = client.ListContexts();
  if (!contexts.ok()) return Fail(contexts.status());
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"CONTEXT", "ENTRIES", "INDEX", "KV", "IN MEMORY", "ON DISK", "SEALED", "PROFILE"});
  std::string damages;
  for (const client::ContextInfo& info : *contexts) {
    if (!info.damage.empty()) {
      absl::StrAppend(&damages, info.context_id, " is damaged: ", info.damage, "\n");
    }
    all.push_back(ToJson(info));
    table.Add({info.context_id, absl::StrCat(info.entries), FormatBytes(info.index_bytes),
               FormatBytes(info.kv_bytes),
               FormatBytes(info.resident_index_bytes + info.resident_kv_bytes),
               FormatBytes(info.stored_bytes), info.sealed ? "yes" : "no",
               info.profile_fingerprint});
  }
  std::cout << (globals.json ? all.dump(2) + "\n" : table.ToString() + damages);
  return kOk;
}

// kOk, or the exit code if the answer is not yes.
int AskToDelete(const std::string& id) {
  std::cerr << "Delete context " << id << " and all it holds? [y/N] ";
  std::string answer;
  const bool answered = static_cast<bool>(std::getline(std::cin, answer));
  const std::string word = absl::AsciiStrToLower(absl::StripAsciiWhitespace(answer));
  if (word == "y" || word == "yes") return kOk;
  if (!answered) {
    std::cerr << "\n";
    return FailUsage("nobody answers, so context " + id + " is kept; --yes deletes without asking");
  }
  std::cerr << "winnowctl: context " << id << " is kept\n";
  return kRefused;
}

int Delete(const Globals& globals, const ContextFlags& flags) {
  if (const int code = flags.yes ? kOk : AskToDelete(flags.id); code != kOk) return code;
  // Not by a handle: what a shard has lost a part of cannot be opened.
  const absl::Status status = globals.Connect().DeleteContext(flags.id);
  return status.ok() ? kOk : FailHalfway(status, flags.id);
}

int Fork(const Globals& globals, const ContextFlags& flags) {
  return WithContext(globals, flags.id, [&](const client::Context& context) {
    absl::StatusOr<client::Context> fork =
        context.Fork(flags.entries, flags.fork_id, flags.options.ttl);
    return fork.ok() ? Describe(globals, *fork) : Fail(fork.status());
  });
}

int Seal(const Globals& globals, const ContextFlags& flags) {
  return WithContext(globals, flags.id, [](const client::Context& context) {
    const absl::Status status = context.Seal();
    return status.ok() ? kOk : Fail(status);
  });
}

int Renew(const Globals& globals, const ContextFlags& flags) {
  return WithContext(globals, flags.id, [&](const client::Context& context) {
    const absl::Status status = context.RenewLease(flags.options.ttl);
    return status.ok() ? kOk : Fail(status);
  });
}

void AddDurability(CLI::App* command, Durability* durability) {
  const auto parse = [durability](const std::string& text) {
    for (const Durability named : {Durability::kMemory, Durability::kLogged, Durability::kSynced}) {
      if (text != DurabilityName(named)) continue;
      *durability = named;
      return;
    }
    throw CLI::ValidationError("--durability is '" + text +
                               "'; it must be memory, logged or synced");
  };
  command
      ->add_option_function<std::string>("--durability", parse,
                                         "when appends are acknowledged: in memory, logged or "
                                         "synced; up to the shards if not given; an error where "
                                         "one exists with another")
      ->type_name("");
}

}  // namespace

void AddContextCommands(CLI::App& app, const Globals& globals, Run* run) {
  CLI::App* context = app.add_subcommand("context", "Contexts and what they hold");
  context->require_subcommand(1);
  auto flags = std::make_shared<ContextFlags>();
  const auto add_id = [flags](CLI::App* sub) {
    sub->add_option("id", flags->id, "context")->required();
    return sub;
  };
  const auto add = [&](const char* name, const char* help, auto command) {
    CLI::App* sub = context->add_subcommand(name, help);
    sub->callback([&globals, run, flags, command] {
      *run = [&globals, flags, command] { return command(globals, *flags); };
    });
    return sub;
  };
  CLI::App* create = add("create", "Create an empty context, or find that it exists", Create);
  create
      ->add_option("--profile", flags->profile,
                   "fingerprint, or name that one profile or preset alone has")
      ->required();
  create->add_option("--id", flags->id, "drawn at random if not given");
  AddDurability(create, &flags->options.durability);
  flags->ttl = AddDuration(create, "--ttl", "never", &flags->options.ttl,
                           "deleted this long after creation or renewal, like 36h; one that exists "
                           "keeps its lease")
                   ->default_str("never");
  CLI::App* append =
      add_id(add("append", "Append synthetic entries where the context ends", Append));
  AddNumber(append, "--synthetic", 1, kMaxEntries, &flags->entries, "entries to append")
      ->required()
      ->default_str("");
  AddSeed(append, &flags->seed, "of the random entries");
  add("list", "All contexts of the tenant", List);
  add_id(add("describe", "One context", [](const Globals& g, const ContextFlags& f) {
    return WithContext(g, f.id, [&g](const client::Context& c) { return Describe(g, c); });
  }));
  CLI::App* fork = add_id(add("fork", "Make a context of another one's beginning", Fork));
  AddNumber(fork, "--entries", 0, kMaxEntries, &flags->entries, "entries to keep")
      ->required()
      ->default_str("");
  fork->add_option("--fork-id", flags->fork_id, "drawn at random if not given");
  AddDuration(fork, "--ttl", "never", &flags->options.ttl, "of the fork, as with create")
      ->default_str("never");
  CLI::App* renew = add_id(add("renew", "Let a context live for a while from now on", Renew));
  AddDuration(renew, "--ttl", "never", &flags->options.ttl, "how long, like 36h, or never")
      ->required();
  add_id(add("seal", "Refuse further entries", Seal));
  CLI::App* remove = add_id(add("delete", "Free a context and all it holds", Delete));
  remove->add_flag("--yes", flags->yes, "do not ask; needed where nobody answers");
}

}  // namespace winnow::ctl
