// What the body of an answer says: the one judgement for answers of servers and
// for those of services behind the proxy.
#ifndef SERVER_FANOUT_ANSWER_BODY_H_
#define SERVER_FANOUT_ANSWER_BODY_H_

#include <cstddef>
#include <string>

#include "server/fanout/splice.h"
#include "server/http/message.h"

namespace coord {

struct AnswerBody {
  enum class Kind {
    kEmpty,    // no body, or nothing but white space where JSON is announced
    kNotJson,  // not announced as JSON
    kJson,
    kBad,       // not of the coding or the type that it announces
    kCoded,     // announced as JSON, in a coding that is not known here
    kTooLarge,  // over the limit once unpacked
  };
  Kind kind = Kind::kEmpty;
  NodeBody json;        // of kJson; points into the body
  std::string problem;  // of the last three: `its answer is …`
};

// Reads the body of a 2xx answer. gzip and deflate are undone first, within
// `max_bytes`, and `headers` tell of the body as it is then; a part of a body
// (206) that can't be unpacked is left as it is. Content-Encoding decides
// nothing else: what reads as JSON is JSON. So is what JavaScript and others
// write that is nearly JSON, and `body` is put right then: a byte order mark in
// front is dropped, and half of a surrogate pair (`\ud83d`), which no UTF-8
// string can hold, becomes `\ufffd`. Of the last three kinds body and headers
// stay as they came.
AnswerBody ReadAnswerBody(int status, HttpHeaders& headers, std::string& body,
                          std::size_t max_bytes, NodeBodyReader& reader);

}  // namespace coord

#endif  // SERVER_FANOUT_ANSWER_BODY_H_
