#include "server/rpc/registration_page.h"

#include <utility>
#include <vector>

namespace coord {
namespace {

std::string TextOf(const RegistrationKey& key) {
  return ListKey({key.type, key.server_id, key.public_base_url});
}

RegistrationKey KeyFrom(const std::string& text) {
  std::vector<std::string> names = NamesIn(text, 3);
  return {std::move(names[0]), std::move(names[1]), std::move(names[2])};
}

}  // namespace

RegistrationPage::RegistrationPage(const RpcBackend& backend, UnaryCall call,
                                   CountedReactor* reactor, std::string type,
                                   const PageRequest& page,
                                   pb::ListRegistrationsResponse* response)
    : backend_(backend),
      call_(std::move(call)),
      reactor_(reactor),
      response_(response),
      range_{std::move(type), KeyFrom(page.after)},
      room_(page) {}

void RegistrationPage::ReadOn() {
  backend_.registrar.List(
      range_,
      PostedTo(backend_.streams, [self = shared_from_this()](
                                     absl::StatusOr<RegistrationSlice> slice) {
        self->Take(std::move(slice));
      }));
}

void RegistrationPage::Take(absl::StatusOr<RegistrationSlice> slice) {
  if (!slice.ok()) {
    call_.Finish(slice.status());
    return;
  }
  const std::string self_doubt = backend_.self_doubt.Cause();
  for (const RegistrationView& view : slice->views) {
    if (room_.full()) return Finish(PageToken(kList, TextOf(range_.after)));
    pb::Registration* added = filled_.add_registrations();
    ToProto(view, self_doubt, added);
    room_.Take(added->ByteSizeLong());
    range_.after = RegistrationKey::Of(view.server);
  }
  if (!slice->more) return Finish("");
  if (room_.full()) return Finish(PageToken(kList, TextOf(range_.after)));
  ReadOn();
}

void RegistrationPage::Finish(const std::string& next_page_token) {
  filled_.set_next_page_token(next_page_token);
  call_.Finish(
      absl::StatusOr<pb::ListRegistrationsResponse>(std::move(filled_)),
      [this](pb::ListRegistrationsResponse page) {
        response_->Swap(&page);
        reactor_->Count(*response_);
      });
}

}  // namespace coord
