#ifndef WINNOW_TESTS_FAULTS_ENTRY_BYTES_H_
#define WINNOW_TESTS_FAULTS_ENTRY_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/profile.h"

namespace winnow::testing {

// What a context holds. Every entry's bytes follow from a stream, its layer and its position, so
// that nothing need be kept to know what must be read back, and no two entries are alike. Finite in
// every format that FaultProfile() uses.
class Content {
 public:
  explicit Content(uint64_t stream) : pieces_{{0, stream}} {}

  // The same up to `position`, and another stream from there on.
  Content ContinuedBy(uint64_t stream, uint64_t position) const;

  // Entries [first, first + count) of a layer, as they travel.
  std::vector<std::byte> Keys(const Profile& profile, int layer, uint64_t first,
                              uint64_t count) const;
  std::vector<std::byte> Rows(const Profile& profile, int layer, uint64_t first,
                              uint64_t count) const;

  friend bool operator==(const Content&, const Content&) = default;

 private:
  struct Piece {
    uint64_t first;
    uint64_t stream;
    friend bool operator==(const Piece&, const Piece&) = default;
  };

  uint64_t StreamAt(uint64_t position) const;

  std::vector<Piece> pieces_;  // by first
};

// Two layers with an index, one that shares and one that holds nothing; keys are fp8 and rows bf16.
// Small rows are of 96 bytes and keys of 36, large ones of 1152 and 132.
Profile FaultProfile(bool large_rows);

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_FAULTS_ENTRY_BYTES_H_
