#include "services/wire/shard_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>

#include "storage/error.h"
#include "tests/wire/samples.h"

namespace winnow::wire {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::OneofDescriptor;
using kernels::Candidate;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A call as the shard gets it: through bytes, which `request` keeps.
template <typename T>
T Sent(const T& call, v1::ShardRequest* request) {
  v1::ShardRequest message;
  FromCall(call, &message);
  EXPECT_TRUE(request->ParseFromString(message.SerializeAsString()));
  const absl::StatusOr<shard::Call> read = ToCall(*request);
  EXPECT_TRUE(read.ok()) << read.status();
  return std::get<T>(read.value());
}

absl::StatusOr<shard::Result> Answered(const absl::StatusOr<shard::Result>& result) {
  v1::ShardReply message;
  FromResult(result, &message);
  v1::ShardReply reply;
  EXPECT_TRUE(reply.ParseFromString(message.SerializeAsString()));
  return ToResult(reply);
}

template <typename T>
T Answered(const T& result) {
  const absl::StatusOr<shard::Result> read = Answered(absl::StatusOr<shard::Result>(result));
  EXPECT_TRUE(read.ok()) << read.status();
  return std::get<T>(read.value());
}

// Gives those calls a directory that is none of the words FillEverything makes up.
void FitDirectory(v1::ShardRequest* request) {
  if (request->has_save_snapshot()) request->mutable_save_snapshot()->set_directory("/d");
  if (request->has_load_snapshot()) request->mutable_load_snapshot()->set_directory("/d");
  if (request->has_list_snapshots()) request->mutable_list_snapshots()->set_directory("/d");
}

// Makes the counts and candidates of a select or attend result fit together.
template <typename Message>
void FitCandidates(Message* message) {
  message->clear_counts();
  for (const uint32_t count : {2u, 0u, 1u}) message->add_counts(count);
  message->set_candidates(std::string(3 * sizeof(Candidate), '\x11'));
}

TEST(ShardMessages, NoFieldOfAnyCallIsLost) {
  const OneofDescriptor* calls = v1::ShardRequest::descriptor()->FindOneofByName("call");
  ASSERT_EQ(calls->field_count(), static_cast<int>(std::variant_size_v<shard::Call>));
  for (int i = 0; i < calls->field_count(); ++i) {
    v1::ShardRequest request;
    FillEverything(request.GetReflection()->MutableMessage(&request, calls->field(i)));
    FitDirectory(&request);
    const absl::StatusOr<shard::Call> call = ToCall(request);
    ASSERT_TRUE(call.ok()) << calls->field(i)->name() << ": " << call.status();
    v1::ShardRequest again;
    FromCall(*call, &again);
    EXPECT_EQ(Difference(request, again), "") << calls->field(i)->name();
  }
}

TEST(ShardMessages, NoFieldOfAnyResultIsLost) {
  const OneofDescriptor* results = v1::ShardReply::descriptor()->FindOneofByName("result");
  // Done has no message.
  ASSERT_EQ(results->field_count() + 1, static_cast<int>(std::variant_size_v<shard::Result>));
  for (int i = 0; i < results->field_count(); ++i) {
    v1::ShardReply reply;
    FillEverything(reply.GetReflection()->MutableMessage(&reply, results->field(i)));
    if (reply.has_select()) FitCandidates(reply.mutable_select());
    if (reply.has_attend()) FitCandidates(reply.mutable_attend());
    const absl::StatusOr<shard::Result> result = ToResult(reply);
    ASSERT_TRUE(result.ok()) << results->field(i)->name() << ": " << result.status();
    v1::ShardReply again;
    FromResult(result, &again);
    EXPECT_EQ(Difference(reply, again), "") << results->field(i)->name();
  }
}

TEST(ShardMessages, AppendArrivesAsItWasSent) {
  const std::string keys = Bytes({1, 2, 3}), rows = Bytes({4, 5});
  v1::ShardRequest request;
  const auto call =
      Sent(shard::Append{.context_id = "c",
                         .incarnation = std::numeric_limits<uint64_t>::max(),
                         .stripe = 3,
                         .offset = 4095,
                         .count = 1,
                         .layers = {{.layer = 2, .index_keys = Span(keys), .kv_rows = Span(rows)},
                                    {.layer = 255, .index_keys = {}, .kv_rows = Span(rows)}},
                         .compare_only = true},
           &request);
  EXPECT_EQ(call.context_id, "c");
  EXPECT_EQ(call.incarnation, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(call.stripe, 3u);
  EXPECT_EQ(call.offset, 4095u);
  EXPECT_EQ(call.count, 1u);
  EXPECT_FALSE(call.check_only);
  EXPECT_TRUE(call.compare_only);
  ASSERT_EQ(call.layers.size(), 2u);
  EXPECT_EQ(call.layers[0].layer, 2);
  EXPECT_EQ(Text(call.layers[0].index_keys), keys);
  EXPECT_EQ(Text(call.layers[0].kv_rows), rows);
  EXPECT_EQ(call.layers[1].layer, 255);
  EXPECT_THAT(call.layers[1].index_keys, IsEmpty());
}

TEST(ShardMessages, SelectArrivesAsItWasSent) {
  const std::string queries = Bytes({1, 2, 3, 4}), weights = Bytes({0, 0, 0, 0x40});
  v1::ShardRequest request;
  const auto call = Sent(shard::Select{.context_id = "c",
                                       .incarnation = 9,
                                       .layer = 6,
                                       .queries = Span(queries),
                                       .weights = Span(weights),
                                       .visible_entries = {10, 0xffffffff},
                                       .top_k = 2048,
                                       .stripes = {0, 5},
                                       .selection_id = 1},
                         &request);
  EXPECT_EQ(call.context_id, "c");
  EXPECT_EQ(call.incarnation, 9u);
  EXPECT_EQ(call.layer, 6u);
  EXPECT_EQ(Text(call.queries), queries);
  EXPECT_EQ(Text(call.weights), weights);
  EXPECT_THAT(call.visible_entries, ElementsAre(10, 0xffffffff));
  EXPECT_EQ(call.top_k, 2048u);
  EXPECT_THAT(call.stripes, ElementsAre(0, 5));
  EXPECT_EQ(call.selection_id, 1u);
}

TEST(ShardMessages, AttendArrivesAsItWasSent) {
  const std::string queries = Bytes({7, 8});
  v1::ShardRequest request;
  const auto call = Sent(shard::Attend{.selection_id = 3,
                                       .context_id = "c",
                                       .incarnation = 9,
                                       .layer = 6,
                                       .thresholds = {{-1.5f, 3}, {2.0f, 0xffffffff}},
                                       .path = shard::AttendPath::kPushDown,
                                       .queries = Span(queries),
                                       .return_positions = true},
                         &request);
  EXPECT_EQ(call.selection_id, 3u);
  EXPECT_EQ(call.context_id, "c");
  EXPECT_EQ(call.incarnation, 9u);
  EXPECT_EQ(call.layer, 6u);
  EXPECT_THAT(call.thresholds, ElementsAre(Candidate{-1.5f, 3}, Candidate{2.0f, 0xffffffff}));
  EXPECT_EQ(call.path, shard::AttendPath::kPushDown);
  EXPECT_EQ(Text(call.queries), queries);
  EXPECT_TRUE(call.return_positions);
}

TEST(ShardMessages, TimesArriveToTheMicrosecondAndNeverStaysNever) {
  for (const absl::Time at : {absl::InfiniteFuture(), absl::FromUnixMicros(1),
                              absl::FromUnixMicros(1'800'000'000'000'001),
                              absl::FromUnixMicros(std::numeric_limits<int64_t>::max())}) {
    v1::ShardRequest request;
    EXPECT_EQ(Sent(shard::CreateContext{.profile = std::make_shared<Profile>(SmallProfile()),
                                        .expires_at = at},
                   &request)
                  .expires_at,
              at);
    EXPECT_EQ(Sent(shard::ForkContext{.expires_at = at}, &request).expires_at, at);
    EXPECT_EQ(Sent(shard::RenewLease{.expires_at = at}, &request).expires_at, at);
    EXPECT_EQ(Sent(shard::PinContext{.until = at}, &request).until, at);
    const auto state =
        Answered(shard::ContextState{.profile = std::make_shared<Profile>(SmallProfile()),
                                     .pinned_until = at,
                                     .expires_at = at,
                                     .layer_entries = {1, 2},
                                     .layer_ends = {1, 2}});
    EXPECT_EQ(state.expires_at, at);
    EXPECT_EQ(state.pinned_until, at);
  }
  v1::ShardRequest request;
  EXPECT_EQ(Sent(shard::PinContext{.until = absl::InfinitePast()}, &request).until,
            absl::InfinitePast());
}

TEST(ShardMessages, ATimeThatIsOverIsNotTakenForNever) {
  for (const absl::Time over :
       {absl::InfinitePast(), absl::UnixEpoch(), absl::FromUnixMicros(-5)}) {
    v1::ShardRequest request;
    EXPECT_EQ(Sent(shard::RenewLease{.expires_at = over}, &request).expires_at,
              absl::FromUnixMicros(1));
  }
}

TEST(ShardMessages, EveryActionAndDurabilityHasItsNumber) {
  v1::ShardRequest request;
  for (const auto& [action, number] : {std::pair{shard::TierAction::kSpill, v1::TIER_ACTION_SPILL},
                                       {shard::TierAction::kRestore, v1::TIER_ACTION_RESTORE},
                                       {shard::TierAction::kVerify, v1::TIER_ACTION_VERIFY}}) {
    EXPECT_EQ(Sent(shard::Tier{.action = action, .stripes = 1}, &request).action, action);
    EXPECT_EQ(request.tier().action(), number);
  }
  for (const auto& [durability, number] :
       {std::pair{Durability::kDefault, v1::DURABILITY_UNSPECIFIED},
        {Durability::kMemory, v1::DURABILITY_MEMORY},
        {Durability::kLogged, v1::DURABILITY_LOGGED},
        {Durability::kSynced, v1::DURABILITY_SYNCED}}) {
    const shard::CreateContext call{.profile = std::make_shared<Profile>(SmallProfile()),
                                    .durability = durability};
    EXPECT_EQ(Sent(call, &request).durability, durability);
    EXPECT_EQ(request.create_context().durability(), number);
  }
}

TEST(ShardMessages, PlanesAreToldApart) {
  v1::ShardRequest request;
  const auto index = Sent(shard::Tier{.kv = false, .stripes = 1}, &request);
  EXPECT_TRUE(index.index && !index.kv);
  const auto kv = Sent(shard::Tier{.index = false, .stripes = 1}, &request);
  EXPECT_TRUE(!kv.index && kv.kv);
}

TEST(ShardMessages, AnAppendIsReadWithoutCopyingItsTensors) {
  v1::ShardRequest request;
  request.mutable_append()->add_layers()->set_kv_rows("rows");
  const absl::StatusOr<shard::Call> call = ToCall(request);
  ASSERT_TRUE(call.ok()) << call.status();
  const auto* held = request.append().layers(0).kv_rows().data();
  EXPECT_EQ(reinterpret_cast<const char*>(std::get<shard::Append>(*call).layers[0].kv_rows.data()),
            held);
}

TEST(ShardMessages, CandidatesKeepTheirRows) {
  const std::vector<std::vector<Candidate>> rows = {{{3, 1}, {2, 0}}, {}, {{-0.5f, 7}}};
  EXPECT_EQ(Answered(shard::SelectResult{.candidates = rows}).candidates, rows);
  EXPECT_EQ(Answered(shard::AttendResult{.winners = rows, .counts = {2, 0, 1}}).winners, rows);
  EXPECT_THAT(Answered(shard::SelectResult{}).candidates, IsEmpty());
}

TEST(ShardMessages, WinnersThatWereNotAskedForStayUnlisted) {
  const auto result = Answered(shard::AttendResult{
      .counts = {2, 1}, .outputs = {1, 2, 3}, .lse = {-std::numeric_limits<float>::infinity()}});
  EXPECT_THAT(result.winners, IsEmpty());
  EXPECT_THAT(result.counts, ElementsAre(2, 1));
  EXPECT_THAT(result.outputs, ElementsAre(1, 2, 3));
  EXPECT_THAT(result.lse, ElementsAre(-std::numeric_limits<float>::infinity()));
}

TEST(ShardMessages, ACandidateIsItsScoreThenItsPosition) {
  v1::ShardReply reply;
  FromResult(shard::SelectResult{.candidates = {{{1.0f, 7}, {-2.0f, 0x01020304}}}}, &reply);
  EXPECT_EQ(reply.select().candidates(), Bytes({0x00, 0x00, 0x80, 0x3f, 0x07, 0x00, 0x00, 0x00,  //
                                                0x00, 0x00, 0x00, 0xc0, 0x04, 0x03, 0x02, 0x01}));
  v1::ShardRequest request;
  FromCall(shard::Attend{.thresholds = {{1.0f, 7}}}, &request);
  EXPECT_EQ(request.attend().thresholds(), Bytes({0x00, 0x00, 0x80, 0x3f, 7, 0, 0, 0}));
}

TEST(ShardMessages, ASelectResultHasTheseBytes) {
  v1::ShardReply reply;
  FromResult(shard::SelectResult{.candidates = {{{1.0f, 7}}, {}},
                                 .entries_scanned = 9,
                                 .index_bytes_read = 300,
                                 .score_us = 5},
             &reply);
  reply.set_request_id(3);
  EXPECT_EQ(reply.SerializeAsString(),
            Bytes({0x08, 0x03,                                                  // request_id
                   0x42, 0x15,                                                  // select
                   0x0a, 0x02, 0x01, 0x00,                                      // counts
                   0x12, 0x08, 0x00, 0x00, 0x80, 0x3f, 0x07, 0x00, 0x00, 0x00,  // candidates
                   0x18, 0x09, 0x20, 0xac, 0x02, 0x28, 0x05}));
}

TEST(ShardMessages, DoneIsAnEmptyReply) {
  v1::ShardReply reply;
  FromResult(shard::Done{}, &reply);
  EXPECT_EQ(reply.ByteSizeLong(), 0u);
  EXPECT_TRUE(std::holds_alternative<shard::Done>(*ToResult(reply)));
}

TEST(ShardMessages, AnErrorArrivesWithItsReasonAndFacts) {
  const absl::Status sent = Error(absl::StatusCode::kOutOfRange, "APPEND_GAP", "resume from 40",
                                  {{"resume_position", "40"}});
  EXPECT_EQ(Answered(absl::StatusOr<shard::Result>(sent)).status(), sent);
}

}  // namespace
}  // namespace winnow::wire
