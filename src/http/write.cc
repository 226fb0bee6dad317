#include "http/write.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"

namespace turnpike::http {

namespace {

void write_number(std::string& out, std::uint64_t number) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, end);
}

void write_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name);
  out.append(": ");
  out.append(value);
  out.append("\r\n");
}

bool names_option(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (equals_ignoring_case(trim(list.substr(0, comma)), name)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// True if some Connection field names something beyond `close` and `keep-alive`, which nearly none
// does.
bool has_nominations(const Fields& fields) {
  for (const Field& field : fields) {
    if (field.kind == FieldKind::connection && !equals_ignoring_case(field.value, "keep-alive") &&
        !equals_ignoring_case(field.value, "close")) {
      return true;
    }
  }
  return false;
}

bool is_nominated(const Fields& fields, std::string_view name) {
  for (const Field& field : fields) {
    if (field.kind == FieldKind::connection && names_option(field.value, name)) return true;
  }
  return false;
}

void write_passing_fields(std::string& out, const Fields& fields, std::span<const Field> extra,
                          bool drop_authorization) {
  const bool nominations = has_nominations(fields);
  for (const Field& field : fields) {
    if (field.kind != FieldKind::end_to_end &&
        (field.kind != FieldKind::authorization || drop_authorization)) {
      continue;
    }
    if (find_field(extra, field.name) != nullptr) continue;
    if (nominations && is_nominated(fields, field.name)) continue;
    write_field(out, field.name, field.value);
  }
  for (const Field& field : extra) write_field(out, field.name, field.value);
}

void write_framing(std::string& out, Framing framing, std::uint64_t content_length) {
  if (framing == Framing::length) {
    out.append("Content-Length: ");
    write_number(out, content_length);
    out.append("\r\n");
  } else if (framing == Framing::chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  }
}

void write_status_line(std::string& out, int status, std::string_view reason) {
  out.append("HTTP/1.1 ");
  write_number(out, static_cast<std::uint64_t>(status));
  out.push_back(' ');
  out.append(reason);
  out.append("\r\n");
}

}  // namespace

void write_request_head(std::string& out, const RequestHead& client,
                        const UpstreamRequest& upstream) {
  out.append(client.method);
  out.push_back(' ');
  out.append(upstream.target.empty() ? client.target : upstream.target);
  out.append(" HTTP/1.1\r\n");
  write_field(out, "Host", upstream.host);
  write_framing(out, upstream.framing, upstream.content_length);
  write_passing_fields(out, client.fields, upstream.extra, upstream.drop_authorization);
  out.append("\r\n");
}

void write_response_head(std::string& out, const ResponseHead& upstream,
                         const ClientResponse& client) {
  write_status_line(out, upstream.status, upstream.reason);
  write_framing(out, client.announce_length ? Framing::length : client.framing,
                client.content_length);
  if (!client.keep_alive || client.framing == Framing::until_close) {
    out.append("Connection: close\r\n");
  } else if (client.minor_version == 0) {
    out.append("Connection: keep-alive\r\n");
  }
  write_passing_fields(out, upstream.fields, client.extra, false);
  out.append("\r\n");
}

void write_answer(std::string& out, int status, std::string_view content_type,
                  std::string_view body, bool keep_alive, std::span<const Field> extra,
                  bool answers_head_request) {
  write_status_line(out, status, reason_phrase(status));
  if (!content_type.empty()) write_field(out, "Content-Type", content_type);
  if (status >= 200 && status != 204) write_framing(out, Framing::length, body.size());
  if (!keep_alive) out.append("Connection: close\r\n");
  for (const Field& field : extra) write_field(out, field.name, field.value);
  out.append("\r\n");
  if (!answers_head_request && status != 204) out.append(body);
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace turnpike::http
