// The limit that fan-outs are measured against: plain Boost.Beast, keep-alive
// connections, `concurrency` groups of one request to each of N targets, each
// group starting again when all its answers are in. Prints one JSON line.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

class Group;

class Connection {
 public:
  Connection(asio::io_context& context, const tcp::endpoint& target,
             const std::string& path, Group& group)
      : socket_(context), group_(group) {
    socket_.connect(target);
    socket_.set_option(tcp::no_delay(true));
    request_.method(http::verb::get);
    request_.target(path);
    request_.version(11);
    request_.set(http::field::host, target.address().to_string());
    request_.set(http::field::accept, "application/json");
  }

  void Ask();

 private:
  void Received(beast::error_code error);

  tcp::socket socket_;
  Group& group_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  http::response<http::string_body> response_;
};

class Group {
 public:
  Group(asio::io_context& context, const std::vector<tcp::endpoint>& targets,
        const std::string& path, std::vector<double>& latencies_us,
        const bool& stopping)
      : latencies_us_(latencies_us), stopping_(stopping) {
    for (const tcp::endpoint& target : targets) {
      connections_.push_back(
          std::make_unique<Connection>(context, target, path, *this));
    }
  }

  void Start() {
    start_ = Clock::now();
    missing_ = connections_.size();
    for (auto& connection : connections_) connection->Ask();
  }

  void OneAnswered() {
    if (--missing_ > 0) return;
    latencies_us_.push_back(
        std::chrono::duration<double, std::micro>(Clock::now() - start_)
            .count());
    if (!stopping_) Start();
  }

 private:
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<double>& latencies_us_;
  const bool& stopping_;
  Clock::time_point start_;
  std::size_t missing_ = 0;
};

void Connection::Ask() {
  http::async_write(
      socket_, request_, [this](beast::error_code error, std::size_t) {
        if (error) std::exit(1);
        response_ = {};
        http::async_read(socket_, buffer_, response_,
                         [this](beast::error_code read_error, std::size_t) {
                           Received(read_error);
                         });
      });
}

void Connection::Received(beast::error_code error) {
  if (error) {
    std::fprintf(stderr, "bare_loop: %s\n", error.message().c_str());
    std::exit(1);
  }
  group_.OneAnswered();
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double Percentile(std::vector<double>& sorted, double p) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(
      p * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> addresses;
  int port = 80;
  int concurrency = 1;
  double seconds = 4;
  std::string path = "/";
  CLI::App app("The bare Beast loop that fan-outs are measured against.");
  app.add_option("--targets", addresses, "addresses of servers")->required();
  app.add_option("--port", port);
  app.add_option("--concurrency", concurrency);
  app.add_option("--seconds", seconds);
  app.add_option("--path", path);
  CLI11_PARSE(app, argc, argv);

  asio::io_context context(1);
  std::vector<tcp::endpoint> targets;
  for (const std::string& address : addresses) {
    targets.emplace_back(asio::ip::make_address(address),
                         static_cast<unsigned short>(port));
  }
  std::vector<double> latencies_us;
  bool stopping = false;
  std::vector<std::unique_ptr<Group>> groups;
  for (int i = 0; i < concurrency; ++i) {
    groups.push_back(std::make_unique<Group>(context, targets, path,
                                             latencies_us, stopping));
  }
  // From a standing start until the last answer is in, so that the CPU is that
  // of the requests counted, however long they take.
  auto run = [&](double duration) {
    latencies_us.clear();
    stopping = false;
    context.restart();
    asio::steady_timer end(context,
                           std::chrono::duration_cast<Clock::duration>(
                               std::chrono::duration<double>(duration)));
    end.async_wait([&](beast::error_code) { stopping = true; });
    for (auto& group : groups) group->Start();
    context.run();
  };
  run(0.5);
  const double before = CpuSeconds();
  const Clock::time_point from = Clock::now();
  run(seconds);
  const double cpu = CpuSeconds() - before;
  const double elapsed =
      std::chrono::duration<double>(Clock::now() - from).count();

  std::sort(latencies_us.begin(), latencies_us.end());
  const auto groups_done = static_cast<double>(latencies_us.size());
  const double requests = groups_done * static_cast<double>(targets.size());
  std::printf(
      "{\"groups\":%.0f,\"seconds\":%.3f,\"groups_per_second\":%.1f,"
      "\"p50_us\":%.0f,\"p99_us\":%.0f,\"p999_us\":%.0f,"
      "\"cpu_us_per_request\":%.3f}\n",
      groups_done, elapsed, groups_done / elapsed,
      Percentile(latencies_us, 0.5), Percentile(latencies_us, 0.99),
      Percentile(latencies_us, 0.999), cpu * 1e6 / requests);
  return 0;
}
