#include "server/http/dns_channel.h"

#include <ares.h>
#include <netinet/in.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace coord {
namespace asio = boost::asio;

namespace {

constexpr int kFirstTimeoutMs = 1000;  // doubles with each of the tries
constexpr int kTries = 4;
// How often c-ares looks for questions whose time is over.
constexpr absl::Duration kTick = absl::Milliseconds(100);

std::string TextOf(int status) {
  switch (status) {
    case ARES_ENOTFOUND:
      return "no such name";
    case ARES_ENODATA:
      return "the name has no address";
    case ARES_ETIMEOUT:
      return "no answer from the DNS";
    case ARES_ECONNREFUSED:  // what c-ares calls each other failure of servers
      return "no good answer from the DNS";
    default:
      break;
  }
  std::string text = ares_strerror(status);
  if (!text.empty()) text[0] = absl::ascii_tolower(text[0]);
  return text;
}

bool IsNoSuchName(int status) {
  return status == ARES_ENOTFOUND || status == ARES_ENODATA ||
         status == ARES_ENONAME || status == ARES_EBADNAME;
}

std::optional<asio::ip::address> AddressOf(const ares_addrinfo_node& node) {
  if (node.ai_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, node.ai_addr, sizeof v4);
    return asio::ip::address_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (node.ai_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, node.ai_addr, sizeof v6);
    asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return asio::ip::address_v6(bytes, v6.sin6_scope_id);
  }
  return std::nullopt;
}

ares_addrinfo_hints HintsFor(int family) {
  ares_addrinfo_hints hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  return hints;
}

}  // namespace

// A socket of c-ares, watched until c-ares closes it.
class DnsChannel::Socket : public std::enable_shared_from_this<Socket> {
 public:
  Socket(DnsChannel& channel, int fd)
      : channel_(channel), fd_(fd), watched_(channel.loop_.io_context(), fd) {}

  void Watch(bool read, bool write) {
    read_ = read;
    write_ = write;
    if (read_ && !std::exchange(reading_, true)) {
      Await(asio::posix::stream_descriptor::wait_read);
    }
    if (write_ && !std::exchange(writing_, true)) {
      Await(asio::posix::stream_descriptor::wait_write);
    }
  }

  // It belongs to c-ares, which closes it.
  void Release() {
    released_ = true;
    watched_.release();
  }

 private:
  void Await(asio::posix::stream_descriptor::wait_type what) {
    const bool read = what == asio::posix::stream_descriptor::wait_read;
    watched_.async_wait(what, [self = shared_from_this(),
                               read](boost::system::error_code error) {
      if (self->released_ || error == asio::error::operation_aborted) return;
      (read ? self->reading_ : self->writing_) = false;
      if (read ? self->read_ : self->write_) {
        self->channel_.Process(read ? self->fd_ : ARES_SOCKET_BAD,
                               read ? ARES_SOCKET_BAD : self->fd_);
      }
      if (!self->released_) self->Watch(self->read_, self->write_);
    });
  }

  DnsChannel& channel_;
  const int fd_;
  asio::posix::stream_descriptor watched_;
  bool released_ = false;
  bool read_ = false;  // wanted
  bool write_ = false;
  bool reading_ = false;  // waited for
  bool writing_ = false;
};

struct DnsChannel::Question {
  DnsChannel& channel;
  Done done;
};

void DnsChannel::Closer::operator()(ares_channeldata* channel) const {
  ares_destroy(channel);
}

absl::StatusOr<std::unique_ptr<DnsChannel>> DnsChannel::Create(
    AsioLoop& loop, const std::string& servers) {
  std::unique_ptr<DnsChannel> self(new DnsChannel(loop));
  char lookups[] = "f";
  ares_options options{};
  options.lookups = lookups;
  options.timeout = kFirstTimeoutMs;
  options.tries = kTries;
  options.sock_state_cb = OnSocket;
  options.sock_state_cb_data = self.get();
  int given = ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
              ARES_OPT_SOCK_STATE_CB;
  for (auto* channel : {&self->hosts_, &self->dns_}) {
    ares_channeldata* made = nullptr;
    if (const int status = ares_init_options(&made, &options, given);
        status != ARES_SUCCESS) {
      return absl::InvalidArgumentError(
          absl::StrCat("read /etc/resolv.conf: ", TextOf(status)));
    }
    channel->reset(made);
    // Both families have to find the same name, so the search is ours.
    lookups[0] = 'b';
    given |= ARES_OPT_DOMAINS;
  }
  self->ReadSearchList();
  if (servers.empty()) return self;
  if (const int status =
          ares_set_servers_ports_csv(self->dns_.get(), servers.c_str());
      status != ARES_SUCCESS) {
    return absl::InvalidArgumentError(
        absl::StrCat("take `", servers, "` for DNS servers: ", TextOf(status)));
  }
  return self;
}

void DnsChannel::ReadSearchList() {
  ares_options read{};
  int given = 0;
  if (ares_save_options(hosts_.get(), &read, &given) == ARES_SUCCESS) {
    ndots_ = read.ndots;
    search_.assign(read.domains, read.domains + std::max(read.ndomains, 0));
  }
  ares_destroy_options(&read);
}

std::vector<std::string> DnsChannel::Candidates(const std::string& name) const {
  if (name.ends_with('.')) return {name};
  std::vector<std::string> names;
  for (const std::string& domain : search_) {
    names.push_back(absl::StrCat(name, ".", domain));
  }
  const bool first = std::count(name.begin(), name.end(), '.') >= ndots_;
  names.insert(first ? names.begin() : names.end(), name);
  return names;
}

DnsChannel::~DnsChannel() {
  loop_.Cancel(tick_);
  dns_.reset();
  hosts_.reset();
  for (auto& [fd, socket] : sockets_) socket->Release();
}

Addresses DnsChannel::FromHostsFile(const std::string& name) {
  Addresses found;
  ares_addrinfo_hints hints = HintsFor(AF_UNSPEC);
  hints.ai_flags |= ARES_AI_ENVHOSTS;
  ares_getaddrinfo(
      hosts_.get(), name.c_str(), nullptr, &hints,
      [](void* out, int status, int /*timeouts*/, ares_addrinfo* answer) {
        *static_cast<Addresses*>(out) = Read(status, answer).addresses;
      },
      &found);
  return found;
}

void DnsChannel::Ask(const std::string& name, Family family, Done done) {
  ++unanswered_;
  if (tick_ == kNoTimer) {
    tick_ = loop_.RunAfter(kTick, [this] { Tick(); });
  }
  const ares_addrinfo_hints hints =
      HintsFor(family == Family::kV4 ? AF_INET : AF_INET6);
  ares_getaddrinfo(dns_.get(), name.c_str(), nullptr, &hints, OnAnswer,
                   new Question{*this, std::move(done)});
}

// May be called inside Ask, and when the channel is destroyed.
void DnsChannel::OnAnswer(void* question, int status, int /*timeouts*/,
                          ares_addrinfo* answer) {
  std::unique_ptr<Question> asked(static_cast<Question*>(question));
  DnsAnswer read = Read(status, answer);
  if (status == ARES_EDESTRUCTION) return;
  --asked->channel.unanswered_;
  asked->channel.loop_.Post(
      [done = std::move(asked->done), read = std::move(read)]() mutable {
        std::move(done)(std::move(read));
      });
}

DnsAnswer DnsChannel::Read(int status, ares_addrinfo* answer) {
  DnsAnswer read;
  if (status != ARES_SUCCESS) {
    const std::string why = TextOf(status);
    read.status = IsNoSuchName(status) ? absl::NotFoundError(why)
                                       : absl::UnavailableError(why);
  } else {
    int ttl = INT_MAX;
    for (const auto* each = answer->nodes; each; each = each->ai_next) {
      const auto address = AddressOf(*each);
      if (!address) continue;
      read.addresses.push_back(*address);
      ttl = std::min(ttl, each->ai_ttl);
    }
    for (const auto* each = answer->cnames; each; each = each->next) {
      ttl = std::min(ttl, each->ttl);
    }
    read.ttl = absl::Seconds(ttl);
    if (read.addresses.empty()) {
      read.status = absl::NotFoundError(TextOf(ARES_ENODATA));
    }
  }
  if (answer != nullptr) ares_freeaddrinfo(answer);
  return read;
}

void DnsChannel::OnSocket(void* self, int socket, int readable, int writable) {
  static_cast<DnsChannel*>(self)->Watch(socket, readable != 0, writable != 0);
}

void DnsChannel::Watch(int socket, bool read, bool write) {
  std::shared_ptr<Socket>& watched = sockets_[socket];
  if (!read && !write) {
    if (watched != nullptr) watched->Release();
    sockets_.erase(socket);
    return;
  }
  if (watched == nullptr) watched = std::make_shared<Socket>(*this, socket);
  watched->Watch(read, write);
}

void DnsChannel::Process(int readable, int writable) {
  ares_process_fd(dns_.get(), readable, writable);
}

void DnsChannel::Tick() {
  tick_ = kNoTimer;
  Process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  if (unanswered_ > 0) {
    tick_ = loop_.RunAfter(kTick, [this] { Tick(); });
  }
}

}  // namespace coord
