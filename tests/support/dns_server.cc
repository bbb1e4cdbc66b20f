#include "tests/support/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace coord {
namespace {

constexpr std::size_t kHeader = 12;
constexpr int kA = 1;
constexpr int kCname = 5;
constexpr int kAaaa = 28;
constexpr int kNoSuchName = 3;  // NXDOMAIN

std::string Number16(int value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string Encode(const std::string& name) {
  std::string out;
  for (const auto label : absl::StrSplit(name, '.')) {
    out += static_cast<char>(label.size());
    absl::StrAppend(&out, label);
  }
  return out + '\0';
}

std::string Answer(const std::string& name, int type, int ttl,
                   const std::string& data) {
  return absl::StrCat(Encode(name), Number16(type), Number16(1), Number16(0),
                      Number16(ttl), Number16(static_cast<int>(data.size())),
                      data);
}

// As it goes over the wire; empty where it is of the other family.
std::string Bytes(const std::string& address, int type) {
  char bytes[16];
  if (inet_pton(type == kA ? AF_INET : AF_INET6, address.c_str(), bytes) != 1) {
    return {};
  }
  return {bytes, type == kA ? std::size_t{4} : sizeof bytes};
}

}  // namespace

DnsServer::DnsServer() {
  socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const int room = 4 << 20;
  setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (socket_ < 0 || bind(socket_, generic, size) != 0 ||
      getsockname(socket_, generic, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

DnsServer::~DnsServer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  sockaddr_in self{};
  self.sin_family = AF_INET;
  self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  self.sin_port = htons(port_);
  sendto(socket_, "", 0, 0, reinterpret_cast<sockaddr*>(&self), sizeof self);
  thread_.join();
  close(socket_);
}

std::string DnsServer::address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

void DnsServer::Set(const std::string& name, Record record) {
  absl::MutexLock lock(&mutex_);
  records_[name] = std::move(record);
}

void DnsServer::Silence(const std::string& zone, bool silent) {
  absl::MutexLock lock(&mutex_);
  silent_[zone] = silent;
}

int DnsServer::asked(const std::string& name) const {
  absl::MutexLock lock(&mutex_);
  const auto it = asked_.find(name);
  return it == asked_.end() ? 0 : it->second;
}

void DnsServer::WaitForAsked(const std::string& name, int times) const {
  absl::MutexLock lock(&mutex_);
  auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto it = asked_.find(name);
    return it != asked_.end() && it->second >= times;
  };
  mutex_.Await(absl::Condition(&enough));
}

int DnsServer::asked() const {
  absl::MutexLock lock(&mutex_);
  return all_asked_;
}

bool DnsServer::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

void DnsServer::Serve() {
  for (;;) {
    char buffer[512];
    sockaddr_in from{};
    socklen_t size = sizeof from;
    auto* generic = reinterpret_cast<sockaddr*>(&from);
    const ssize_t got =
        recvfrom(socket_, buffer, sizeof buffer, 0, generic, &size);
    if (stopping()) return;
    if (got < static_cast<ssize_t>(kHeader)) continue;
    const std::string answer =
        AnswerTo({buffer, static_cast<std::size_t>(got)});
    if (answer.empty()) continue;
    sendto(socket_, answer.data(), answer.size(), 0, generic, size);
  }
}

std::string DnsServer::AnswerTo(const std::string& question) {
  std::vector<std::string> labels;
  std::size_t at = kHeader;
  while (question[at] != 0) {
    const std::size_t size = static_cast<unsigned char>(question[at]);
    labels.push_back(question.substr(at + 1, size));
    at += 1 + size;
  }
  const std::string name = absl::StrJoin(labels, ".");
  const int type = static_cast<unsigned char>(question[at + 2]);
  const std::string asked = question.substr(kHeader, at + 5 - kHeader);

  absl::MutexLock lock(&mutex_);
  ++all_asked_;
  if (type == kA) ++asked_[name];
  for (const auto& [zone, silent] : silent_) {
    if (silent && (name == zone || absl::EndsWith(name, "." + zone))) return {};
  }
  int rcode = kNoSuchName;
  int count = 0;
  std::string answers;
  std::string owner = name;
  for (auto it = records_.find(name); it != records_.end();) {
    const Record& record = it->second;
    if (record.silent_for_v6 && type == kAaaa) return {};
    rcode = record.rcode;
    for (const std::string& address : record.addresses) {
      const std::string bytes = Bytes(address, type);
      if (bytes.empty()) continue;
      answers += Answer(owner, type, record.ttl, bytes);
      ++count;
    }
    if (record.alias_of.empty()) break;
    answers += Answer(owner, kCname, record.ttl, Encode(record.alias_of));
    ++count;
    owner = record.alias_of;
    it = records_.find(owner);
  }
  return absl::StrCat(question.substr(0, 2), Number16(0x8180 | rcode),
                      Number16(1), Number16(count), Number16(0), Number16(0),
                      asked, answers);
}

}  // namespace coord
