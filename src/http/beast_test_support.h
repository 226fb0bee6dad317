#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "http/head.h"

namespace turnpike::http {

// Records what Beast reads of a request head.
class BeastRecorder final : public boost::beast::http::basic_parser<true> {
 public:
  std::string method;
  std::string target;
  int version = 0;
  std::vector<std::pair<std::string, std::string>> fields;

 private:
  using Error = boost::beast::error_code;
  using View = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, View m, View t, int v, Error& error) override {
    method.assign(m.data(), m.size());
    target.assign(t.data(), t.size());
    version = v;
    error = {};
  }
  void on_response_impl(int, View, int, Error&) override {}
  void on_field_impl(boost::beast::http::field, View name, View value, Error& error) override {
    fields.emplace_back(std::string(name.data(), name.size()),
                        std::string(value.data(), value.size()));
    error = {};
  }
  void on_header_impl(Error& error) override { error = {}; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, Error& error) override {
    error = {};
  }
  std::size_t on_body_impl(View body, Error& error) override {
    error = {};
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, Error& error) override { error = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t, View body, Error& error) override {
    error = {};
    return body.size();
  }
  void on_finish_impl(Error& error) override { error = {}; }
};

// Holds our parser against Boost.Beast's, which is lenient: whatever we accept, Beast must accept, with the same method, target,
// fields and framing. Nothing if it does (or if we refuse), else what differs.
inline std::string_view differs_from_beast(std::string_view bytes) {
  RequestHead head;
  std::size_t scanned = 0;
  const ParseResult ours = parse_request_head(bytes, scanned, {}, head);
  if (ours.status != ParseStatus::complete) return {};

  // Beast leaves the empty line before a request to its caller.
  std::string_view alone = bytes.substr(0, ours.consumed);
  if (alone.starts_with("\r\n")) alone.remove_prefix(2);
  BeastRecorder theirs;
  theirs.header_limit(1 << 20);
  theirs.body_limit(boost::none);
  boost::beast::error_code error;
  const std::size_t used = theirs.put(boost::asio::const_buffer(alone.data(), alone.size()), error);
  if (error) return "Beast refuses it";
  if (!theirs.is_header_done() || used != alone.size()) return "Beast sees another end of the head";
  if (theirs.method != head.method) return "another method";
  // The absolute form is ours to take apart.
  const bool absolute = !theirs.target.starts_with('/') && theirs.target != "*";
  if (!absolute && theirs.target != head.target) return "another target";
  if (theirs.version != 10 + head.minor_version) return "another version";
  if (theirs.fields.size() != head.fields.size()) return "another number of fields";
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (theirs.fields[i].first != head.fields[i].name) return "another field name";
    if (theirs.fields[i].second != head.fields[i].value) return "another field value";
  }
  if (theirs.chunked() != (head.framing == Framing::chunked)) return "another framing";
  const auto length = theirs.content_length();
  if (length.has_value() != (head.framing == Framing::length)) return "a length, and none";
  if (length && *length != head.content_length) return "another length";
  return {};
}

}  // namespace turnpike::http
