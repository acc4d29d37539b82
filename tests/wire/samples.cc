#include "tests/wire/samples.h"

#include "google/protobuf/util/message_differencer.h"
#include "services/wire/profile.h"

namespace winnow::wire {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void FillField(Message* message, const FieldDescriptor* field, uint64_t* next) {
  const Reflection* reflection = message->GetReflection();
  const uint64_t value = (*next)++;
  const std::string text = std::string("text-") + std::string(1, static_cast<char>('a' + value));
  const bool list = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32: {
      const auto number = static_cast<uint32_t>(value);
      return list ? reflection->AddUInt32(message, field, number)
                  : reflection->SetUInt32(message, field, number);
    }
    case FieldDescriptor::CPPTYPE_UINT64:
      return list ? reflection->AddUInt64(message, field, value)
                  : reflection->SetUInt64(message, field, value);
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->SetBool(message, field, true);
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection->SetEnumValue(message, field, 2);
    case FieldDescriptor::CPPTYPE_STRING: {
      const bool bytes = field->type() == FieldDescriptor::TYPE_BYTES;
      const std::string filled = bytes ? std::string(8, static_cast<char>(value)) : text;
      return list ? reflection->AddString(message, field, filled)
                  : reflection->SetString(message, field, filled);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return FillEverything(list ? reflection->AddMessage(message, field)
                                 : reflection->MutableMessage(message, field));
    default:
      throw std::logic_error("FillEverything does not know the type of " + field->full_name());
  }
}

}  // namespace

Profile SmallProfile() {
  return {.name = "small",
          .key_format = kernels::KeyFormat::kMxFp4,
          .row_format = kernels::RowFormat::kBf16,
          .index_heads = 3,
          .index_dim = 64,
          .latent_dim = 96,
          .rope_dim = 16,
          .query_heads = 5,
          .top_k = 7,
          .softmax_scale = 0.25f,
          .layers = {LayerKind::kOwn, LayerKind::kShared}};
}

void FillEverything(Message* message) {
  if (auto* profile = dynamic_cast<v1::Profile*>(message)) {
    *profile = FromProfile(SmallProfile());
    return;
  }
  uint64_t next = 1;
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    if (field->containing_oneof() != nullptr) continue;
    for (int n = 0; n < (field->is_repeated() ? 2 : 1); ++n) FillField(message, field, &next);
  }
}

std::string Difference(const Message& a, const Message& b) {
  std::string difference;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  return differencer.Compare(a, b) ? "" : difference;
}

std::string Bytes(std::initializer_list<int> values) { return {values.begin(), values.end()}; }

std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> Span(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace winnow::wire
