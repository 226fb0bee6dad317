#pragma once

#include <string>
#include <string_view>

// What texts must look like. Each returns what is wrong with one; empty if nothing is.
namespace turnpike::config {

// "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" and "*:8080" (all interfaces).
std::string check_listen_address(std::string_view text);
// "http://host:port" or "https://host:port", also with a path; neither query nor user.
std::string check_backend_url(std::string_view url);
// What an HTTP header may be called.
std::string check_header_name(std::string_view name);
// "header:NAME", ..., "prompt"
std::string check_session_source(std::string_view source);
std::string check_header_name_or_none(std::string_view name);
// "/metrics"
std::string check_path(std::string_view path);
// Visible ASCII: safe in headers, logs and labels.
std::string check_visible(std::string_view text);
std::string check_not_empty(std::string_view text);
// "key=value" of visible ASCII without commas.
std::string check_label(std::string_view text);

}  // namespace turnpike::config
