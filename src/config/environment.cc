#include "config/environment.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "config/nearest.h"
#include "config/value.h"

namespace turnpike::config {

namespace {

constexpr std::string_view kOurs = "TURNPIKE_";

// How a value of the ancestors' becomes one of ours.
enum class Form : std::uint8_t {
  as_it_is,
  duration,  // at most zero is 0s
  timeout,   // at most zero is off
  limit,     // at most zero is 0
  weight,    // times FAIRNESS_PRIORITY_TOKEN_WEIGHT
  scale,     // that weight itself
  rate,      // above zero it chooses the rule of admission, too
  ignored,   // accepted; `note` says why nothing follows from it
};
// What must be on for a value to mean anything.
enum class Needs : std::uint8_t { nothing, boost, fairness };
struct Ancestor {
  std::string_view name;
  std::string_view key;
  Form form;
  Needs needs = Needs::nothing;
  std::string_view note = {};
};
constexpr std::string_view kLiveKeys = "accepted; keys are always live here";
constexpr auto kAncestors = std::to_array<Ancestor>({
    {"SESSION_BOOST_HEADER", "session.headers", Form::as_it_is},
    {"SESSION_BOOST_TTL", "expert.boost.ttl", Form::duration, Needs::boost},
    {"SESSION_BOOST_MAX_SESSIONS", "expert.boost.max_sessions", Form::as_it_is, Needs::boost},
    {"SESSION_BOOST_GRACE_PERIOD", "expert.grace.period", Form::duration, Needs::boost},
    {"SESSION_BOOST_INFLIGHT_PER_POD", "expert.admission.limit", Form::as_it_is, Needs::boost},
    {"FAIRNESS_QUEUE_TIMEOUT", "timeouts.queue", Form::timeout, Needs::fairness},
    {"SESSION_BOOST_TIMEOUT", "timeouts.queue", Form::timeout, Needs::boost},  // wins
    {"SESSION_BOOST_POLL_INTERVAL", "", Form::ignored, Needs::nothing,
     "accepted; there is no polling, dispatch follows events"},
    {"METRICS_SCRAPE_INTERVAL", "gauges.interval", Form::duration},
    {"FAIRNESS_WINDOW_SIZE", "expert.fairness.window", Form::duration, Needs::fairness},
    {"FAIRNESS_INPUT_TOKEN_WEIGHT", "expert.fairness.input_weight", Form::weight, Needs::fairness},
    {"FAIRNESS_OUTPUT_TOKEN_WEIGHT", "expert.fairness.output_weight", Form::weight,
     Needs::fairness},
    {"FAIRNESS_PRIORITY_TOKEN_WEIGHT", "", Form::scale, Needs::fairness},
    {"FAIRNESS_PRIORITY_REQUEST_NUM_WEIGHT", "expert.fairness.request_weight", Form::as_it_is,
     Needs::fairness},
    {"FAIRNESS_MAX_QPS", "expert.admission.rate", Form::rate, Needs::fairness},
    {"FAIRNESS_MAX_CONCURRENT", "expert.admission.pool_limit", Form::limit, Needs::fairness},
    {"FAIRNESS_PRIORITY_REFRESH_RETRIES", "", Form::ignored, Needs::nothing, kLiveKeys},
    {"FAIRNESS_REBUILD_THRESHOLD", "", Form::ignored, Needs::nothing, kLiveKeys},
    {"ACCESS_LOG_OUTPUT", "access_log.output", Form::as_it_is},
});
// Those that are read together with others.
constexpr auto kSwitches =
    std::to_array<std::string_view>({"ENABLE_SESSION_BOOST", "ENABLE_FAIRNESS_SCHEDULING",
                                     "ACCESS_LOG_ENABLED", "ACCESS_LOG_FORMAT"});

const std::string* find(Environment environment, std::string_view name) {
  for (const auto& [variable, value] : environment) {
    if (variable == name) return &value;
  }
  return nullptr;
}

class Reader {
 public:
  Reader(Environment environment, const std::vector<Key>& keys, const Config& so_far,
         bool policy_is_named)
      : environment_(environment),
        keys_(keys),
        so_far_(so_far),
        policy_is_named_(policy_is_named || find(environment, "TURNPIKE_POLICY") != nullptr) {}

  EnvironmentFindings read() {
    const bool boosted = switch_boost();
    switch_fairness(boosted);
    switch_access_log();
    for (const Ancestor& ancestor : kAncestors) {
      const std::string* const value = find(environment_, ancestor.name);
      if (value != nullptr) ancestor_value(ancestor, *value);
    }
    for (const Key& key : keys_) {
      const std::string name = variable_of(key.path);
      const std::string* const value = find(environment_, name);
      if (value != nullptr) found_.settings.push_back({key.path, *value, name});
    }
    unknown_names();
    return std::move(found_);
  }

 private:
  static bool boosts(const core::PoolParams& pool) {
    return pool.order.sessions == core::SessionOrder::session_boost;
  }

  // True if boosting was asked for.
  bool switch_boost() {
    const std::string_view name = "ENABLE_SESSION_BOOST";
    const std::string* const value = find(environment_, name);
    if (value == nullptr) return false;
    const auto on = parse_go_bool(*value);
    const bool named_policy_boosts =
        boosts(core::preset(so_far_.policy).value_or(core::PoolParams()));
    if (!on) {
      found_.problems.emplace_back(name, on.error().message);
    } else if (*on && !named_policy_boosts) {
      found_.settings.push_back({"policy", "session-boost", std::string(name)});
    } else if (!*on && named_policy_boosts) {
      found_.notes.push_back(fmt::format(
          "{}=false leaves the policy at {}; `policy` chooses another", name, so_far_.policy));
    }
    return on.value_or(false);
  }

  // Tenants share under whatever policy is named, or boosts; alone it takes the place of the default.
  void switch_fairness(bool boosted) {
    const std::string_view name = "ENABLE_FAIRNESS_SCHEDULING";
    fair_ = so_far_.pool.order.tenants != core::TenantOrder::none;
    const std::string* const value = find(environment_, name);
    if (value == nullptr) return;
    const auto on = parse_go_bool(*value);
    if (!on) {
      found_.problems.emplace_back(name, on.error().message);
    } else if (*on) {
      fair_ = true;
      if (!policy_is_named_ && !boosted)
        found_.settings.push_back({"policy", "fair-share", std::string(name)});
      found_.settings.push_back({"expert.tenants", "fair-share", std::string(name)});
    } else if (fair_) {
      found_.notes.push_back(fmt::format(
          "{}=false leaves the policy at {}; `policy` chooses another", name, so_far_.policy));
    }
  }

  // FAIRNESS_PRIORITY_TOKEN_WEIGHT times FAIRNESS_{INPUT,OUTPUT}_TOKEN_WEIGHT; the ancestor keeps them apart, their product is all
  // that counts.
  void weigh_tokens(const Ancestor& scale, const std::string& value) {
    const auto factor = parse_number(value);
    if (!factor) {
      found_.problems.emplace_back(scale.name, factor.error().message);
      return;
    }
    const core::FairnessParams& fairness = so_far_.pool.order.fairness;
    for (const Ancestor& ancestor : kAncestors) {
      if (ancestor.form != Form::weight) continue;
      const std::string* const given = find(environment_, ancestor.name);
      const bool input = ancestor.key.ends_with("input_weight");
      const double before = input ? fairness.input_weight : fairness.output_weight;
      const auto weight = given == nullptr ? Expected<double>(before) : parse_number(*given);
      if (!weight) continue;  // complained about as itself
      found_.settings.push_back(
          {std::string(ancestor.key), fmt::to_string(*weight * *factor), std::string(scale.name)});
    }
  }

  void switch_access_log() {
    const std::string* const enabled = find(environment_, "ACCESS_LOG_ENABLED");
    const std::string* const format = find(environment_, "ACCESS_LOG_FORMAT");
    if (enabled == nullptr) {
      if (format != nullptr)
        found_.notes.emplace_back("ACCESS_LOG_FORMAT is set without ACCESS_LOG_ENABLED; unused");
      return;
    }
    const auto on = parse_go_bool(*enabled);
    if (!on) {
      found_.problems.emplace_back("ACCESS_LOG_ENABLED", on.error().message);
    } else if (!*on) {
      found_.settings.push_back({"access_log.format", "off", "ACCESS_LOG_ENABLED"});
    } else if (format == nullptr) {
      found_.settings.push_back({"access_log.format", "text", "ACCESS_LOG_ENABLED"});
    } else {
      found_.settings.push_back({"access_log.format", *format, "ACCESS_LOG_FORMAT"});
    }
  }

  void ancestor_value(const Ancestor& ancestor, const std::string& value) {
    if (!ancestor.note.empty())
      found_.notes.push_back(fmt::format("{}: {}", ancestor.name, ancestor.note));
    if (ancestor.form == Form::ignored) return;
    if (ancestor.needs == Needs::boost && !boosts(so_far_.pool)) {
      found_.notes.push_back(
          fmt::format("{} is set, but the policy does not boost sessions; unused", ancestor.name));
      return;
    }
    if (ancestor.needs == Needs::fairness && !fair_) {
      found_.notes.push_back(
          fmt::format("{} is set, but tenants do not share fairly; unused", ancestor.name));
      return;
    }
    if (ancestor.form == Form::scale) return weigh_tokens(ancestor, value);
    if (ancestor.form == Form::rate) {
      const auto rate = parse_number(value);
      if (rate && *rate <= 0) return;
      found_.settings.push_back({"expert.admission.rule", "rate", std::string(ancestor.name)});
    }
    std::string ours = value;
    if (ancestor.form == Form::limit && value.starts_with('-')) ours = "0";
    if (ancestor.form == Form::duration || ancestor.form == Form::timeout) {
      const auto duration = parse_go_duration(value);
      if (!duration) {
        found_.problems.emplace_back(ancestor.name, duration.error().message);
        return;
      }
      const bool off = *duration <= Duration(0);
      ours = !off ? format_duration(*duration) : ancestor.form == Form::timeout ? "off" : "0s";
    }
    found_.settings.push_back(
        {std::string(ancestor.key), std::move(ours), std::string(ancestor.name)});
  }

  void unknown_names() {
    std::vector<std::string> ours;
    ours.reserve(keys_.size());
    for (const Key& key : keys_) ours.push_back(variable_of(key.path));
    std::vector<std::string> ancestors;
    ancestors.reserve(kAncestors.size() + kSwitches.size());
    for (const Ancestor& ancestor : kAncestors) ancestors.emplace_back(ancestor.name);
    ancestors.insert(ancestors.end(), kSwitches.begin(), kSwitches.end());
    for (const auto& [name, value] : environment_) {
      const bool mine = name.starts_with(kOurs);
      const bool theirs = name.starts_with("SESSION_BOOST_") || name.starts_with("FAIRNESS_");
      // Many programs have an X_ENABLED: only one that looks like a slip is worth a word.
      const bool maybe = name.ends_with("_ENABLED") || name.starts_with("ENABLE_");
      if (!mine && !theirs && !maybe) continue;
      const std::vector<std::string>& known = mine ? ours : ancestors;
      if (std::ranges::find(known, name) != known.end()) continue;
      const std::string meant = nearest(name, known);
      if (meant.empty() && maybe && !mine && !theirs) continue;
      found_.notes.push_back(
          meant.empty() ? fmt::format("{} is not a setting; ignored", name)
                        : fmt::format("{} is not a setting; did you mean {}?", name, meant));
    }
  }

  Environment environment_;
  const std::vector<Key>& keys_;
  const Config& so_far_;
  const bool policy_is_named_;
  bool fair_ = false;  // tenants share
  EnvironmentFindings found_;
};

}  // namespace

std::string variable_of(std::string_view key) {
  std::string name(kOurs);
  for (const char c : key) {
    name.push_back(c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
  }
  return name;
}

EnvironmentFindings read_environment(Environment environment, const std::vector<Key>& keys,
                                     const Config& so_far, bool policy_is_named) {
  return Reader(environment, keys, so_far, policy_is_named).read();
}

}  // namespace turnpike::config
