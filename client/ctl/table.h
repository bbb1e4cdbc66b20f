// Aligned columns for people.
#ifndef CLIENT_CTL_TABLE_H_
#define CLIENT_CTL_TABLE_H_

#include <string>
#include <vector>

namespace coord {

class Table {
 public:
  explicit Table(std::vector<std::string> header);

  // As many cells as the header has.
  void Add(std::vector<std::string> cells);

  bool empty() const { return rows_.size() == 1; }

  // One line for the header and for each row, columns two spaces apart; a
  // column without any content is left out. Control characters are escaped.
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the first is the header
};

}  // namespace coord

#endif  // CLIENT_CTL_TABLE_H_
