#include "openai/model_routes.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "base/ascii.h"
#include "base/hash_chain.h"

namespace turnpike::openai {

const ModelRoutes::Rule* ModelRoutes::find(std::string_view model,
                                           const http::RequestHead& head) const {
  const auto matches = [&](const Rule& rule) {
    const std::string_view pattern = rule.model;
    const bool named = pattern.ends_with('*')
                           ? model.starts_with(pattern.substr(0, pattern.size() - 1))
                           : model == pattern;
    return named && head.path().starts_with(rule.path) &&
           std::ranges::all_of(rule.headers, [&head](const auto& wanted) {
             const http::Field* const field = head.find(wanted.first);
             return field != nullptr && field->value == wanted.second;
           });
  };
  const auto found = std::ranges::find_if(rules_, matches);
  return found == rules_.end() ? nullptr : &*found;
}

// Rendezvous hashing with weights: -weight / ln(u) is largest with probability in proportion to the weight.
const ModelRoutes::Target& ModelRoutes::draw(const Rule& rule, std::uint64_t number) {
  const Target* best = &rule.to.front();
  if (rule.to.size() == 1) return *best;
  double highest = -1;
  for (const Target& target : rule.to) {
    const std::uint64_t bits = hash_bytes(target.model, number) >> 11U;
    const double u = (static_cast<double>(bits) + 0.5) * 0x1p-53;
    const double score = target.weight / -std::log(u);
    if (score <= highest) continue;
    highest = score;
    best = &target;
  }
  return *best;
}

Expected<ModelRoutes::Target> ModelRoutes::parse_target(std::string_view text) {
  const std::size_t equals = text.rfind('=');
  Target target{.model = std::string(trim(text.substr(0, equals)))};
  if (target.model.empty()) return fail(fmt::format("'{}' names no model", text));
  if (equals == std::string_view::npos) return target;
  const std::string weight(trim(text.substr(equals + 1)));
  char* end = nullptr;
  target.weight = std::strtod(weight.c_str(), &end);
  if (weight.empty() || *end != '\0' || !(target.weight > 0) || !std::isfinite(target.weight))
    return fail(fmt::format("'{}': the weight must be a number above 0", text));
  return target;
}

Expected<std::pair<std::string, std::string>> ModelRoutes::parse_header(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = trim(text.substr(0, colon));
  if (colon == std::string_view::npos || !http::is_token(name))
    return fail(fmt::format("'{}' is not 'name: value'", text));
  return std::pair(std::string(name), std::string(trim(text.substr(colon + 1))));
}

}  // namespace turnpike::openai
