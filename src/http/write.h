#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "http/head.h"

// Heads that we send. They are rebuilt, never copied: end-to-end fields pass in their order and
// spelling; hop-by-hop fields, those that Connection names, framing and the gateway's own control
// fields do not.
namespace turnpike::http {

struct UpstreamRequest {
  std::string_view host = {};       // of the endpoint, with its port if it is not the scheme's
  std::string_view target = {};     // empty: the client's
  Framing framing = Framing::none;  // none (no body), length or chunked
  std::uint64_t content_length = 0;
  bool drop_authorization = false;  // `extra` brings the endpoint's own
  // Added at the end; a field of the client's with the same name is dropped.
  std::span<const Field> extra = {};
};
// Appends the head of the request to an endpoint.
void write_request_head(std::string& out, const RequestHead& client,
                        const UpstreamRequest& upstream);

struct ClientResponse {
  Framing framing = Framing::none;  // until_close makes keep_alive false on the wire
  std::uint64_t content_length = 0;
  // With Framing::none: say "Content-Length: content_length" although no body follows (the answer
  // to a HEAD request).
  bool announce_length = false;
  bool keep_alive = true;
  int minor_version = 1;  // of the client: 1.0 gets `Connection: keep-alive` spelled out
  std::span<const Field> extra = {};
};
// Appends the head of an endpoint's answer to a client.
void write_response_head(std::string& out, const ResponseHead& upstream,
                         const ClientResponse& client);

// A whole answer of our own. `content_type` may be empty if the body is. The body is left out, but
// its length announced, for HEAD.
void write_answer(std::string& out, int status, std::string_view content_type,
                  std::string_view body, bool keep_alive, std::span<const Field> extra = {},
                  bool answers_head_request = false);

// "Not Found"; "Unknown" for a status without a name.
std::string_view reason_phrase(int status);

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace turnpike::http
