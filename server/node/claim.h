// What gives reason to think that a server which is held here is gone.
#ifndef SERVER_NODE_CLAIM_H_
#define SERVER_NODE_CLAIM_H_

#include <string_view>

namespace coord {

enum class Claim {
  kEvicted,        // our own evictor found it dead and removed it
  kEvictedByHand,  // somebody had us remove it
  kRemovedAtMit,   // a node of its cluster removed it from us as mIT
  kLeaveTold,      // another server announced that it left
  kMoveTold,       // another server has a newer record of it, elsewhere
  kNotListed,      // the authority's list lacks it
};

// `evicted by hand`: what is known of `claim`, and no more.
std::string_view Describe(Claim claim);

}  // namespace coord

#endif  // SERVER_NODE_CLAIM_H_
