// A transport that a test answers by hand.
#ifndef TESTS_SUPPORT_FAKE_TRANSPORT_H_
#define TESTS_SUPPORT_FAKE_TRANSPORT_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/text_view.h"
#include "server/http/transport.h"
#include "tests/support/manual_loop.h"

namespace coord {

// Requests queue up in `requests` until the test answers them; a request's own
// timeout is kept on the loop.
class FakeTransport final : public HttpTransport {
 public:
  struct Pending {
    RequestId id;
    HttpRequest request;
    Done done;
    TimerId timer = kNoTimer;
    // What Cancel and a timeout report.
    bool sent = true;
    bool heard = false;
    std::optional<HttpError> held_up = std::nullopt;  // what HeldUpBy reports

    // `POST http://10.0.0.1:80/base/path`.
    std::string ToString() const {
      return absl::StrCat(request.method, " http://",
                          request.origin.HostHeader(), request.target);
    }
  };

  explicit FakeTransport(ManualLoop& loop) : loop_(loop) {}

  RequestId Send(HttpRequest request, Done done) override {
    const RequestId id{++last_};
    Pending pending{id, std::move(request), std::move(done)};
    if (pending.request.timeout < absl::InfiniteDuration()) {
      pending.timer = loop_.RunAfter(pending.request.timeout, [this, id] {
        for (std::size_t i = 0; i < requests.size(); ++i) {
          if (requests[i].id != id) continue;
          HttpError error{HttpError::Kind::kTimeout, requests[i].sent, false,
                          "made to fail"};
          error.heard = requests[i].heard;
          Finish(std::move(error), i);
          return;
        }
      });
    }
    requests.push_back(std::move(pending));
    return id;
  }

  GivenUp Cancel(RequestId id) override {
    for (auto it = requests.begin(); it != requests.end(); ++it) {
      if (it->id != id) continue;
      const GivenUp known{it->sent, it->heard};
      loop_.Cancel(it->timer);
      Pending doomed = std::move(*it);
      requests.erase(it);
      ++cancelled;
      return known;
    }
    return {};
  }

  void GoOn(RequestId id) override { went_on.push_back(id); }

  std::optional<HttpError> HeldUpBy(RequestId id,
                                    std::string_view how_long) const override {
    for (const Pending& each : requests) {
      if (each.id != id || !each.held_up) continue;
      HttpError error = *each.held_up;
      absl::StrAppend(&error.message, " ", AbslView(how_long));
      return error;
    }
    return std::nullopt;
  }

  // Answers request `i`, counted from the oldest that waits.
  void Answer(int status, std::string body, std::size_t i = 0,
              std::string content_type = "application/json") {
    HttpResponse response{status, {}, std::move(body)};
    if (!content_type.empty()) {
      response.headers.push_back({"Content-Type", std::move(content_type)});
    }
    Finish(std::move(response), i);
  }

  void Fail(HttpError::Kind kind, bool sent, std::size_t i = 0) {
    Finish(HttpError{kind, sent, false, "made to fail"}, i);
  }

  void Finish(HttpOutcome outcome, std::size_t i = 0) {
    Pending pending = std::move(requests.at(i));
    requests.erase(requests.begin() + static_cast<std::ptrdiff_t>(i));
    loop_.Cancel(pending.timer);
    std::move(pending.done)(std::move(outcome));
    loop_.RunPosted();
  }

  std::deque<Pending> requests;
  int cancelled = 0;
  std::vector<RequestId> went_on;

 private:
  ManualLoop& loop_;
  std::uint64_t last_ = 0;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_FAKE_TRANSPORT_H_
