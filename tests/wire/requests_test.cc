#include "services/wire/requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "services/wire/shard_messages.h"
#include "storage/error.h"
#include "tests/wire/samples.h"

namespace winnow::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <typename Query>
void ExpectBadField(const absl::StatusOr<Query>& query, const std::string& field) {
  EXPECT_EQ(query.status().code(), absl::StatusCode::kInvalidArgument) << query.status();
  EXPECT_EQ(ErrorReason(query.status()), "BAD_FIELD") << query.status();
  EXPECT_EQ(ErrorFacts(query.status())["field"], field) << query.status();
}

template <typename Request>
Request NewQuery() {
  Request request;
  request.set_tenant("t");
  request.set_context_id("c");
  request.set_layer(6);
  v1::IndexQuery* query = request.mutable_index_query();
  query->set_queries("queries");
  query->set_weights("weights");
  query->add_visible_entries(10);
  query->add_visible_entries(uint64_t{1} << 40);
  query->set_top_k(5);
  return request;
}

void ExpectNewQuery(const coordinator::Query& query) {
  EXPECT_EQ(query.context.tenant, "t");
  EXPECT_EQ(query.context.context_id, "c");
  EXPECT_EQ(query.layer, 6u);
  const auto& index = std::get<coordinator::IndexQuery>(query.source);
  EXPECT_EQ(Text(index.queries), "queries");
  EXPECT_EQ(Text(index.weights), "weights");
  EXPECT_THAT(index.visible_entries, ElementsAre(10, uint64_t{1} << 40));
  EXPECT_EQ(index.top_k, 5u);
}

TEST(Requests, NoTenantIsTheDefaultTenant) {
  EXPECT_EQ(ToContextName("", "c").tenant, "default");
  EXPECT_EQ(ToContextName("", "c").context_id, "c");
  EXPECT_EQ(ToContextName("t", "").tenant, "t");
  EXPECT_EQ(ToContextName("t", "").context_id, "");
}

TEST(Requests, AContextIsMadeAsItWasAskedFor) {
  v1::CreateContextRequest message;
  EXPECT_EQ(ToOptions(message)->durability, Durability::kDefault);
  EXPECT_EQ(ToOptions(message)->ttl, absl::InfiniteDuration());
  message.set_durability(v1::DURABILITY_SYNCED);
  message.set_ttl_ms(90'000);
  EXPECT_EQ(ToOptions(message)->durability, Durability::kSynced);
  EXPECT_EQ(ToOptions(message)->ttl, absl::Seconds(90));
}

TEST(Requests, OptionsThatCannotBeAreRefused) {
  for (const int durability : {4, -1, 1000}) {
    v1::CreateContextRequest message;
    message.set_durability(static_cast<v1::Durability>(durability));
    ExpectBadField(ToOptions(message), "durability");
  }
  for (const uint64_t ttl_ms :
       {uint64_t{1}, uint64_t{999}, uint64_t{315'360'000'001}, ~uint64_t{0}}) {
    v1::CreateContextRequest message;
    message.set_ttl_ms(ttl_ms);
    ExpectBadField(ToOptions(message), "ttl_ms");
  }
}

TEST(Requests, APinLastsAsLongAsItWasAskedFor) {
  v1::PinContextRequest message;
  EXPECT_EQ(ToPinDuration(message).value(), absl::ZeroDuration());
  message.set_for_ms(5000);
  ExpectBadField(ToPinDuration(message), "for_ms");
  message.set_pinned(true);
  EXPECT_EQ(ToPinDuration(message).value(), absl::Seconds(5));
  message.set_for_ms(0);
  EXPECT_EQ(ToPinDuration(message).value(), absl::InfiniteDuration());
  message.set_for_ms(999);
  ExpectBadField(ToPinDuration(message), "for_ms");
}

TEST(Requests, AnAppendKeepsItsLayersApart) {
  v1::AppendEntriesRequest message;
  message.set_tenant("t");
  message.set_context_id("c");
  message.set_start_position(uint64_t{1} << 40);
  message.set_count(2);
  v1::LayerEntries* own = message.add_layers();
  own->set_layer(1);
  own->set_index_keys("keys");
  own->set_kv_rows("rows");
  message.add_layers()->set_layer(2);
  const coordinator::AppendEntries append = ToAppend(message);
  EXPECT_EQ(append.context.tenant, "t");
  EXPECT_EQ(append.context.context_id, "c");
  EXPECT_EQ(append.start_position, uint64_t{1} << 40);
  EXPECT_EQ(append.count, 2u);
  ASSERT_EQ(append.layers.size(), 2u);
  EXPECT_EQ(append.layers[0].layer, 1);
  EXPECT_EQ(Text(append.layers[0].index_keys), "keys");
  EXPECT_EQ(Text(append.layers[0].kv_rows), "rows");
  EXPECT_EQ(append.layers[1].layer, 2);
  EXPECT_THAT(append.layers[1].index_keys, IsEmpty());
  EXPECT_THAT(append.layers[1].kv_rows, IsEmpty());
}

TEST(Requests, ALayerNumberThatDoesNotFitIsNoLayer) {
  v1::AppendEntriesRequest message;
  message.add_layers()->set_layer(std::numeric_limits<uint32_t>::max());
  EXPECT_LT(ToAppend(message).layers[0].layer, 0);
}

TEST(Requests, QueriesArriveAsTheyWereSent) {
  const auto select = NewQuery<v1::SelectRequest>();
  const auto gather = NewQuery<v1::GatherRequest>();
  auto attend = NewQuery<v1::AttendRequest>();
  attend.set_queries("attend");
  attend.set_sink("sink");
  attend.set_path(v1::ATTEND_PATH_PUSH_DOWN);
  attend.set_return_selection(true);
  ExpectNewQuery(ToQuery(select).value());
  ExpectNewQuery(ToQuery(gather).value());
  const coordinator::AttendQuery query = ToQuery(attend).value();
  ExpectNewQuery(query);
  EXPECT_EQ(Text(query.queries), "attend");
  EXPECT_EQ(Text(query.sink), "sink");
  EXPECT_EQ(query.path, coordinator::AttendPath::kPushDown);
  EXPECT_TRUE(query.return_selection);
}

TEST(Requests, AnEarlierSelectionIsNamedByItsId) {
  v1::GatherRequest gather;
  gather.set_selection_id(0);  // given, though it is the default
  EXPECT_EQ(std::get<uint64_t>(ToQuery(gather).value().source), 0u);
  v1::AttendRequest attend;
  attend.set_selection_id(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(std::get<uint64_t>(ToQuery(attend).value().source),
            std::numeric_limits<uint64_t>::max());
}

TEST(Requests, AQueryOfNothingIsRefused) {
  ExpectBadField(ToQuery(v1::SelectRequest()), "index_query");
  ExpectBadField(ToQuery(v1::GatherRequest()), "source");
  ExpectBadField(ToQuery(v1::AttendRequest()), "source");
}

TEST(Requests, AnUnknownPathIsRefused) {
  for (const int path : {3, -1, 1000}) {
    auto attend = NewQuery<v1::AttendRequest>();
    attend.set_path(static_cast<v1::AttendPath>(path));
    ExpectBadField(ToQuery(attend), "path");
  }
}

coordinator::Selection TwoRows() {
  return {.selection_id = 77, .top_k = 3, .rows = {{{1.5f, 5}, {-1.0f, 2}}, {}}};
}

TEST(Replies, SelectionsArePaddedAsFlashMlaPads) {
  v1::SelectReply message;
  FromReply(coordinator::SelectReply{.selection = TwoRows()}, &message);
  const v1::Selection& selection = message.selection();
  EXPECT_EQ(selection.selection_id(), 77u);
  EXPECT_EQ(selection.rows(), 2u);
  EXPECT_EQ(selection.top_k(), 3u);
  EXPECT_EQ(selection.positions(), Bytes({5,    0,    0,    0,     //
                                          2,    0,    0,    0,     //
                                          0xff, 0xff, 0xff, 0xff,  //
                                          0xff, 0xff, 0xff, 0xff,  //
                                          0xff, 0xff, 0xff, 0xff,  //
                                          0xff, 0xff, 0xff, 0xff}));
  EXPECT_EQ(selection.scores(), Bytes({0x00, 0x00, 0xc0, 0x3f,  //
                                       0x00, 0x00, 0x80, 0xbf,  //
                                       0x00, 0x00, 0x80, 0xff,  //
                                       0x00, 0x00, 0x80, 0xff,  //
                                       0x00, 0x00, 0x80, 0xff,  //
                                       0x00, 0x00, 0x80, 0xff}));
}

TEST(Replies, AnAttentionTellsItsRowsWithoutItsSelection) {
  v1::AttendReply message;
  FromReply(coordinator::AttendReply{.outputs = {1.0f, -2.0f},
                                     .lse = {0.5f},
                                     .selection = {.selection_id = 9},
                                     .query_rows = 4},
            &message);
  EXPECT_EQ(message.outputs(), Bytes({0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0xc0}));
  EXPECT_EQ(message.lse(), Bytes({0x00, 0x00, 0x00, 0x3f}));
  EXPECT_EQ(message.selection().selection_id(), 9u);
  EXPECT_EQ(message.selection().rows(), 4u);
  EXPECT_EQ(message.selection().positions(), "");
  EXPECT_EQ(message.selection().scores(), "");
}

TEST(Replies, AGathersRowsAreNotCopied) {
  std::string rows(1000, 'x');
  const char* held = rows.data();
  v1::ShardReply answer;
  FromResult(shard::AttendResult{.kv_rows = std::move(rows)}, &answer);
  EXPECT_EQ(answer.attend().kv_rows().data(), held);
  const absl::StatusOr<shard::Result> result = ToResult(std::move(answer));
  EXPECT_EQ(std::get<shard::AttendResult>(*result).kv_rows.data(), held);
  coordinator::GatherReply reply{.kv_rows = std::string(1000, 'x')};
  held = reply.kv_rows.data();
  v1::GatherReply message;
  FromReply(std::move(reply), &message);
  EXPECT_EQ(message.kv_rows().data(), held);
}

TEST(Replies, AGatherBringsItsRows) {
  v1::GatherReply message;
  FromReply(
      coordinator::GatherReply{.selection = TwoRows(), .row_bytes = 1, .kv_rows = Bytes({8, 9, 0})},
      &message);
  EXPECT_EQ(message.kv_rows(), Bytes({8, 9, 0}));
  EXPECT_EQ(message.selection().rows(), 2u);
}

TEST(Replies, EveryStatisticHasItsField) {
  // Each the number of its field.
  const coordinator::CallStats stats = {.entries_scanned = 1,
                                        .index_bytes_read = 2,
                                        .bytes_moved = 3,
                                        .shards = 4,
                                        .path = coordinator::AttendPath::kPushDown,
                                        .total_us = 6,
                                        .plan_us = 7,
                                        .select_us = 8,
                                        .score_us = 9,
                                        .merge_us = 10,
                                        .fetch_us = 11,
                                        .shard_attend_us = 12,
                                        .attend_us = 13,
                                        .score_us_sum = 14,
                                        .cold_index_bytes = 15,
                                        .cold_rows = 16,
                                        .cached_rows = 17};
  v1::SelectReply message;
  FromReply(coordinator::SelectReply{.stats = stats}, &message);
  const auto* reflection = message.stats().GetReflection();
  const auto* fields = message.stats().GetDescriptor();
  EXPECT_EQ(message.stats().shards(), 4u);
  EXPECT_EQ(message.stats().path(), v1::ATTEND_PATH_PUSH_DOWN);
  for (int i = 0; i < fields->field_count(); ++i) {
    const auto* field = fields->field(i);
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_UINT64) continue;
    EXPECT_EQ(reflection->GetUInt64(message.stats(), field), static_cast<uint64_t>(field->number()))
        << field->name();
  }
}

TEST(Replies, WrittenEntriesAddUpOverAStream) {
  v1::AppendEntriesReply message;
  FromAppendReply({.end_position = 64, .entries_written = 100}, &message);
  FromAppendReply({.end_position = 128, .entries_written = 20}, &message);
  EXPECT_EQ(message.end_position(), 128u);
  EXPECT_EQ(message.entries_written(), 120u);
}

TEST(Replies, ContextsKeepTheirFields) {
  v1::ContextInfo context;
  FillEverything(&context);
  const coordinator::ContextInfo info = {.context_id = context.context_id(),
                                         .tenant = context.tenant(),
                                         .profile_fingerprint = context.profile_fingerprint(),
                                         .durability = Durability::kLogged,
                                         .sealed = true,
                                         .pinned = true,
                                         .pinned_for = absl::Milliseconds(context.pinned_for_ms()),
                                         .expires_in = absl::Milliseconds(context.expires_in_ms()),
                                         .entries = context.entries(),
                                         .index_bytes = context.index_bytes(),
                                         .kv_bytes = context.kv_bytes(),
                                         .resident_index_bytes = context.resident_index_bytes(),
                                         .resident_kv_bytes = context.resident_kv_bytes(),
                                         .stored_bytes = context.stored_bytes(),
                                         .layer_entries = {15, 16},
                                         .shard_entries = {17, 18},
                                         .damage = context.damage()};
  EXPECT_EQ(Difference(context, FromContextInfo(info)), "");
  context.clear_layer_entries();
  context.clear_shard_entries();
  EXPECT_EQ(Difference(context, FromListedContext(info)), "");
}

}  // namespace
}  // namespace winnow::wire
