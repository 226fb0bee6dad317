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

std::vector<std::string> known_models(const Directory& directory,
                                      const openai::ModelRoutes& routes) {
  std::vector<std::string> names = directory.served;
  for (const openai::ModelRoutes::Rule& rule : routes.rules()) {
    const bool served = std::ranges::any_of(rule.to, [&directory](const auto& target) {
      return std::ranges::binary_search(directory.served, target.model);
    });
    if (served && !rule.model.ends_with('*')) names.push_back(rule.model);
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

std::optional<std::string> models_body(const Directory& directory,
                                       const openai::ModelRoutes& routes, std::string_view wanted) {
  if (!directory.models_known) return std::nullopt;
  const std::vector<std::string> names = known_models(directory, routes);
  std::string body;
  if (!wanted.empty()) {
    if (!std::ranges::binary_search(names, wanted)) return std::nullopt;
    append_model(body, wanted);
    return body;
  }
  body = R"({"object":"list","data":[)";
  for (const std::string& name : names) {
    if (&name != &names.front()) body += ',';
    append_model(body, name);
  }
  body += "]}";
  return body;
}

}  // namespace turnpike::gateway
