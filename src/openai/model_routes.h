#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "http/head.h"

namespace turnpike::openai {

// Under which names models can be asked for. A rule sends the requests that match it to one of its targets: an alias has one, a canary a second
// one with a small weight. Rules are tried in their order; what none matches goes by its own name.
class ModelRoutes {
 public:
  struct Target {
    std::string model;  // as the endpoints call it
    double weight = 1;
  };
  struct Rule {
    std::string model;  // exact, or the beginning if it ends in '*'; "*" alone: any
    std::vector<std::pair<std::string, std::string>>
        headers;             // all of them must be there with these values
    std::string path;        // beginning of the path; empty: any
    std::vector<Target> to;  // not empty
  };

  ModelRoutes() = default;
  explicit ModelRoutes(std::vector<Rule> rules) : rules_(std::move(rules)) {}

  // The first rule that matches; null if none does.
  [[nodiscard]] const Rule* find(std::string_view model, const http::RequestHead& head) const;
  // The target for whoever drew this number: the same number, the same target, as long as the rule stays. When a weight grows, only its gain
  // moves.
  [[nodiscard]] static const Target& draw(const Rule& rule, std::uint64_t number);
  // Names that can be asked for besides those of the endpoints, each with what it may mean.
  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }
  [[nodiscard]] bool empty() const { return rules_.empty(); }

  // "name", or "name=weight".
  static Expected<Target> parse_target(std::string_view text);
  // "name: value".
  static Expected<std::pair<std::string, std::string>> parse_header(std::string_view text);

 private:
  std::vector<Rule> rules_;
};

}  // namespace turnpike::openai
