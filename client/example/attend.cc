// Keeps a context in a Winnow service and attends over it: winnowd &, then example_attend.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "winnow/client.h"

using namespace winnow::client;

// Stands for what an engine computes: bf16 ones and minus ones in a pattern of their own.
static std::vector<std::byte> Bf16Pattern(size_t values, uint32_t seed) {
  std::vector<std::byte> bytes(values * 2);
  for (size_t i = 0; i < values; ++i) {
    seed = seed * 1664525 + 1013904223;
    const uint16_t bits = seed >> 31 ? 0x3f80 : 0xbf80;  // 1 or -1
    std::memcpy(&bytes[2 * i], &bits, 2);
  }
  return bytes;
}

template <typename T>
static T OrExit(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s\n", result.status().ToString().c_str());
  std::exit(1);
}

int main(int argc, char** argv) {
  winnow::Profile profile;
  profile.name = "example";
  profile.key_format = winnow::kernels::KeyFormat::kBf16;
  profile.row_format = winnow::kernels::RowFormat::kBf16;
  profile.index_heads = 8;
  profile.index_dim = 64;
  profile.latent_dim = 128;
  profile.rope_dim = 32;
  profile.query_heads = 4;
  profile.top_k = 16;
  profile.softmax_scale = 0.1f;
  profile.layers = {winnow::LayerKind::kOwn};

  Client client(argc > 1 ? argv[1] : "127.0.0.1:7600");
  Context context = OrExit(client.CreateContext(OrExit(client.RegisterProfile(profile))));

  // A thousand entries of prompt.
  const uint32_t entries = 1000;
  const auto keys = Bf16Pattern(entries * 64, 1);
  const auto rows = Bf16Pattern(entries * 160, 2);
  const LayerEntries prompt{.layer = 0, .index_keys = keys, .kv_rows = rows};
  OrExit(context.Append(0, entries, {&prompt, 1}));

  // Each step stores its own entry and attends over all, itself included, in one message.
  std::unique_ptr<DecodeSession> session = context.StartDecode();
  const std::vector<float> weights(8, 1.0f);
  for (uint32_t step = 0; step < 3; ++step) {
    const auto key = Bf16Pattern(64, 100 + step);
    const auto row = Bf16Pattern(160, 200 + step);
    const auto index_query = Bf16Pattern(8 * 64, 300 + step);
    const auto query = Bf16Pattern(4 * 160, 400 + step);
    DecodeStep message{.start_position = entries + step, .count = 1};
    message.layers = {{.layer = 0, .index_keys = key, .kv_rows = row}};
    message.attend = AttendRequest{.layer = 0,
                                   .source = IndexQuery{.queries = index_query,
                                                        .weights = weights,
                                                        .visible_entries = {entries + step + 1}},
                                   .queries = query,
                                   .return_selection = true};
    const DecodeResult result = OrExit(session->Run(message));
    std::printf("step %u: best entry %d, score %.1f; output[0] %.4f; %llu us\n", step,
                result.attend.selection.positions[0], result.attend.selection.scores[0],
                result.attend.outputs[0],
                static_cast<unsigned long long>(result.attend.stats.total_us));
  }
  return context.Delete().ok() ? 0 : 1;
}
