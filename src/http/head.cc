#include "http/head.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/ascii.h"
#include "http/scan.h"

namespace turnpike::http {

namespace {

constexpr std::array<bool, 256> token_table() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kToken = token_table();

constexpr std::size_t kMaxMethod = 32;
constexpr std::string_view kUnfinished = "head not complete";

const char* skip_token(const char* p, const char* end) {
  while (p != end && kToken[static_cast<unsigned char>(*p)]) ++p;
  return p;
}

// Where reading stopped, and with what verdict. `why` is empty while all is well.
struct Cursor {
  const char* p;
  const char* end;
  int status = 0;
  std::string_view why;

  bool refuse(int with_status, std::string_view because) {
    status = with_status;
    why = because;
    return false;
  }
  bool unfinished() { return refuse(0, kUnfinished); }

  // Takes `text`; what is there so far must agree with it.
  bool expect(std::string_view text, std::string_view because) {
    const std::size_t have = std::min(text.size(), static_cast<std::size_t>(end - p));
    if (std::string_view(p, have) != text.substr(0, have)) return refuse(400, because);
    if (have < text.size()) return unfinished();
    p += have;
    return true;
  }
};

// "HTTP/1.0" or "HTTP/1.1".
bool take_version(Cursor& in, int& minor) {
  if (!in.expect("HTTP/", "not HTTP")) return false;
  if (in.end - in.p < 3) return in.unfinished();
  const std::string_view version(in.p, 3);
  if (version != "1.1" && version != "1.0") {
    const bool other = is_digit(version[0]) && version[1] == '.' && is_digit(version[2]);
    return in.refuse(other ? 505 : 400, other ? "only HTTP/1.0 and HTTP/1.1 are spoken here"
                                              : "malformed HTTP version");
  }
  minor = version[2] - '0';
  in.p += 3;
  return true;
}

// Field lines up to and with the blank line.
bool take_fields(Cursor& in, const HeadLimits& limits, Fields& fields) {
  for (;;) {
    if (in.p == in.end) return in.unfinished();
    if (*in.p == '\r') return in.expect("\r\n", "bare carriage return");
    const char* const name = in.p;
    if (*name == ' ' || *name == '\t') return in.refuse(400, "folded field line");
    const char* const colon = skip_token(name, in.end);
    if (colon == in.end) return in.unfinished();
    if (*colon != ':') {
      return in.refuse(400, *colon == ' ' || *colon == '\t' ? "blank before the colon of a field"
                                                            : "field name is not a token");
    }
    if (colon == name) return in.refuse(400, "field without a name");
    const char* const stop = find_control(colon + 1, in.end);
    if (stop == in.end) return in.unfinished();
    if (*stop != '\r') return in.refuse(400, "control character in a field value");
    in.p = stop;
    if (!in.expect("\r\n", "bare carriage return")) return false;
    if (fields.size() == limits.max_fields) return in.refuse(431, "too many fields");
    const std::string_view field_name(name, static_cast<std::size_t>(colon - name));
    const std::string_view value(colon + 1, static_cast<std::size_t>(stop - colon - 1));
    fields.push_back({field_name, trim(value), classify_field(field_name)});
  }
}

// What the fields say about framing and the connection; the same rules for both directions.
struct FramingFields {
  bool has_length = false;
  std::uint64_t length = 0;
  bool chunked = false;
  bool close = false;
  bool keep_alive = false;
};

// A list of tokens, or false. Items may be empty.
bool read_connection(std::string_view list, FramingFields* out) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view option = trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (option.empty()) continue;
    if (!is_token(option)) return false;
    if (out == nullptr) continue;
    out->close = out->close || equals_ignoring_case(option, "close");
    out->keep_alive = out->keep_alive || equals_ignoring_case(option, "keep-alive");
  }
  return true;
}

bool read_framing(Cursor& in, const Fields& fields, int minor, FramingFields& out) {
  for (const Field& field : fields) {
    if (field.kind == FieldKind::content_length) {
      if (out.has_length) return in.refuse(400, "more than one Content-Length");
      const auto length = parse_unsigned<std::uint64_t>(field.value);
      if (!length ||
          *length > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return in.refuse(400, "Content-Length is not a number");
      }
      out.has_length = true;
      out.length = *length;
    } else if (field.kind == FieldKind::transfer_encoding) {
      if (minor == 0) return in.refuse(400, "Transfer-Encoding in HTTP/1.0");
      if (out.chunked) return in.refuse(400, "more than one Transfer-Encoding");
      if (!equals_ignoring_case(field.value, "chunked")) {
        return in.refuse(400, "Transfer-Encoding other than chunked");
      }
      out.chunked = true;
    } else if (field.kind == FieldKind::connection) {
      if (!read_connection(field.value, &out)) return in.refuse(400, "malformed Connection");
    } else if (equals_ignoring_case(field.name, "proxy-connection") &&
               !read_connection(field.value, nullptr)) {
      return in.refuse(400, "malformed Proxy-Connection");
    }
  }
  if (out.chunked && out.has_length) {
    return in.refuse(400, "Transfer-Encoding together with Content-Length");
  }
  return true;
}

bool is_host(std::string_view host) {
  if (host.empty()) return false;
  for (const char c : host) {
    // reg-name, IPv4, [IPv6] and the port; no user information, path, list or blank.
    if (!kToken[static_cast<unsigned char>(c)] && c != ':' && c != '[' && c != ']' && c != '(' &&
        c != ')' && c != ';' && c != '=') {
      return false;
    }
  }
  return true;
}

bool take_host(Cursor& in, RequestHead& head) {
  const Field* host = nullptr;
  for (const Field& field : head.fields) {
    if (field.kind != FieldKind::host) continue;
    if (host != nullptr) return in.refuse(400, "more than one Host");
    if (!is_host(field.value)) return in.refuse(400, "malformed Host");
    host = &field;
  }
  if (host == nullptr) {
    return head.minor_version == 0 || in.refuse(400, "no Host");
  }
  if (!head.authority.empty() && !equals_ignoring_case(head.authority, host->value)) {
    return in.refuse(400, "Host differs from the request target");
  }
  head.authority = host->value;
  return true;
}

// Origin form, absolute form (which becomes origin form and an authority), or the asterisk of
// OPTIONS.
bool read_target(Cursor& in, RequestHead& head) {
  std::string_view& target = head.target;
  if (target.front() == '/') return true;
  if (target == "*") {
    return head.method == "OPTIONS" ||
           in.refuse(400, "request target * with a method other than OPTIONS");
  }
  for (const std::string_view scheme :
       {std::string_view("http://"), std::string_view("https://")}) {
    if (target.size() < scheme.size() ||
        !equals_ignoring_case(target.substr(0, scheme.size()), scheme))
      continue;
    target.remove_prefix(scheme.size());
    const std::size_t slash = std::min(target.find_first_of("/?"), target.size());
    head.authority = target.substr(0, slash);
    target.remove_prefix(slash);
    if (!is_host(head.authority))
      return in.refuse(400, "malformed authority in the request target");
    if (target.empty()) target = "/";
    return target.front() == '/' || in.refuse(400, "malformed request target");
  }
  return in.refuse(400, "malformed request target");
}

bool take_request_line(Cursor& in, const HeadLimits& limits, RequestHead& head) {
  const char* const method = in.p;
  in.p = skip_token(method, in.end);
  const auto method_length = static_cast<std::size_t>(in.p - method);
  if (method_length > kMaxMethod) return in.refuse(400, "method too long");
  if (in.p == in.end) return in.unfinished();
  if (method_length == 0 || *in.p != ' ') return in.refuse(400, "malformed request line");
  head.method = {method, method_length};
  const char* const target = ++in.p;
  while (in.p != in.end && *in.p > ' ' && *in.p < 0x7f && *in.p != '#') ++in.p;
  if (static_cast<std::size_t>(in.p - target) > limits.max_target)
    return in.refuse(414, "request target too long");
  if (in.p == in.end) return in.unfinished();
  if (*in.p != ' ' || in.p == target) return in.refuse(400, "malformed request target");
  head.target = {target, static_cast<std::size_t>(in.p - target)};
  ++in.p;
  return take_version(in, head.minor_version) && in.expect("\r\n", "malformed request line");
}

bool parse_request(Cursor& in, const HeadLimits& limits, RequestHead& head) {
  if (in.p != in.end && *in.p == '\r' && !in.expect("\r\n", "bare carriage return")) return false;
  if (!take_request_line(in, limits, head) || !take_fields(in, limits, head.fields)) return false;
  if (head.method == "CONNECT") return in.refuse(501, "CONNECT is not served");
  FramingFields framing;
  if (!read_target(in, head) || !take_host(in, head) ||
      !read_framing(in, head.fields, head.minor_version, framing)) {
    return false;
  }
  head.framing = framing.chunked      ? Framing::chunked
                 : framing.has_length ? Framing::length
                                      : Framing::none;
  head.content_length = framing.length;
  head.keep_alive = !framing.close && (head.minor_version == 1 || framing.keep_alive);
  for (const Field& field : head.fields) {
    if (field.kind != FieldKind::expect || head.minor_version == 0) continue;
    if (!equals_ignoring_case(field.value, "100-continue"))
      return in.refuse(417, "unknown expectation");
    head.expect_continue = true;
  }
  return true;
}

bool take_status_line(Cursor& in, ResponseHead& head) {
  if (!take_version(in, head.minor_version) || !in.expect(" ", "malformed status line"))
    return false;
  if (in.end - in.p < 4) return in.unfinished();
  for (int i = 0; i < 3; ++i) {
    if (!is_digit(in.p[i])) return in.refuse(502, "malformed status");
    head.status = head.status * 10 + (in.p[i] - '0');
  }
  if (head.status < 100 || in.p[3] != ' ') return in.refuse(502, "malformed status");
  const char* const reason = in.p + 4;
  in.p = find_control(reason, in.end);
  head.reason = {reason, static_cast<std::size_t>(in.p - reason)};
  return in.p == in.end ? in.unfinished() : in.expect("\r\n", "malformed status line");
}

bool parse_response(Cursor& in, const HeadLimits& limits, bool answers_head_request,
                    ResponseHead& head) {
  FramingFields framing;
  if (!take_status_line(in, head) || !take_fields(in, limits, head.fields) ||
      !read_framing(in, head.fields, head.minor_version, framing)) {
    return false;
  }
  head.content_length = framing.length;
  if (answers_head_request || head.status < 200 || head.status == 204 || head.status == 304) {
    head.framing = Framing::none;
  } else if (framing.chunked) {
    head.framing = Framing::chunked;
  } else {
    head.framing = framing.has_length ? Framing::length : Framing::until_close;
  }
  head.keep_alive = head.framing != Framing::until_close && head.status != 101 && !framing.close &&
                    (head.minor_version == 1 || framing.keep_alive);
  return true;
}

// What can be said of bytes that continue an unfinished head, without reading it again from the
// front.
enum class Glance : std::uint8_t { has_end, no_end, bare_newline };
Glance look_for_end(std::string_view bytes, std::size_t from) {
  std::size_t at = from;
  while (at < bytes.size()) {
    const void* const hit = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
    if (hit == nullptr) break;
    const auto i = static_cast<std::size_t>(static_cast<const char*>(hit) - bytes.data());
    if (i == 0 || bytes[i - 1] != '\r') return Glance::bare_newline;
    if (i >= 3 && bytes[i - 2] == '\n') return Glance::has_end;
    at = i + 1;
  }
  return Glance::no_end;
}

template <typename Head, typename Parse>
ParseResult parse_head(std::string_view bytes, std::size_t& scanned, const HeadLimits& limits,
                       Head& head, Parse parse) {
  const std::string_view allowed = bytes.substr(0, limits.max_bytes);
  Cursor in{allowed.data(), allowed.data() + allowed.size(), 0, {}};
  // The first look reads for real and so refuses nonsense at once; later ones only look for the
  // end, so that a head that comes byte by byte costs no more than one that comes whole.
  const Glance glance =
      scanned == 0 ? Glance::has_end : look_for_end(allowed, std::min(scanned, allowed.size()));
  if (glance == Glance::has_end) {
    head.clear();
    if (parse(in, head)) {
      scanned = 0;
      return {ParseStatus::complete, static_cast<std::size_t>(in.p - allowed.data()), 0, {}};
    }
    if (in.status != 0) return {ParseStatus::invalid, 0, in.status, in.why};
  } else if (glance == Glance::bare_newline) {
    return {ParseStatus::invalid, 0, 400, "line does not end in CRLF"};
  }
  if (bytes.size() >= limits.max_bytes) return {ParseStatus::invalid, 0, 431, "head too large"};
  scanned = bytes.size();
  return {};
}

}  // namespace

bool is_token(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  return !text.empty() && skip_token(begin, end) == end;
}

const Field* find_field(std::span<const Field> fields, std::string_view name) {
  for (const Field& field : fields) {
    if (equals_ignoring_case(field.name, name)) return &field;
  }
  return nullptr;
}

FieldKind classify_field(std::string_view name) {
  const auto is = [name](std::string_view other) { return equals_ignoring_case(name, other); };
  switch (name.size()) {
    case 2:
      return is("te") ? FieldKind::hop_by_hop : FieldKind::end_to_end;
    case 4:
      return is("host") ? FieldKind::host : FieldKind::end_to_end;
    case 6:
      return is("expect") ? FieldKind::expect : FieldKind::end_to_end;
    case 7:
      return is("upgrade") || is("trailer") ? FieldKind::hop_by_hop : FieldKind::end_to_end;
    case 9:
      return is("x-api-key") ? FieldKind::authorization : FieldKind::end_to_end;
    case 10:
      if (is("connection")) return FieldKind::connection;
      return is("keep-alive") ? FieldKind::hop_by_hop : FieldKind::end_to_end;
    case 13:
      return is("authorization") ? FieldKind::authorization : FieldKind::end_to_end;
    case 14:
      return is("content-length") ? FieldKind::content_length : FieldKind::end_to_end;
    case 16:
      return is("proxy-connection") ? FieldKind::hop_by_hop : FieldKind::end_to_end;
    case 17:
      if (is("transfer-encoding")) return FieldKind::transfer_encoding;
      return is("x-turnpike-reason") ? FieldKind::control : FieldKind::end_to_end;
    case 18:
      return is("proxy-authenticate") ? FieldKind::hop_by_hop : FieldKind::end_to_end;
    case 19:
      if (is("proxy-authorization")) return FieldKind::hop_by_hop;
      return is("x-turnpike-endpoint") || is("x-turnpike-queue-ms") || is("x-turnpike-decision")
                 ? FieldKind::control
                 : FieldKind::end_to_end;
    case 23:
      return is("x-turnpike-session-from") ? FieldKind::control : FieldKind::end_to_end;
    default:
      return FieldKind::end_to_end;
  }
}

std::string_view RequestHead::query() const {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

ParseResult parse_request_head(std::string_view bytes, std::size_t& scanned,
                               const HeadLimits& limits, RequestHead& head) {
  return parse_head(bytes, scanned, limits, head, [&limits](Cursor& in, RequestHead& into) {
    return parse_request(in, limits, into);
  });
}

ParseResult parse_response_head(std::string_view bytes, std::size_t& scanned,
                                const HeadLimits& limits, bool answers_head_request,
                                ResponseHead& head) {
  ParseResult result = parse_head(bytes, scanned, limits, head,
                                  [&limits, answers_head_request](Cursor& in, ResponseHead& into) {
                                    return parse_response(in, limits, answers_head_request, into);
                                  });
  if (result.status == ParseStatus::invalid) result.http_status = 502;
  return result;
}

}  // namespace turnpike::http
