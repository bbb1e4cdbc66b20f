#include "server/registry/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/text_view.h"

namespace coord {

void SqliteClose::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

absl::Status StoreError(sqlite3* db, std::string_view action) {
  return MakeError(Reason::kStoreUnavailable,
                   absl::StrCat(AbslView(action), ": ", sqlite3_errmsg(db)));
}

std::string Row::Text(int column) const {
  // The pointer comes before the size: the call may convert the value.
  const auto* text =
      reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return {};
  return {text,
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::int64_t Row::Int(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::optional<std::int64_t> Row::OptionalInt(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) {
    return std::nullopt;
  }
  return Int(column);
}

absl::Time Row::Time(int column) const {
  const std::optional<std::int64_t> millis = OptionalInt(column);
  return millis ? absl::FromUnixMillis(*millis) : absl::InfinitePast();
}

Statement::Statement(sqlite3* db, std::string_view sql) : db_(db) {
  if (sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement_,
                         nullptr) != SQLITE_OK) {
    prepared_ = StoreError(db, "prepare a statement of the store");
  }
}

Statement::Statement(Statement&& other) noexcept
    : db_(other.db_),
      statement_(std::exchange(other.statement_, nullptr)),
      prepared_(std::move(other.prepared_)) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

// Values outlive the execution, so they are not copied. A failed bind leaves
// NULL, which the schema refuses.
void Statement::Bind(int index, std::string_view text) {
  sqlite3_bind_text(statement_, index,
                    text.data() == nullptr ? "" : text.data(),
                    static_cast<int>(text.size()), SQLITE_STATIC);
}

void Statement::Bind(int index, std::int64_t number) {
  sqlite3_bind_int64(statement_, index, number);
}

void Statement::Bind(int index, std::optional<std::int64_t> number) {
  if (number) {
    Bind(index, *number);
  } else {
    sqlite3_bind_null(statement_, index);
  }
}

void Statement::Bind(int index, absl::Time time) {
  const bool finite =
      time > absl::InfinitePast() && time < absl::InfiniteFuture();
  Bind(index, finite ? std::optional(absl::ToUnixMillis(time)) : std::nullopt);
}

absl::Status Statement::Execute(absl::FunctionRef<void(const Row&)> visit) {
  if (!prepared_.ok()) return prepared_;
  absl::Status result;
  for (;;) {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) {
      visit(Row(statement_));
      continue;
    }
    if (code != SQLITE_DONE) result = StoreError(db_, "use the store");
    break;
  }
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  return result;
}

}  // namespace coord
