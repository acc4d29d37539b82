#ifndef WINNOW_SERVICES_WIRE_BYTES_H_
#define WINNOW_SERVICES_WIRE_BYTES_H_

#include <cstddef>
#include <span>
#include <string>

namespace winnow::wire {

// A bytes field as the rooms below take it.
inline std::span<const std::byte> AsSpan(const std::string& field) {
  return std::as_bytes(std::span(field.data(), field.size()));
}

// Copies the elements' object representation, little-endian like the machine.
template <typename T>
void SetBytes(std::span<const T> values, std::string* field) {
  field->assign(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_BYTES_H_
