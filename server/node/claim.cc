#include "server/node/claim.h"

namespace coord {

std::string_view Describe(Claim claim) {
  switch (claim) {
    case Claim::kEvicted:
      return "evicted by this clusterd";
    case Claim::kEvictedByHand:
      return "evicted by hand";
    case Claim::kRemovedAtMit:
      return "removed by others, from this clusterd as mIT";
    case Claim::kLeaveTold:
      return "left, as another server says";
    case Claim::kMoveTold:
      return "registered elsewhere, as another server says";
    case Claim::kNotListed:
      return "no longer listed by the authority";
  }
  return "";
}

}  // namespace coord
