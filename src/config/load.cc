#include "config/load.h"

#include <algorithm>
#include <cassert>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

#include "config/decode.h"
#include "config/describe.h"
#include "config/environment.h"
#include "config/nearest.h"
#include "core/admission/room.h"

namespace turnpike::config {
namespace {

// Takes every source in turn into a configuration that starts from one preset.
class Loader {
 public:
  Loader(const Sources& sources, std::string_view policy) : sources_(sources) {
    loaded_.config.policy = policy;
    loaded_.config.pool = core::preset(policy).value_or(core::PoolParams());
  }

  Loaded run() {
    const std::vector<Key> keys = describe(loaded_.config);
    if (sources_.file) read_file_text(keys, *sources_.file);
    read_variables(keys);
    read_flags(keys);
    name_backends();
    reach_goal();
    check_together();
    loaded_.config.pool.admission.scrape_interval = loaded_.config.gauges.interval;
    for (const Problem& problem : problems_) loaded_.errors.push_back(to_string(problem));
    return std::move(loaded_);
  }

 private:
  void read_file_text(const std::vector<Key>& keys, const FileText& file) {
    places_ = decode_yaml(file.name, file.text, keys, problems_);
    for (const auto& [key, place] : places_)
      loaded_.origins[key] = fmt::format("{}:{}", file.name, place.line);
  }

  void read_variables(const std::vector<Key>& keys) {
    EnvironmentFindings found = read_environment(sources_.environment, keys, loaded_.config,
                                                 loaded_.origins.contains("policy"));
    for (auto& [variable, wrong] : found.problems)
      problems_.push_back({"$" + variable, {}, "", std::move(wrong)});
    for (const Setting& setting : found.settings) {
      const auto key = std::ranges::find(keys, setting.key, &Key::path);
      assert(key != keys.end());
      done(*key, "$" + setting.origin, assign(*key, setting.value));
    }
    loaded_.warnings = std::move(found.notes);
  }

  void read_flags(const std::vector<Key>& keys) {
    for (const FlagValue& flag : sources_.flags) {
      const auto key = std::ranges::find(keys, flag.key, &Key::path);
      if (key == keys.end()) {
        problems_.push_back({flag.flag, {}, flag.key, "there is no such key"});
      } else if (is_list(*key)) {
        done(*key, flag.flag, assign_list(*key, flag.values));
      } else if (!flag.values.empty()) {
        done(*key, flag.flag, assign(*key, flag.values.back()));
      }
    }
  }

  static bool is_list(const Key& key) {
    return std::holds_alternative<std::vector<std::string>*>(key.target) ||
           std::holds_alternative<MappingList>(key.target);
  }

  // A variable or flag set `key`, or could not.
  void done(const Key& key, const std::string& origin, std::string wrong) {
    if (!wrong.empty()) {
      problems_.push_back({origin, {}, key.path, std::move(wrong)});
      return;
    }
    loaded_.origins[key.path] = origin;
    const auto replaced = [&](const auto& entry) {
      return entry.first.starts_with(key.path) && entry.first != key.path &&
             entry.first[key.path.size()] == '[';
    };
    std::erase_if(loaded_.origins, replaced);
    std::erase_if(places_, replaced);
    places_.erase(key.path);
  }

  void name_backends() {
    for (Backend& backend : loaded_.config.backends) {
      while (backend.url.ends_with('/')) backend.url.pop_back();
      const std::size_t host = backend.url.find("://");
      if (backend.name.empty() && host != std::string::npos)
        backend.name = backend.url.substr(host + 3);
    }
  }

  // The goal, unless its constant is set, and whether the policy has any use for it.
  void reach_goal() {
    core::PoolParams& pool = loaded_.config.pool;
    const std::string alpha = "expert.resident.alpha";
    if (!loaded_.origins.contains(alpha)) {
      pool.resident.alpha = alpha_of(loaded_.config.goal);
      if (const auto goal = loaded_.origins.find("goal"); goal != loaded_.origins.end())
        loaded_.origins.emplace(alpha, goal->second);
    }
    const bool residents = pool.order.sessions == core::SessionOrder::resident_set;
    const auto unused = [&](std::string_view key) {
      if (!loaded_.origins.contains(std::string(key))) return;
      loaded_.warnings.push_back(
          fmt::format("{} is set, but the policy {} has no use for it", key, pool.policy));
    };
    if (!residents) {
      unused("goal");
      unused("max_wait");
    }
  }

  // What the values must be together, once all are known.
  void check_together() {
    const Config& c = loaded_.config;
    if (c.listen == c.admin && !c.listen.ends_with(":0"))
      complain("admin", "must differ from 'listen'");
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < c.backends.size(); ++i) {
      if (c.backends[i].labels.size() > kMaxLabels)
        complain(fmt::format("backends[{}].labels", i), "an endpoint has at most 4 labels");
      const std::string& name = c.backends[i].name;
      if (!name.empty() && !names.insert(name).second) {
        complain(fmt::format("backends[{}].name", i),
                 fmt::format("two backends are called '{}'; give them names", name));
      }
    }
    check_tls(c);
    const core::PoolParams& pool = c.pool;
    if (pool.admission.pool_limit > 0 && pool.order.sessions == core::SessionOrder::resident_set) {
      complain("expert.admission.pool_limit",
               "resident-set shares out tokens, not requests, and resident sessions would keep all "
               "others out of such a limit: leave it out, or choose another policy");
    }
    if (pool.grace.period > Duration(0) &&
        pool.order.sessions == core::SessionOrder::resident_set) {
      complain("expert.grace.period",
               "resident-set holds no slots: its equivalent is 'expert.resident.hold_max', the "
               "longest time for which a session that acts keeps its place");
    } else if (pool.grace.period > Duration(0) &&
               (!core::has_slots(pool.admission.rule) ||
                (pool.admission.limit == 0 &&
                 pool.admission.rule != core::AdmissionRule::adaptive))) {
      complain("expert.grace.period",
               "a slot can be held only where 'expert.admission' bounds them");
    }
    if (pool.resident.worth_min > pool.resident.worth_max)
      complain("expert.resident.worth_min", "must not exceed 'expert.resident.worth_max'");
    if (pool.breaker.max_open_time < pool.breaker.open_time) {
      complain("health.breaker.max_open_time",
               "must not be shorter than 'health.breaker.open_time'");
    }
  }

  void check_tls(const Config& c) {
    const TlsConfig& tls = c.tls;
    const bool on = !tls.certificate.empty();
    if (on && tls.key.empty()) complain("tls.certificate", "needs its key, 'tls.key'");
    if (!on && !tls.key.empty()) complain("tls.key", "needs its certificate, 'tls.certificate'");
    if (!on && (!tls.client_ca.empty() || tls.client_certificates != ClientCertificates::none))
      complain("tls.client_certificates", "needs TLS: 'tls.certificate' and 'tls.key'");
    if (tls.client_certificates != ClientCertificates::none && tls.client_ca.empty())
      complain("tls.client_certificates", "needs 'tls.client_ca', to know which are good");
    if (tls.client_certificates == ClientCertificates::none && !tls.client_ca.empty())
      complain("tls.client_ca", "is of no use while 'tls.client_certificates' is none");
    for (std::size_t i = 0; i < c.backends.size(); ++i) {
      const Backend& backend = c.backends[i];
      const std::string key = fmt::format("backends[{}].tls", i);
      if (backend.tls != BackendTls{} && !backend.url.starts_with("https://"))
        complain(key, "is of no use without an https:// URL");
      if (backend.tls.certificate.empty() != backend.tls.key.empty())
        complain(key, "a certificate and its key are given together");
      if (backend.tls.insecure && !backend.tls.ca.empty())
        complain(key + ".ca", "is of no use while 'insecure' takes any certificate");
    }
  }

  void complain(const std::string& key, std::string message) {
    for (std::string at = key;; at = at.substr(0, at.find_last_of(".["))) {
      if (const auto place = places_.find(at); place != places_.end()) {
        problems_.push_back({sources_.file->name, place->second, key, std::move(message)});
        return;
      }
      if (const auto origin = loaded_.origins.find(at); origin != loaded_.origins.end()) {
        problems_.push_back({origin->second, {}, key, std::move(message)});
        return;
      }
      if (at.find_last_of(".[") == std::string::npos) break;
    }
    problems_.push_back({"", {}, key, std::move(message)});
  }

  const Sources& sources_;
  Loaded loaded_;
  std::vector<Problem> problems_;
  std::map<std::string, Place> places_;  // of the file's values that are in force
};

}  // namespace

double alpha_of(Goal goal) {
  switch (goal) {
    case Goal::latency:
      return 10;
    case Goal::balanced:
      return 30;
    case Goal::throughput:
      return 100;
  }
  return 30;
}

Loaded load(const Sources& sources) {
  // The policy says what the defaults of its parameters are, and may come from any source: so it is found first.
  const std::string policy = Loader(sources, Config{}.policy).run().config.policy;
  return Loader(sources, policy).run();
}

Expected<FileText> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  text.resize(kMaxFile + 1);
  if (!file || !(file.read(text.data(), static_cast<std::streamsize>(text.size())) || file.eof())) {
    return fail(fmt::format("{}: cannot be read", path));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return FileText{path, std::move(text)};
}

std::vector<std::pair<std::string, std::string>> process_environment() {
  std::vector<std::pair<std::string, std::string>> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace turnpike::config
