#ifndef WINNOW_SERVICES_WIRE_UTF8_H_
#define WINNOW_SERVICES_WIRE_UTF8_H_

#include <string>
#include <string_view>

// A message with a string in it that is not UTF-8 can be sent but not read. What the system says,
// as names of files, may be any bytes.
namespace winnow::wire {

// The text with a question mark in place of each byte that is not UTF-8.
std::string ToUtf8(std::string_view text);

// Takes the first character off a text that is not empty; a question mark for a byte that is none.
std::string_view TakeCharacter(std::string_view* text);

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_UTF8_H_
