#include "services/wire/utf8.h"

namespace winnow::wire {
namespace {

// Of the UTF-8 character that the text begins with; 0 if it begins with none.
size_t CharacterBytes(std::string_view text) {
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const size_t bytes = first < 0xC2   ? 0
                       : first < 0xE0 ? 2
                       : first < 0xF0 ? 3
                       : first < 0xF5 ? 4
                                      : 0;
  if (bytes == 0 || text.size() < bytes) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  const bool too_long = (first == 0xE0 && at(1) < 0xA0) || (first == 0xF0 && at(1) < 0x90);
  const bool surrogate = first == 0xED && at(1) > 0x9F;
  const bool too_large = first == 0xF4 && at(1) > 0x8F;
  return too_long || surrogate || too_large ? 0 : bytes;
}

}  // namespace

std::string_view TakeCharacter(std::string_view* text) {
  const size_t bytes = CharacterBytes(*text);
  const std::string_view next = bytes == 0 ? "?" : text->substr(0, bytes);
  text->remove_prefix(next.size());
  return next;
}

std::string ToUtf8(std::string_view text) {
  std::string clean;
  while (!text.empty()) clean.append(TakeCharacter(&text));
  return clean;
}

}  // namespace winnow::wire
