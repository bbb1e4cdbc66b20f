// The compiled part of Beast, once for the whole program. In builds with
// assertions its parser would end the program when the last chunk of a body
// arrives in single bytes: it claims five of them before it looks for a fifth.
#define BOOST_DISABLE_ASSERTS
#include <boost/beast/src.hpp>
