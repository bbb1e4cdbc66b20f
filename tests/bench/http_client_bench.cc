// CPU of one keep-alive request: our client against a bare Beast loop, in turns
// and on one core, both asking the same responder on another core. Prints the
// medians and their ratio as a JSON line.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/http/client.h"
#include "tests/support/client_resources.h"

namespace coord {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr int kOurCore = 0;
constexpr int kOtherCore = 1;

void PinThisThread(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

double ThreadCpuMicros() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  auto micros = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

int Listen(std::uint16_t& port) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, generic, size) != 0 || listen(listener, 1024) != 0 ||
      getsockname(listener, generic, &size) != 0) {
    std::perror("listen");
    std::exit(1);
  }
  port = ntohs(address.sin_port);
  return listener;
}

std::string SmallAnswer() {
  const std::string body = R"({"data":{"id":1,"name":"a name of some length"},)"
                           R"("server":{"serverId":"node-1"}})";
  return absl::StrCat(
      "HTTP/1.1 200 OK\r\nServer: bench\r\n"
      "Date: Tue, 24 Nov 2026 02:18:03 GMT\r\n"
      "Content-Type: application/json\r\nContent-Length: ",
      body.size(), "\r\nConnection: keep-alive\r\n\r\n", body);
}

// Answers each read, which is one small request, with the same bytes.
[[noreturn]] void Respond(int listener, const std::string& answer) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  PinThisThread(kOtherCore);
  const int epoll = epoll_create1(0);
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    epoll_event events[64];
    const int n = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        const int accepted = accept(listener, nullptr, nullptr);
        event = {.events = EPOLLIN, .data = {.fd = accepted}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
        continue;
      }
      char buffer[4096];
      if (recv(fd, buffer, sizeof buffer, 0) <= 0 ||
          send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) {
        close(fd);
      }
    }
  }
}

// One connection of the bare loop, which asks again as soon as it is answered.
class BareConnection {
 public:
  BareConnection(asio::io_context& io, std::uint16_t port, int& left)
      : socket_(io), left_(left) {
    socket_.connect({asio::ip::address_v4::loopback(), port});
    socket_.set_option(tcp::no_delay(true));
    request_.method(http::verb::get);
    request_.target("/a/path");
    request_.version(11);
    request_.set(http::field::host, "127.0.0.1");
    request_.set(http::field::accept, "application/json");
    request_.set(http::field::user_agent, "bench");
  }

  void Ask() {
    if (--left_ < 0) return;
    http::async_write(
        socket_, request_, [this](beast::error_code error, std::size_t) {
          if (error) std::exit(1);
          response_ = {};
          http::async_read(socket_, buffer_, response_,
                           [this](beast::error_code failure, std::size_t) {
                             if (failure) std::exit(1);
                             Ask();
                           });
        });
  }

 private:
  tcp::socket socket_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  http::response<http::string_body> response_;
  int& left_;
};

double RunBare(std::uint16_t port, int connections, int requests) {
  asio::io_context io(1);
  int left = requests;
  std::vector<std::unique_ptr<BareConnection>> all;
  all.reserve(static_cast<std::size_t>(connections));
  for (int i = 0; i < connections; ++i) {
    all.push_back(std::make_unique<BareConnection>(io, port, left));
  }
  const double before = ThreadCpuMicros();
  for (auto& connection : all) connection->Ask();
  io.run();
  return (ThreadCpuMicros() - before) / requests;
}

// As many requests in flight as there are connections; lives on the loop.
class OurRun {
 public:
  OurRun(AsioLoop& loop, ClientResources resources, std::uint16_t port,
         int connections)
      : client_(*HttpClient::Create(loop, resources, {})),
        connections_(connections),
        origin_{false, "127.0.0.1", port},
        tail_(SerializeTail(
            "GET", {{"Accept", "application/json"}, {"User-Agent", "bench"}},
            "")) {}

  void Start(int requests, absl::AnyInvocable<void() &&> done) {
    left_ = requests;
    missing_ = requests;
    done_ = std::move(done);
    for (int i = 0; i < connections_; ++i) Ask();
  }

 private:
  void Ask() {
    if (--left_ < 0) return;
    HttpRequest request{.origin = origin_,
                        .target = "/a/path",
                        .tail = tail_,
                        .repeatable = true};
    client_->Send(std::move(request), [this](HttpOutcome outcome) {
      if (!std::holds_alternative<HttpResponse>(outcome)) std::exit(1);
      Ask();
      if (--missing_ == 0) std::move(done_)();
    });
  }

  std::unique_ptr<HttpClient> client_;
  const int connections_;
  const Origin origin_;
  const SharedTail tail_;
  int left_ = 0;
  int missing_ = 0;
  absl::AnyInvocable<void() &&> done_;
};

double RunOurs(std::uint16_t port, int connections, int requests) {
  TestResources resources;
  AsioLoop loop("bench");
  absl::Notification over;
  std::unique_ptr<OurRun> run;
  double micros = 0;
  loop.Post([&] {
    PinThisThread(kOurCore);
    run = std::make_unique<OurRun>(loop, resources.get(), port, connections);
    // Connects first, as the bare loop does before it measures.
    run->Start(connections, [&] {
      loop.Post([&] {
        const double before = ThreadCpuMicros();
        run->Start(requests, [&, before] {
          micros = (ThreadCpuMicros() - before) / requests;
          loop.Post([&] {
            run.reset();
            over.Notify();
          });
        });
      });
    });
  });
  over.WaitForNotification();
  return micros;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace
}  // namespace coord

int main(int argc, char** argv) {
  int connections = 32;
  int requests = 100'000;
  int rounds = 9;
  std::string only;
  CLI::App app("CPU of a keep-alive request: our client and bare Beast.");
  app.add_option("--connections", connections);
  app.add_option("--requests", requests, "for each round");
  app.add_option("--rounds", rounds);
  app.add_option("--only", only, "ours or bare, for a profiler");
  CLI11_PARSE(app, argc, argv);

  std::uint16_t port = 0;
  const int listener = coord::Listen(port);
  if (fork() == 0) {
    coord::Respond(listener, coord::SmallAnswer());
  }
  coord::PinThisThread(coord::kOurCore);
  std::vector<double> bare;
  std::vector<double> ours;
  std::vector<double> ratios;
  for (int i = 0; i < rounds; ++i) {
    if (only != "ours") {
      bare.push_back(coord::RunBare(port, connections, requests));
    }
    if (only != "bare") {
      ours.push_back(coord::RunOurs(port, connections, requests));
    }
    if (only.empty()) ratios.push_back(ours.back() / bare.back());
  }
  if (!only.empty()) return 0;
  std::printf("{\"bare_us\":%.2f,\"ours_us\":%.2f,\"ratio\":%.3f}\n",
              coord::Median(bare), coord::Median(ours), coord::Median(ratios));
  return 0;
}
