#ifndef WINNOW_CLIENT_WINNOWCTL_TABLE_H_
#define WINNOW_CLIENT_WINNOWCTL_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace winnow::ctl {

// Rows of text under a head, columns aligned; a column of numbers aligns to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// 1234567 -> "1.2 MB".
std::string FormatBytes(uint64_t bytes);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_TABLE_H_
