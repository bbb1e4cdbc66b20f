// Content codings (RFC 9110, 8.4), and the other headers that tell of the bytes
// of a body and not of what they say.
#ifndef SERVER_HTTP_CONTENT_CODING_H_
#define SERVER_HTTP_CONTENT_CODING_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "server/http/message.h"

namespace coord {

// Whether Content-Encoding names a coding other than identity.
bool IsCoded(const HttpHeaders& headers);

// Undoes the codings gzip (also x-gzip) and deflate that Content-Encoding
// names, the last one first, up to one that is not known here; then drops the
// headers that told of the packed bytes. Without such a coding, for an empty
// body and on an error nothing changes. Errors, whose message follows "its
// answer": OUT_OF_RANGE when more than `max_bytes` come out, INVALID_ARGUMENT
// when the body is not of that coding, is cut short, or has more than five.
absl::Status UndoCodings(HttpHeaders& headers, std::string& body,
                         std::size_t max_bytes);

// Drops what is no longer true once the bytes of a body have changed: codings,
// lengths, ranges, digests (RFC 9530, RFC 3230) and the entity tag.
void DropHeadersOfBytes(HttpHeaders& headers);

}  // namespace coord

#endif  // SERVER_HTTP_CONTENT_CODING_H_
