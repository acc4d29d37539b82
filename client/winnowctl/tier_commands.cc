#include <algorithm>
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
  absl::Status status;  // of what came after that
};

using Step = std::function<absl::StatusOr<TierResult>(const client::Context&, StripeRange)>;

// Over all ranges of a context.
void OverRanges(const std::string& what, const client::Context& context, const Step& step,
                Total* total) {
  total->status = ByRanges<TierResult>(
      what, [&](StripeRange range) { return step(context, range); },
      [&](const TierResult& result) {
        total->sum.index_bytes += result.index_bytes;
        total->sum.kv_bytes += result.kv_bytes;
        total->sum.corrupt.insert(total->sum.corrupt.end(), result.corrupt.begin(),
                                  result.corrupt.end());
      });
}

int Move(const Globals& globals, const TierFlags& flags, const std::string& what,
         const std::string& done, const Step& step) {
  client::Client client = globals.Connect();
  absl::StatusOr<client::Context> context = client.OpenContext(flags.id);
  if (!context.ok()) return Fail(context.status());
  Total total{.context_id = flags.id};
  OverRanges(what, *context, step, &total);
  if (!total.status.ok()) return Fail(total.status);
  if (globals.json) {
    std::cout << nlohmann::ordered_json{{"context_id", total.context_id},
                                        {"index_bytes", total.sum.index_bytes},
                                        {"kv_bytes", total.sum.kv_bytes}}
                     .dump(2)
              << "\n";
  } else {
    std::cout << done << " " << FormatBytes(total.sum.kv_bytes) << " of KV rows and "
              << FormatBytes(total.sum.index_bytes) << " of index keys of " << flags.id << "\n";
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

Total VerifyOne(const Globals& globals, const client::ContextName& name, Planes planes) {
  Total total{.tenant = name.tenant, .context_id = name.context_id};
  client::Client client = globals.ConnectAs(name.tenant);
  const absl::StatusOr<client::Context> context = client.OpenContext(name.context_id);
  if (context.ok()) {
    OverRanges(
        "verifying " + name.context_id, *context,
        [planes](const client::Context& each, StripeRange range) {
          return each.Verify(planes, range);
        },
        &total);
  } else {
    total.status = context.status();
  }
  if (absl::IsDataLoss(total.status)) {  // a part of it is lost
    total.sum.corrupt.emplace_back(total.status.message());
    total.status = absl::OkStatus();
  }
  return total;
}

// Of several contexts, one that fails does not keep the others back, unless nobody answers.
std::vector<Total> VerifyAll(const Globals& globals, const TierFlags& flags,
                             const std::vector<client::ContextName>& names, int* code) {
  std::vector<Total> totals;
  for (const client::ContextName& name : names) {
    Total total = VerifyOne(globals, name, flags.planes);
    if (flags.id.empty() && IsGone(total.status)) continue;
    if (!total.sum.corrupt.empty()) *code = std::max(*code, kRefused);
    if (!total.status.ok()) *code = std::max(*code, Fail(total.status));
    totals.push_back(std::move(total));
    if (*code == kUnreachable) break;
  }
  return totals;
}

void PrintVerified(const Globals& globals, const std::vector<Total>& totals) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"TENANT", "CONTEXT", "INDEX", "KV", "DAMAGES"});
  std::string details;
  for (const Total& total : totals) {
    nlohmann::ordered_json row = {{"tenant", total.tenant},
                                  {"context_id", total.context_id},
                                  {"index_bytes", total.sum.index_bytes},
                                  {"kv_bytes", total.sum.kv_bytes},
                                  {"corrupt", total.sum.corrupt}};
    std::string damages = absl::StrCat(total.sum.corrupt.size());
    std::vector<std::string> lines = total.sum.corrupt;
    if (!total.status.ok()) {
      row["error"] = std::string(total.status.message());
      damages += ", then failed";
      lines.push_back(absl::StrCat("failed: ", total.status.message()));
    }
    all.push_back(std::move(row));
    table.Add({total.tenant, total.context_id, FormatBytes(total.sum.index_bytes),
               FormatBytes(total.sum.kv_bytes), damages});
    for (const std::string& line : lines) {
      absl::StrAppend(&details, total.tenant, "/", total.context_id, ": ", line, "\n");
    }
  }
  std::cout << (globals.json ? all.dump(2) + "\n" : table.ToString() + details);
}

int Verify(const Globals& globals, const TierFlags& flags) {
  const absl::StatusOr<std::vector<client::ContextName>> names = ContextsToVerify(globals, flags);
  if (!names.ok()) return Fail(names.status());
  int code = kOk;
  PrintVerified(globals, VerifyAll(globals, flags, *names, &code));
  return code;
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
