// Bad input over the wire: each is refused with a reason, and changes nothing.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "services/wire/status.h"
#include "storage/error.h"
#include "tests/cluster/process.h"
#include "tests/cluster/trial.h"
#include "winnow/v1/contexts.grpc.pb.h"
#include "winnow/v1/retrieval.grpc.pb.h"

namespace winnow::testing {
namespace {

using absl::StatusCode;

constexpr int kEntries = 4096 + 100;
constexpr int kMaxMessageBytes = 1 << 20;
constexpr uint32_t kHuge = std::numeric_limits<uint32_t>::max();

std::string Bytes(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string Bytes(const std::vector<float>& values) {
  return Bytes(std::as_bytes(std::span(values)));
}

void PutFloat(float value, size_t at, std::string* bytes) {
  std::memcpy(bytes->data() + at, &value, sizeof value);
}

// A service with one context, and its raw API.
class RefusalTest : public ::testing::Test {
 protected:
  RefusalTest()
      : service_(Service::Standalone(3, {"--max-message=1MiB"})),
        client_(service_.address()),
        trial_(SmallProfile(), kEntries, kernels::TestSeed()),
        context_(trial_.Load(client_, 500)),
        query_(trial_.Query({kEntries})) {
    grpc::ChannelArguments args;
    args.SetMaxReceiveMessageSize(-1);
    channel_ =
        grpc::CreateCustomChannel(service_.address(), grpc::InsecureChannelCredentials(), args);
    contexts_ = v1::Contexts::NewStub(channel_);
    retrieval_ = v1::Retrieval::NewStub(channel_);
  }

  // Whatever was refused, the context is what it was.
  ~RefusalTest() override {
    auto info = context_.Describe();
    EXPECT_EQ(info.ok() ? info->entries : 0, uint64_t{kEntries}) << info.status();
    for (int start = 0; start < kEntries; start += 500) {
      const int count = start + 500 < kEntries ? 500 : kEntries - start;
      const client::LayerEntries entries = trial_.Entries(start, count);
      auto held = context_.Append(start, count, {&entries, 1});
      EXPECT_EQ(held.ok() ? held->entries_written : 1, 0u) << held.status();
    }
  }

  // The next ten entries, as they should come.
  v1::AppendEntriesRequest GoodAppend() const {
    v1::AppendEntriesRequest request;
    request.set_context_id(context_.id());
    request.set_start_position(kEntries);
    request.set_count(10);
    const client::LayerEntries entries = trial_.Entries(0, 10);
    v1::LayerEntries* layer = request.add_layers();
    layer->set_index_keys(Bytes(entries.index_keys));
    layer->set_kv_rows(Bytes(entries.kv_rows));
    return request;
  }

  v1::AttendRequest GoodAttend() const {
    v1::AttendRequest request;
    request.set_context_id(context_.id());
    v1::IndexQuery* index = request.mutable_index_query();
    index->set_queries(Bytes(query_.index_queries));
    index->set_weights(Bytes(query_.weights));
    index->add_visible_entries(kEntries);
    request.set_queries(Bytes(query_.queries));
    return request;
  }

  // Calls with a deadline, and gives the service's status back.
  template <typename Stub, typename Request, typename Reply>
  absl::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                    const Request& request, absl::Duration timeout = absl::Seconds(20)) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    Reply reply;
    return wire::FromGrpc((stub.*method)(&context, request, &reply));
  }

  void ExpectAppendRefused(const std::string& what, StatusCode code, const std::string& reason,
                           const std::function<void(v1::AppendEntriesRequest&)>& spoil) {
    v1::AppendEntriesRequest request = GoodAppend();
    spoil(request);
    Expect(what, code, reason, Call(*contexts_, &v1::Contexts::Stub::AppendEntries, request));
  }

  void ExpectAttendRefused(const std::string& what, StatusCode code, const std::string& reason,
                           const std::function<void(v1::AttendRequest&)>& spoil) {
    v1::AttendRequest request = GoodAttend();
    spoil(request);
    Expect(what, code, reason, Call(*retrieval_, &v1::Retrieval::Stub::Attend, request));
  }

  static void Expect(const std::string& what, StatusCode code, const std::string& reason,
                     const absl::Status& status) {
    EXPECT_EQ(status.code(), code) << what << ": " << status;
    EXPECT_EQ(ErrorReason(status), reason) << what << ": " << status;
    EXPECT_FALSE(status.message().empty()) << what;
  }

  Service service_;
  client::Client client_;
  Trial trial_;
  const client::Context context_;
  const TrialQuery query_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Contexts::Stub> contexts_;
  std::unique_ptr<v1::Retrieval::Stub> retrieval_;
};

TEST_F(RefusalTest, AppendsOfAWrongShape) {
  using Request = v1::AppendEntriesRequest;
  const auto bad_field = [&](const std::string& what, const std::function<void(Request&)>& spoil) {
    ExpectAppendRefused(what, StatusCode::kInvalidArgument, "BAD_FIELD", spoil);
  };
  bad_field("a key byte too few",
            [](Request& r) { r.mutable_layers(0)->mutable_index_keys()->pop_back(); });
  bad_field("a row byte too many",
            [](Request& r) { r.mutable_layers(0)->mutable_kv_rows()->push_back(0); });
  bad_field("no keys", [](Request& r) { r.mutable_layers(0)->clear_index_keys(); });
  bad_field("no rows", [](Request& r) { r.mutable_layers(0)->clear_kv_rows(); });
  bad_field("no layers", [](Request& r) { r.clear_layers(); });
  bad_field("a layer that is not there", [](Request& r) { r.mutable_layers(0)->set_layer(1); });
  bad_field("a layer out of all bounds", [](Request& r) { r.mutable_layers(0)->set_layer(kHuge); });
  bad_field("a layer twice", [](Request& r) { *r.add_layers() = r.layers(0); });
  bad_field("no entries", [](Request& r) { r.set_count(0); });
  bad_field("one entry more than there are bytes for", [](Request& r) { r.set_count(11); });
  // 2^32 - 1 entries of 452 bytes would not fit into 32 bits.
  bad_field("a size product that overflows", [](Request& r) { r.set_count(kHuge); });
  bad_field("a position that overflows",
            [](Request& r) { r.set_start_position(std::numeric_limits<uint64_t>::max() - 3); });
}

TEST_F(RefusalTest, AppendsThatAreNotFinite) {
  const size_t key_bytes = trial_.profile().key_bytes();
  const auto not_finite = [&](const std::string& what,
                              const std::function<void(v1::LayerEntries&)>& spoil) {
    ExpectAppendRefused(what, StatusCode::kInvalidArgument, "NOT_FINITE",
                        [&](v1::AppendEntriesRequest& r) { spoil(*r.mutable_layers(0)); });
  };
  not_finite("an e4m3 NaN",
             [&](v1::LayerEntries& l) { (*l.mutable_index_keys())[5 * key_bytes + 7] = 0x7f; });
  not_finite("a NaN scale", [&](v1::LayerEntries& l) {
    PutFloat(std::numeric_limits<float>::quiet_NaN(), 10 * key_bytes - 4, l.mutable_index_keys());
  });
  not_finite("an infinite scale", [&](v1::LayerEntries& l) {
    PutFloat(std::numeric_limits<float>::infinity(), key_bytes - 4, l.mutable_index_keys());
  });
  not_finite("an infinite bf16", [&](v1::LayerEntries& l) {
    (*l.mutable_kv_rows())[100] = '\x80';
    (*l.mutable_kv_rows())[101] = '\x7f';
  });
}

TEST_F(RefusalTest, AppendsInTheWrongPlace) {
  v1::AppendEntriesRequest gap = GoodAppend();
  gap.set_start_position(kEntries + 1);
  const absl::Status status = Call(*contexts_, &v1::Contexts::Stub::AppendEntries, gap);
  Expect("a gap", StatusCode::kOutOfRange, "APPEND_GAP", status);
  EXPECT_EQ(ErrorFacts(status)["resume_position"], std::to_string(kEntries));
  ExpectAppendRefused("other bytes where there are some", StatusCode::kAborted, "APPEND_CONFLICT",
                      [](auto& r) { r.set_start_position(kEntries - 5); });
  ExpectAppendRefused("an unknown context", StatusCode::kNotFound, "UNKNOWN_CONTEXT",
                      [](auto& r) { r.set_context_id("nobody"); });
  ExpectAppendRefused("another tenant's context", StatusCode::kNotFound, "UNKNOWN_CONTEXT",
                      [](auto& r) { r.set_tenant("other"); });
  auto fork = context_.Fork(kEntries);
  ASSERT_TRUE(fork.ok());
  ASSERT_TRUE(fork->Seal().ok());
  ExpectAppendRefused("a sealed context", StatusCode::kFailedPrecondition, "CONTEXT_SEALED",
                      [&](auto& r) { r.set_context_id(fork->id()); });
}

TEST_F(RefusalTest, SendingTheSameAgainIsNoError) {
  const client::LayerEntries entries = trial_.Entries(4000, 196);
  auto again = context_.Append(4000, 196, {&entries, 1});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->entries_written, 0u);
  EXPECT_EQ(again->end_position, uint64_t{kEntries});
}

TEST_F(RefusalTest, MessagesAboveTheLimit) {
  ExpectAppendRefused("a message above the limit", StatusCode::kResourceExhausted, "", [](auto& r) {
    r.mutable_layers(0)->set_kv_rows(std::string(kMaxMessageBytes + 1, 0));
  });
}

TEST_F(RefusalTest, QueriesOfAWrongShape) {
  using Request = v1::AttendRequest;
  const auto bad_field = [&](const std::string& what, const std::function<void(Request&)>& spoil) {
    ExpectAttendRefused(what, StatusCode::kInvalidArgument, "BAD_FIELD", spoil);
  };
  const auto index = [](Request& r) { return r.mutable_index_query(); };
  bad_field("an index query byte too few",
            [&](Request& r) { index(r)->mutable_queries()->pop_back(); });
  bad_field("a weight too many", [&](Request& r) { index(r)->mutable_weights()->append(4, 0); });
  bad_field("no query rows", [&](Request& r) { index(r)->clear_visible_entries(); });
  bad_field("65 query rows", [&](Request& r) {
    for (int i = 0; i < 64; ++i) index(r)->add_visible_entries(1);
  });
  bad_field("a row that sees nothing", [&](Request& r) { index(r)->set_visible_entries(0, 0); });
  bad_field("k above the profile's", [&](Request& r) { index(r)->set_top_k(101); });
  bad_field("k out of all bounds", [&](Request& r) { index(r)->set_top_k(kHuge); });
  bad_field("a layer that is not there", [](Request& r) { r.set_layer(kHuge); });
  bad_field("an attention query byte too few", [](Request& r) { r.mutable_queries()->pop_back(); });
  bad_field("a sink of another number of heads",
            [](Request& r) { r.set_sink(std::string(12, 0)); });
  bad_field("no selection and no query", [](Request& r) { r.clear_source(); });
  bad_field("a path that is none", [](Request& r) { r.set_path(static_cast<v1::AttendPath>(9)); });
}

TEST_F(RefusalTest, QueriesThatAreNotFinite) {
  using Request = v1::AttendRequest;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto not_finite = [&](const std::string& what, const std::function<void(Request&)>& spoil) {
    ExpectAttendRefused(what, StatusCode::kInvalidArgument, "NOT_FINITE", spoil);
  };
  not_finite("a NaN weight",
             [&](Request& r) { PutFloat(nan, 4, r.mutable_index_query()->mutable_weights()); });
  not_finite("an e4m3 NaN",
             [](Request& r) { (*r.mutable_index_query()->mutable_queries())[3] = '\xff'; });
  not_finite("a bf16 NaN", [](Request& r) {
    (*r.mutable_queries())[0] = '\xff';
    (*r.mutable_queries())[1] = '\x7f';
  });
  not_finite("a NaN sink", [&](Request& r) {
    r.set_sink(Bytes(std::vector<float>{0, 0, 0, nan}));
  });
}

TEST_F(RefusalTest, QueriesOfWhatIsNotThere) {
  using Request = v1::AttendRequest;
  v1::AttendRequest beyond = GoodAttend();
  beyond.mutable_index_query()->set_visible_entries(0, kEntries + 1);
  const absl::Status status = Call(*retrieval_, &v1::Retrieval::Stub::Attend, beyond);
  Expect("more visible than there are", StatusCode::kOutOfRange, "VISIBLE_OUT_OF_RANGE", status);
  EXPECT_EQ(ErrorFacts(status)["end"], std::to_string(kEntries));
  ExpectAttendRefused("an unknown context", StatusCode::kNotFound, "UNKNOWN_CONTEXT",
                      [](Request& r) { r.set_context_id("nobody"); });
  ExpectAttendRefused("another tenant's", StatusCode::kNotFound, "UNKNOWN_CONTEXT",
                      [](Request& r) { r.set_tenant("other"); });
  ExpectAttendRefused("an unknown selection", StatusCode::kNotFound, "SELECTION_EXPIRED",
                      [](Request& r) { r.set_selection_id(12345); });
  EXPECT_EQ(ErrorReason(context_.Fork(kEntries + 1).status()), "FORK_PAST_END");
}

TEST_F(RefusalTest, DeadlinesThatHavePassed) {
  const absl::Status status =
      Call(*retrieval_, &v1::Retrieval::Stub::Attend, GoodAttend(), -absl::Seconds(1));
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded) << status;
}

TEST_F(RefusalTest, ProfilesOutOfBounds) {
  const auto refused = [&](const std::string& what, const std::function<void(Profile&)>& spoil) {
    Profile profile = SmallProfile();
    spoil(profile);
    Expect(what, StatusCode::kInvalidArgument, "BAD_FIELD",
           client_.RegisterProfile(profile).status());
  };
  refused("no index heads", [](Profile& p) { p.index_heads = 0; });
  refused("129 index heads", [](Profile& p) { p.index_heads = 129; });
  refused("33 index dims", [](Profile& p) { p.index_dim = 33; });
  refused("k of 16385", [](Profile& p) { p.top_k = 16385; });
  refused("257 query heads", [](Profile& p) { p.query_heads = 257; });
  refused("a NaN scale",
          [](Profile& p) { p.softmax_scale = std::numeric_limits<float>::quiet_NaN(); });
  refused("no layers", [](Profile& p) { p.layers.clear(); });
  refused("a shared layer first", [](Profile& p) { p.layers = {LayerKind::kShared}; });
  Expect("an unknown profile", StatusCode::kNotFound, "UNKNOWN_PROFILE",
         client_.CreateContext(std::string(32, 'f')).status());
  Expect("an id with a slash", StatusCode::kInvalidArgument, "BAD_FIELD",
         client_.CreateContext(Fingerprint(SmallProfile()), "a/b").status());
}

TEST_F(RefusalTest, AStepThatFailsDoesNotEndTheDecode) {
  auto session = context_.StartDecode();
  client::DecodeStep bad;
  bad.attend = query_.Request();
  std::get<client::IndexQuery>(bad.attend->source).visible_entries = {kEntries + 1};
  EXPECT_EQ(ErrorReason(session->Run(bad).status()), "VISIBLE_OUT_OF_RANGE");
  client::DecodeStep gap{.start_position = kEntries + 7, .count = 1};
  gap.layers = {trial_.Entries(0, 1)};
  gap.attend = query_.Request();
  EXPECT_EQ(ErrorReason(session->Run(gap).status()), "APPEND_GAP");
  client::DecodeStep good;
  good.attend = query_.Request();
  auto result = session->Run(good);
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectSame(result->attend.selection, trial_.Selected(query_));
}

}  // namespace
}  // namespace winnow::testing
