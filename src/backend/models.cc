#include "backend/models.h"

#include <algorithm>
#include <ranges>

#include <nlohmann/json.hpp>

namespace turnpike::backend {
namespace {

bool usable(const std::string& name) {
  return !name.empty() && name.size() <= kMaxModelName && std::ranges::none_of(name, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

}  // namespace

Expected<std::vector<std::string>> parse_models(std::string_view json) {
  const auto answer = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  const auto data = answer.is_object() ? answer.find("data") : answer.end();
  if (!answer.is_object() || data == answer.end() || !data->is_array()) {
    return fail("/v1/models did not answer with a list of models");
  }
  std::vector<std::string> names;
  for (const auto& model : *data) {
    if (names.size() == kMaxModels) break;
    if (!model.is_object()) continue;
    const auto id = model.find("id");
    if (id == model.end() || !id->is_string()) continue;
    const auto& name = id->get_ref<const std::string&>();
    if (usable(name) && std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

}  // namespace turnpike::backend
