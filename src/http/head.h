#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <absl/container/inlined_vector.h>

// HTTP/1.1 heads under a strict guard. Strict by construction: what two parsers could read in two
// ways is refused, because whoever stands behind us may read it the other way. Nothing is copied:
// all views point into the caller's bytes.
namespace turnpike::http {

// What a field means to somebody who relays it. Found once, while the head is parsed.
enum class FieldKind : std::uint8_t {
  end_to_end,         // passed on
  host,               // rewritten
  content_length,     // framing: decided anew
  transfer_encoding,  // framing: decided anew
  connection,         // hop-by-hop; may name further fields
  expect,             // answered by us
  hop_by_hop,         // Keep-Alive, Proxy-Connection, TE, Trailer, Upgrade, Proxy-Authenticate,
                      // Proxy-Authorization
  control,  // x-turnpike-endpoint, -queue-ms, -decision, -session-from, -reason: ours alone to say
  authorization,  // also x-api-key: end-to-end, unless the key was meant for the gateway or it has one of its own for the endpoint
};

struct Field {
  std::string_view name;   // a token, as sent
  std::string_view value;  // without the blanks around it; no control character but the tab
  FieldKind kind = FieldKind::end_to_end;
};
using Fields = absl::InlinedVector<Field, 32>;

// Case-insensitive; the first of that name, else null.
const Field* find_field(std::span<const Field> fields, std::string_view name);
FieldKind classify_field(std::string_view name);
// True if `text` is a non-empty token of RFC 9110 (a method, a field name).
bool is_token(std::string_view text);

// How the end of a body is known.
enum class Framing : std::uint8_t { none, length, chunked, until_close };

struct HeadLimits {
  std::size_t max_bytes = std::size_t{64} * 1024;  // start line, fields and the blank line
  std::size_t max_fields = 128;
  std::size_t max_target = std::size_t{8} * 1024;
};

struct RequestHead {
  std::string_view method;
  std::string_view target;     // always in origin form ("/path?query"), or "*" of OPTIONS
  std::string_view authority;  // from the absolute form, else Host; empty only in HTTP/1.0
  int minor_version = 1;
  Fields fields;
  Framing framing = Framing::none;  // none, length or chunked
  std::uint64_t content_length = 0;
  bool keep_alive = true;  // what the client wants
  bool expect_continue = false;

  [[nodiscard]] const Field* find(std::string_view name) const { return find_field(fields, name); }
  [[nodiscard]] std::string_view path() const { return target.substr(0, target.find('?')); }
  // Without the question mark; empty if there is none.
  [[nodiscard]] std::string_view query() const;
  void clear() { *this = RequestHead(); }
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor_version = 1;
  Fields fields;
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;  // the connection may serve another request once this body has ended

  // 100..199 but 101: another head follows on the same connection.
  [[nodiscard]] bool is_interim() const { return status < 200 && status != 101; }
  [[nodiscard]] const Field* find(std::string_view name) const { return find_field(fields, name); }
  void clear() { *this = ResponseHead(); }
};

enum class ParseStatus : std::uint8_t { complete, incomplete, invalid };

struct ParseResult {
  ParseStatus status = ParseStatus::incomplete;
  std::size_t consumed = 0;  // complete: bytes of the head; the body begins there
  // Invalid requests: 400, 414 (target too long), 417 (Expect), 431 (limits), 501 (CONNECT), 505.
  // The connection closes after the answer. Invalid responses: 502.
  int http_status = 0;
  std::string_view why;  // a static sentence
};

// Parses the head at the front of `bytes`. `scanned` is the caller's memory between calls on a
// growing buffer: zero before the first call and after every complete head. The head is filled in
// only when the result is complete. Total work over all calls is linear in the number of bytes. One
// CRLF before the request line is skipped.
ParseResult parse_request_head(std::string_view bytes, std::size_t& scanned,
                               const HeadLimits& limits, RequestHead& head);
// `answers_head_request`: the request was HEAD, so that no body follows whatever the fields say.
ParseResult parse_response_head(std::string_view bytes, std::size_t& scanned,
                                const HeadLimits& limits, bool answers_head_request,
                                ResponseHead& head);

}  // namespace turnpike::http
