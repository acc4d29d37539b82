#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/winnowctl/commands.h"
#include "client/winnowctl/ranges.h"
#include "client/winnowctl/table.h"

namespace winnow::ctl {
namespace {

using client::Planes;
using client::StripeRange;
using client::TierResult;

struct TierFlags {
  std::string id;
  bool all_tenants = false;
  Planes planes = Planes::kKv;
};

// What was done with a context.
struct Total {
  std::string tenant;
  std::string context_id;
  TierResult sum;
};

using Step = std::function<absl::StatusOr<TierResult>(const client::Context&, StripeRange)>;

// Over all ranges of a context.
absl::StatusOr<Total> OverRanges(const std::string& what, const client::Context& context,
                                 const Step& step) {
  Total total{.context_id = context.id()};
  const absl::Status status = ByRanges<TierResult>(
      what, [&](StripeRange range) { return step(context, range); },
      [&](const TierResult& result) {
        total.sum.index_bytes += result.index_bytes;
        total.sum.kv_bytes += result.kv_bytes;
        total.sum.corrupt.insert(total.sum.corrupt.end(), result.corrupt.begin(),
                                 result.corrupt.end());
      });
  if (!status.ok()) return status;
  return total;
}

int Move(const Globals& globals, const TierFlags& flags, const std::string& what,
         const std::string& done, const Step& step) {
  client::Client client = globals.Connect();
  absl::StatusOr<client::Context> context = client.OpenContext(flags.id);
  if (!context.ok()) return Fail(context.status());
  absl::StatusOr<Total> total = OverRanges(what, *context, step);
  if (!total.ok()) return Fail(total.status());
  if (globals.json) {
    std::cout << nlohmann::ordered_json{{"context_id", total->context_id},
                                        {"index_bytes", total->sum.index_bytes},
                                        {"kv_bytes", total->sum.kv_bytes}}
                     .dump(2)
              << "\n";
  } else {
    std::cout << done << " " << FormatBytes(total->sum.kv_bytes) << " of KV rows and "
              << FormatBytes(total->sum.index_bytes) << " of index keys of " << flags.id << "\n";
  }
  return kOk;
}

int Spill(const Globals& globals, const TierFlags& flags) {
  return Move(globals, flags, "spilling", "spilled",
              [&flags](const client::Context& context, StripeRange range) {
                return context.Spill(flags.planes, range);
              });
}

int Restore(const Globals& globals, const TierFlags& flags) {
  return Move(globals, flags, "restoring", "restored",
              [&flags](const client::Context& context, StripeRange range) {
                return context.Restore(flags.planes, range);
              });
}

absl::StatusOr<std::vector<client::ContextName>> ContextsToVerify(const Globals& globals,
                                                                  const TierFlags& flags) {
  const std::string tenant = globals.tenant.empty() ? "default" : globals.tenant;
  if (!flags.id.empty()) return std::vector<client::ContextName>{{tenant, flags.id}};
  return flags.all_tenants ? ListAllContexts(globals) : ListContextsOf(globals, {tenant});
}

absl::StatusOr<Total> VerifyOne(const Globals& globals, const client::ContextName& name,
                                Planes planes) {
  client::Client client = globals.ConnectAs(name.tenant);
  absl::StatusOr<client::Context> context = client.OpenContext(name.context_id);
  if (!context.ok()) return context.status();
  absl::StatusOr<Total> total =
      OverRanges("verifying " + name.context_id, *context,
                 [planes](const client::Context& each, StripeRange range) {
                   return each.Verify(planes, range);
                 });
  if (total.ok()) total->tenant = name.tenant;
  return total;
}

absl::StatusOr<std::vector<Total>> VerifyAll(const Globals& globals, const TierFlags& flags) {
  absl::StatusOr<std::vector<client::ContextName>> names = ContextsToVerify(globals, flags);
  if (!names.ok()) return names.status();
  std::vector<Total> totals;
  for (const client::ContextName& name : *names) {
    absl::StatusOr<Total> total = VerifyOne(globals, name, flags.planes);
    // One of several may be deleted or expire at any time.
    if (absl::IsNotFound(total.status()) && flags.id.empty()) continue;
    if (absl::IsDataLoss(total.status())) {
      // A part of it is lost; the others are still to be looked at.
      Total lost;
      lost.tenant = name.tenant;
      lost.context_id = name.context_id;
      lost.sum.corrupt = {std::string(total.status().message())};
      total = std::move(lost);
    }
    if (!total.ok()) return total.status();
    totals.push_back(*std::move(total));
  }
  return totals;
}

int Verify(const Globals& globals, const TierFlags& flags) {
  absl::StatusOr<std::vector<Total>> totals = VerifyAll(globals, flags);
  if (!totals.ok()) return Fail(totals.status());
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"TENANT", "CONTEXT", "INDEX", "KV", "DAMAGES"});
  std::string damages;
  for (const Total& total : *totals) {
    all.push_back({{"tenant", total.tenant},
                   {"context_id", total.context_id},
                   {"index_bytes", total.sum.index_bytes},
                   {"kv_bytes", total.sum.kv_bytes},
                   {"corrupt", total.sum.corrupt}});
    table.Add({total.tenant, total.context_id, FormatBytes(total.sum.index_bytes),
               FormatBytes(total.sum.kv_bytes), absl::StrCat(total.sum.corrupt.size())});
    for (const std::string& line : total.sum.corrupt) {
      absl::StrAppend(&damages, total.tenant, "/", total.context_id, ": ", line, "\n");
    }
  }
  std::cout << (globals.json ? all.dump(2) + "\n" : table.ToString() + damages);
  return damages.empty() ? kOk : kRefused;
}

void AddPlane(CLI::App* command, TierFlags* flags, Planes preset, const std::string& shown) {
  flags->planes = preset;
  command
      ->add_option_function<std::string>(
          "--plane",
          [flags](const std::string& text) {
            const std::map<std::string, Planes> names = {
                {"kv", Planes::kKv}, {"index", Planes::kIndex}, {"all", Planes::kAll}};
            const auto named = names.find(text);
            if (named == names.end()) {
              throw CLI::ValidationError("--plane is '" + text + "'; it must be kv, index or all");
            }
            flags->planes = named->second;
          },
          "kv, index or all")
      ->default_str(shown)
      ->type_name("");
}

}  // namespace

void AddTierCommands(CLI::App& app, const Globals& globals, Run* run) {
  const auto add = [&](const char* name, const char* help, Planes preset, const char* shown,
                       auto command) {
    auto flags = std::make_shared<TierFlags>();
    CLI::App* sub = app.add_subcommand(name, help);
    AddPlane(sub, flags.get(), preset, shown);
    sub->callback([&globals, run, flags, command] {
      *run = [&globals, flags, command] { return command(globals, *flags); };
    });
    return std::pair(flags, sub);
  };
  const auto add_for_one = [&](const char* name, const char* help, auto command) {
    const auto [flags, sub] = add(name, help, Planes::kKv, "kv", command);
    sub->add_option("id", flags->id, "context")->required();
  };
  add_for_one("spill", "Move a context's pages from memory to disk", Spill);
  add_for_one("restore", "Bring a context's pages back into memory", Restore);
  const auto [flags, verify] =
      add("verify", "Compare pages with their checksums: of all contexts of the tenant, or of one",
          Planes::kAll, "all", Verify);
  CLI::Option* const id = verify->add_option("id", flags->id, "context");
  verify->add_flag("--all-tenants", flags->all_tenants, "Contexts of all tenants")->excludes(id);
}

}  // namespace winnow::ctl
