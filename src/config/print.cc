#include "config/load.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/describe.h"

namespace turnpike::config {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSecret = "***";

// A value as JSON, which is YAML's flow style too.
Json json_value(const Key& key) {
  std::string text = value_text(key);
  if (key.secret) return text.empty() ? "" : kSecret;
  if (const auto* const list = std::get_if<std::vector<std::string>*>(&key.target))
    return Json(**list);
  if (const auto* const scorers = std::get_if<std::vector<core::WeightedScorer>*>(&key.target)) {
    Json weights = Json::object();
    for (const auto& [scorer, weight] : **scorers)
      weights[std::string(scorer_name(scorer))] = weight;
    return weights;
  }
  if (const auto* const mappings = std::get_if<MappingList>(&key.target)) {
    Json list = Json::array();
    for (std::size_t i = 0; i < mappings->size(); ++i) {
      Json item = Json::object();
      for (const Key& part : mappings->keys_of(i)) {
        const std::size_t dot = part.path.find('.');
        Json& group = dot == std::string::npos ? item : item[part.path.substr(0, dot)];
        group[std::string(part.name())] = json_value(part);
      }
      list.push_back(std::move(item));
    }
    return list;
  }
  if (const auto* const flag = std::get_if<bool*>(&key.target)) return **flag;
  if (const auto* const number = std::get_if<int*>(&key.target)) return **number;
  if (const auto* const number = std::get_if<TokenCount*>(&key.target)) return (*number)->value();
  if (const auto* const number = std::get_if<std::size_t*>(&key.target)) return **number;
  if (const auto* const number = std::get_if<double*>(&key.target)) return **number;
  return text;
}

std::string origin_of(const Loaded& loaded, const Key& key) {
  const auto origin = loaded.origins.find(key.path);
  if (origin != loaded.origins.end()) return origin->second;
  return key.of_policy ? "preset " + loaded.config.policy : "default";
}

Json bounded(Json schema, const Bounds& bounds) {
  schema["minimum"] = bounds.least;
  if (std::isfinite(bounds.most)) schema["maximum"] = bounds.most;
  return schema;
}

Json object_schema(const std::vector<Key>& keys);

struct Schema {
  const Key& key;

  Json operator()(bool*) const { return {{"type", "boolean"}}; }
  Json operator()(int*) const { return bounded({{"type", "integer"}}, key.bounds); }
  Json operator()(TokenCount*) const { return bounded({{"type", "integer"}}, key.bounds); }
  Json operator()(std::size_t*) const { return bounded({{"type", "integer"}}, key.bounds); }
  Json operator()(double*) const { return bounded({{"type", "number"}}, key.bounds); }
  Json operator()(Duration*) const {
    return {{"type", "string"},
            {"pattern", "^(0|off|([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|min|h))+)$"},
            {"examples", {"60s", "10min"}}};
  }
  Json operator()(ByteCount*) const {
    return {{"type", {"string", "integer"}},
            {"pattern", "^[0-9]+(\\.[0-9]+)? ?(B|KB|KiB|MB|MiB|GB|GiB)?$"},
            {"examples", {"64MiB"}}};
  }
  Json operator()(std::string*) const { return {{"type", "string"}}; }
  Json operator()(std::vector<std::string>*) const {
    return {{"type", "array"}, {"items", {{"type", "string"}}}};
  }
  Json operator()(std::vector<core::WeightedScorer>*) const {
    Json properties = Json::object();
    for (const std::string& name : scorer_names())
      properties[name] = {{"type", "number"}, {"exclusiveMinimum", 0}};
    return {{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  }
  Json operator()(const MappingList& list) const {
    list.resize(1);
    const std::vector<Key> keys = list.keys_of(0);
    Json item = object_schema(keys);
    item["required"] = {keys.front().path};
    list.resize(0);
    if (!list.text.empty()) item = {{"anyOf", Json::array({Json{{"type", "string"}}, item})}};
    return {{"type", "array"}, {"items", item}};
  }
  Json operator()(const Choice& choice) const { return {{"enum", choice.names}}; }
  Json operator()(const NamedChoice& choice) const { return {{"enum", choice.names}}; }
};

Json object_schema(const std::vector<Key>& keys) {
  Json schema = {
      {"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
  for (const Key& key : keys) {
    Json* into = &schema;
    std::string_view rest = key.path;
    for (std::size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      Json& group = (*into)["properties"][std::string(rest.substr(0, dot))];
      if (group.is_null()) {
        group = {
            {"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
      }
      into = &group;
      rest.remove_prefix(dot + 1);
    }
    Json leaf = std::visit(Schema{key}, key.target);
    leaf["description"] = key.doc;
    if (!key.secret && key.path != "backends") leaf["default"] = json_value(key);
    (*into)["properties"][std::string(rest)] = std::move(leaf);
  }
  return schema;
}

}  // namespace

std::string to_yaml(const Loaded& loaded) {
  Config config = loaded.config;
  std::string out;
  std::vector<std::string> open;  // groups whose line is written
  for (const Key& key : describe(config)) {
    std::vector<std::string> parts;
    std::string_view rest = key.path;
    for (std::size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      parts.emplace_back(rest.substr(0, dot));
      rest.remove_prefix(dot + 1);
    }
    std::size_t same = 0;
    while (same < parts.size() && same < open.size() && parts[same] == open[same]) ++same;
    for (std::size_t level = same; level < parts.size(); ++level) {
      out += fmt::format("{:{}}{}:\n", "", 2 * level, parts[level]);
    }
    open = parts;
    out += fmt::format("{:{}}{}: {}  # {}\n", "", 2 * parts.size(), rest, json_value(key).dump(),
                       origin_of(loaded, key));
  }
  return out;
}

std::string to_json(const Loaded& loaded) {
  Config config = loaded.config;
  Json out = Json::object();
  for (const Key& key : describe(config)) {
    out[key.path] = {{"value", json_value(key)}, {"origin", origin_of(loaded, key)}};
  }
  return out.dump(2) + "\n";
}

std::string json_schema() {
  Config config;
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "Turnpike configuration"}};
  schema.update(object_schema(describe(config)));
  return schema.dump(2) + "\n";
}

std::string reference() {
  std::string out;
  const auto table = [&out](const std::vector<Key>& keys, std::string_view prefix) {
    for (const Key& key : keys) {
      std::string value = value_text(key);
      if (value.empty()) value = std::holds_alternative<MappingList>(key.target) ? "none" : "empty";
      out += fmt::format("| `{}{}` | {} | {} |\n", prefix, key.path, value, key.doc);
    }
  };
  Config config;
  Backend backend;
  TenantConfig tenant;
  RouteConfig route;
  std::string group = "-";
  for (const Key& key : describe(config)) {
    const std::size_t dot = key.path.find('.');
    const std::string its = dot == std::string::npos ? "" : key.path.substr(0, dot);
    if (its != group) {
      group = its;
      out += fmt::format("\n## {}\n\n| key | default | effect |\n|---|---|---|\n",
                         group.empty() ? "General" : "`" + group + "`");
    }
    table({key}, "");
  }
  const auto elements = [&](std::string_view title, const std::vector<Key>& keys,
                            std::string_view prefix) {
    out += fmt::format("\n## {}\n\n| key | default | effect |\n|---|---|---|\n", title);
    table(keys, prefix);
  };
  elements("Of each backend", describe(backend), "backends[].");
  elements("Of each route", describe(route), "routes[].");
  elements("Of each tenant", describe(tenant), "tenants.list[].");
  return out.substr(1);
}

}  // namespace turnpike::config
