// The little of SQLite that this project needs, behind absl::Status.
#ifndef SERVER_REGISTRY_SQLITE_H_
#define SERVER_REGISTRY_SQLITE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace coord {

struct SqliteClose {
  void operator()(sqlite3* db) const;
};
using SqlitePtr = std::unique_ptr<sqlite3, SqliteClose>;

// UNAVAILABLE · STORE_UNAVAILABLE with what SQLite says went wrong last:
// `<action>: <cause>`.
absl::Status StoreError(sqlite3* db, std::string_view action);

// The row that a query stands on. Columns count from 0.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}

  std::string Text(int column) const;
  std::int64_t Int(int column) const;
  std::optional<std::int64_t> OptionalInt(int column) const;
  // InfinitePast for NULL.
  absl::Time Time(int column) const;

 private:
  sqlite3_stmt* statement_;
};

// A prepared statement. Used on one thread at a time, and destroyed before its
// database is closed.
class Statement {
 public:
  // `sql` is a single statement. That it is wrong shows when it runs.
  Statement(sqlite3* db, std::string_view sql);
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Binds `values` to the parameters in order, runs the statement to its end
  // and calls `visit` with each row. Errors: STORE_UNAVAILABLE.
  template <typename... Values>
  absl::Status Query(absl::FunctionRef<void(const Row&)> visit,
                     const Values&... values) {
    int index = 0;
    (Bind(++index, values), ...);
    return Execute(visit);
  }

  // The same for a statement whose rows, if any, do not matter.
  template <typename... Values>
  absl::Status Run(const Values&... values) {
    return Query([](const Row&) {}, values...);
  }

 private:
  void Bind(int index, std::string_view text);
  void Bind(int index, std::int64_t number);
  void Bind(int index, std::optional<std::int64_t> number);
  // To the millisecond; an infinite time is NULL.
  void Bind(int index, absl::Time time);
  absl::Status Execute(absl::FunctionRef<void(const Row&)> visit);

  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
  absl::Status prepared_;
};

}  // namespace coord

#endif  // SERVER_REGISTRY_SQLITE_H_
