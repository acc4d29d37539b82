#ifndef WINNOW_TESTS_WIRE_SAMPLES_H_
#define WINNOW_TESTS_WIRE_SAMPLES_H_

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "google/protobuf/message.h"
#include "storage/profile.h"

namespace winnow::wire {

// Two layers of a small model.
Profile SmallProfile();

// Gives every field of a message, and of the messages in it, a value of its own that is not the
// default: numbers count up from 1, lists have two elements, bytes are eight long. Profiles are
// valid; fields of a oneof are left alone.
void FillEverything(google::protobuf::Message* message);

// "" if both have the same fields with the same values; otherwise what differs.
std::string Difference(const google::protobuf::Message& a, const google::protobuf::Message& b);

// The bytes, as a field holds them.
std::string Bytes(std::initializer_list<int> values);
std::string Text(std::span<const std::byte> bytes);
std::span<const std::byte> Span(const std::string& text);

}  // namespace winnow::wire

#endif  // WINNOW_TESTS_WIRE_SAMPLES_H_
