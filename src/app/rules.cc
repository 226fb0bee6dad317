#include "app/rules.h"

#include <chrono>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "config/load.h"

namespace turnpike::app {
namespace {

tenant::Terms terms_of(const config::TermsConfig& terms) {
  return {.weight = terms.weight,
          .max_class = static_cast<tenant::PriorityClass>(static_cast<int>(terms.max_class) - 1),
          .max_in_flight = terms.max_in_flight,
          .minute = {.requests = terms.requests_per_minute,
                     .input_tokens = terms.input_tokens_per_minute,
                     .output_tokens = terms.output_tokens_per_minute}};
}

Expected<tenant::TenantRules> tenant_rules(const config::TenantsConfig& config) {
  tenant::TenantRules rules;
  rules.required = config.required;
  rules.trust_unverified = config.trust_unverified;
  rules.header = config.header;
  rules.other = terms_of(config.other);
  std::set<std::string> names;
  for (const config::TenantConfig& one : config.list) {
    if (!names.insert(one.name).second)
      return fail(fmt::format("tenants.list: the tenant '{}' is there twice", one.name));
    rules.named.push_back({one.name, terms_of(one.terms)});
    for (const std::string& key : one.keys) {
      if (auto sound = tenant::parse_key_file(one.name + " " + key); !sound)
        return fail(fmt::format("tenants.list: a key of '{}' is no key", one.name));
      rules.keys.emplace_back(key, one.name);
    }
  }
  if (!config.keys_file.empty()) {
    const auto file = config::read_file(config.keys_file);
    if (!file) return fail("tenants.keys_file: " + file.error().message);
    auto keys = tenant::parse_key_file(file->text);
    if (!keys)
      return fail(fmt::format("tenants.keys_file: {}: {}", config.keys_file, keys.error().message));
    for (auto& key : *keys) rules.keys.push_back(std::move(key));
  }
  std::set<std::string> seen;
  for (const auto& [key, name] : rules.keys) {
    if (!seen.insert(key).second)
      return fail(fmt::format("tenants: a key of '{}' is there twice", name));
  }
  if (!config.jwt.keys_file.empty()) {
    const auto file = config::read_file(config.jwt.keys_file);
    if (!file) return fail("tenants.jwt.keys_file: " + file.error().message);
    auto keys = tenant::JwtKeys::parse(file->text);
    if (!keys)
      return fail(
          fmt::format("tenants.jwt.keys_file: {} {}", config.jwt.keys_file, keys.error().message));
    rules.jwt = *std::move(keys);
  }
  rules.jwt_rules = {.issuer = config.jwt.issuer,
                     .audience = config.jwt.audience,
                     .subject = config.jwt.subject,
                     .leeway = std::chrono::duration_cast<std::chrono::seconds>(config.jwt.leeway)};
  if (rules.required && !rules.authenticates() && rules.header.empty())
    return fail(
        "tenants.required: there is no key, token or header by which anybody could be known; set "
        "'tenants.list', 'tenants.keys_file', 'tenants.jwt.keys_file' or 'tenants.header'");
  return rules;
}

Expected<openai::ModelRoutes> model_routes(const std::vector<config::RouteConfig>& routes) {
  std::vector<openai::ModelRoutes::Rule> rules;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const config::RouteConfig& route = routes[i];
    const auto wrong = [i](const Error& error) {
      return fail(fmt::format("routes[{}]: {}", i, error.message));
    };
    if (route.to.empty()) return wrong({"has no 'to'"});
    openai::ModelRoutes::Rule rule{
        .model = route.model, .headers = {}, .path = route.path, .to = {}};
    for (const std::string& text : route.to) {
      auto target = openai::ModelRoutes::parse_target(text);
      if (!target) return wrong(target.error());
      rule.to.push_back(*std::move(target));
    }
    for (const std::string& text : route.headers) {
      auto header = openai::ModelRoutes::parse_header(text);
      if (!header) return wrong(header.error());
      rule.headers.push_back(*std::move(header));
    }
    rules.push_back(std::move(rule));
  }
  return openai::ModelRoutes(std::move(rules));
}

}  // namespace

Expected<Rules> rules_of(const config::Config& config) {
  auto tenants = tenant_rules(config.tenants);
  if (!tenants) return std::unexpected(tenants.error());
  auto routes = model_routes(config.routes);
  if (!routes) return std::unexpected(routes.error());
  return Rules{.tenants = std::make_shared<tenant::Tenants>(*std::move(tenants)),
               .routes = std::make_shared<openai::ModelRoutes>(*std::move(routes))};
}

}  // namespace turnpike::app
