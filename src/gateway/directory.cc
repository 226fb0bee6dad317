#include "gateway/directory.h"

#include <algorithm>

#include "openai/error_body.h"

namespace turnpike::gateway {

namespace {

void append_model(std::string& out, std::string_view name) {
  out += R"({"id":)";
  openai::append_json_string(out, name);
  out += R"(,"object":"model","created":0,"owned_by":"turnpike"})";
}

}  // namespace

std::optional<std::string> models_body(const Directory& directory, std::string_view wanted) {
  std::string body;
  if (!wanted.empty()) {
    if (!std::ranges::binary_search(directory.served, wanted)) return std::nullopt;
    append_model(body, wanted);
    return body;
  }
  if (!directory.models_known) return std::nullopt;
  body = R"({"object":"list","data":[)";
  for (const std::string& name : directory.served) {
    if (&name != &directory.served.front()) body += ',';
    append_model(body, name);
  }
  body += "]}";
  return body;
}

}  // namespace turnpike::gateway
