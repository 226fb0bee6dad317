#include "config/describe.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.h"
#include "config/check.h"
#include "config/describe_parts.h"
#include "config/nearest.h"
#include "config/value.h"

namespace turnpike::config {

namespace {

constexpr std::array<std::string_view, 13> kScorerNames = {
    "session",      "prefix",   "least-request", "round-robin", "rendezvous",
    "least-tokens", "kv-usage", "least-latency", "random",      "power-of-two",
    "lmetric",      "lora",     "cache-aware"};

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

std::string unknown_name(std::string_view text, const std::vector<std::string>& names) {
  const std::string meant = nearest(text, names);
  return meant.empty() ? fmt::format("'{}' is none of {}", text, join(names, ", "))
                       : fmt::format("'{}' is none of {}; did you mean '{}'?", text,
                                     join(names, ", "), meant);
}

std::string check_bounds(const Key& key, double value, std::string_view text) {
  if (value < key.bounds.least) return fmt::format("'{}' is too small", text);
  if (value > key.bounds.most) return fmt::format("'{}' is too large", text);
  return {};
}

template <typename T>
std::string take(const Key& key, Expected<T> parsed, double measure, T& into,
                 std::string_view text) {
  std::string wrong = parsed ? check_bounds(key, measure, text) : parsed.error().message;
  if (wrong.empty()) into = *parsed;
  return wrong;
}

template <typename Int>
std::string take_integer(const Key& key, std::string_view text, Int& into) {
  const auto parsed = parse_integer(text);
  if (!parsed) return parsed.error().message;
  if (!std::in_range<Int>(*parsed)) return fmt::format("'{}' is out of range", text);
  std::string wrong = check_bounds(key, static_cast<double>(*parsed), text);
  if (wrong.empty()) into = static_cast<Int>(*parsed);
  return wrong;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = trim(text.substr(0, comma));
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

// "session=3, prefix=1"
std::string take_scorers(std::string_view text, std::vector<core::WeightedScorer>& into) {
  std::vector<core::WeightedScorer> scorers;
  for (const std::string& part : split(text)) {
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view name = std::string_view(part).substr(0, equals);
    const auto weight = equals == part.size()
                            ? Expected<double>(1.0)
                            : parse_number(std::string_view(part).substr(equals + 1));
    const auto known = std::ranges::find(kScorerNames, name);
    if (known == kScorerNames.end()) return unknown_name(name, scorer_names());
    if (!weight || *weight <= 0) return fmt::format("'{}' has no positive weight", part);
    scorers.push_back({static_cast<core::Scorer>(known - kScorerNames.begin()), *weight});
  }
  if (scorers.empty()) return "at least one scorer is needed";
  into = std::move(scorers);
  return {};
}

}  // namespace

std::string_view Key::name() const {
  const std::string_view all = path;
  const std::size_t dot = all.rfind('.');
  return dot == std::string_view::npos ? all : all.substr(dot + 1);
}

std::string_view scorer_name(core::Scorer scorer) {
  return kScorerNames[static_cast<std::size_t>(scorer)];
}
std::vector<std::string> scorer_names() {
  return {kScorerNames.begin(), kScorerNames.end()};
}

std::vector<Key> describe(Backend& b) {
  std::vector<Key> keys = {
      {.path = "url",
       .target = &b.url,
       .doc = "Where it listens: `http://host:port` or `https://host:port`, also with a path in "
              "front of "
              "`/v1`.",
       .check = check_backend_url},
      {.path = "name",
       .target = &b.name,
       .doc = "What logs, metrics and `x-turnpike-endpoint` call it; by default the host and port "
              "of the URL.",
       .check = check_visible},
      {.path = "models",
       .target = &b.models,
       .doc = "The models it serves; by default what its `/v1/models` says.",
       .check = check_not_empty},
      {.path = "labels",
       .target = &b.labels,
       .doc = "Up to four `key=value`: a request whose header `x-turnpike-labels` names some of "
              "them goes only to endpoints that have them all.",
       .check = check_label},
      {"slots",
       &b.slots,
       "Requests it runs at once (`--max-num-seqs`, `--parallel`); 0: learned from its gauges "
       "where a "
       "rule of admission asks; `resident-set` then bounds tokens only, not requests.",
       {0, 1e6}},
      {"capacity", &b.capacity, "Tokens that its KV cache holds; 0: as it reports.", {0, 1e12}},
      {.path = "api_key",
       .target = &b.api_key,
       .doc = "Sent to it as a bearer token; empty: none.",
       .check = check_visible,
       .secret = true},
  };
  const std::vector<Key> tls = describe_tls(b.tls);
  keys.insert(keys.end(), tls.begin(), tls.end());
  return keys;
}

std::vector<Key> describe(RouteConfig& r) {
  return {
      {.path = "model",
       .target = &r.model,
       .doc = "The name that a client asks for, or with a `*` at the end what it begins with.",
       .check = check_not_empty},
      {.path = "to",
       .target = &r.to,
       .doc = "The models that answer, as the endpoints call them; several with weights: "
              "`[big=9, new=1]`. A conversation stays with one.",
       .check = check_not_empty},
      {"headers", &r.headers, "Only requests with all of these headers: `[\"x-team: a\"]`."},
      {"path", &r.path, "Only requests whose path begins so."},
  };
}

std::vector<Key> describe(Config& c) {
  core::PoolParams& p = c.pool;
  const std::vector<std::string> presets(core::preset_names().begin(), core::preset_names().end());
  std::vector<Key> keys = {
      {.path = "listen",
       .target = &c.listen,
       .doc = "Where clients connect, as `address:port`; port 0 takes a free one.",
       .check = check_listen_address},
      {.path = "admin",
       .target = &c.admin,
       .doc = "Where probes, `/metrics` and the admin API listen; as `listen`.",
       .check = check_listen_address},
      {"workers",
       &c.workers,
       "Threads that serve clients; 0: one less than the cores, at least 1.",
       {0, 1024}},
      {"speed",
       &c.speed,
       "How much faster than real time the gateway's clock runs, for tests and demos.",
       {0.01, 10'000}},
      {"policy", NamedChoice{&c.policy, presets}, "The preset of order, admission and placement."},
      {"goal", choice(c.goal, {"latency", "balanced", "throughput"}),
       "What matters more to `resident-set`: that nobody waits long, or that most is computed; "
       "`alpha` is 10, 30 or 100."},
      {"max_wait", &p.resident.max_wait,
       "`resident-set` refuses a new session at once (429) that would wait longer than this; "
       "`off`: "
       "none.",
       kDurationOrOff},
      {"backends", mappings(c.backends, "a URL"),
       "The model servers: URLs, or mappings with the keys below."},
      {"routes", mappings(c.routes),
       "Names under which models can be asked for, besides their own: the first that matches "
       "counts."},
      {"response_headers", &c.response_headers,
       "Tell clients in `x-turnpike-*` headers where a request went, why, and how long it waited."},

      {.path = "session.headers",
       .target = &c.session.headers,
       .doc = "Headers that name a session, tried in this order before everything else.",
       .check = check_header_name},
      {.path = "session.sources",
       .target = &c.session.sources,
       .doc =
           "Where else a session's id is looked for, in this order: `header:NAME`, `query:NAME`, "
           "`cookie:NAME`, `jwt:CLAIM` (of an unverified bearer token), `body:FIELD` or "
           "`body:FIELD.INNER`, `headers` (those of known clients), `body` (the fields of known "
           "clients), `prompt` (the conversation that the messages continue).",
       .check = check_session_source},
      {.path = "session.hash_key",
       .target = &c.session.hash_key,
       .doc = "Keys the hashes of ids and of API keys in logs; empty: a new one at every start.",
       .secret = true},
  };
  describe_limits(c, keys);
  describe_timeouts(c, keys);
  const std::vector<Key> others = {
      {"retries.more_attempts",
       &p.retry.more_attempts,
       "Further endpoints that are tried after one brought no answer.",
       {0, 10}},
      {"retries.budget_share",
       &p.retry.budget_share,
       "Most retried requests, as a share of the active ones.",
       {0, 1}},
      {"retries.budget_minimum",
       &p.retry.budget_minimum,
       "Retried requests that are always allowed.",
       {0, 10'000}},
      {"retries.deadly",
       &p.retry.deadly,
       "After so many endpoints died of a request it goes to no other.",
       {1, 10}},
      {"retries.remember_arrival", &p.retry.remember_arrival,
       "How long a client's own retry of a refused request keeps its first place.", kAnyDuration},
      {"retries.max_remembered",
       &p.retry.max_remembered,
       "How many such places are kept.",
       {0, 1e7}},

      {"health.active", &c.health.active, "Ask endpoints for their health."},
      {.path = "health.path",
       .target = &c.health.path,
       .doc = "What is asked for; an answer below 500 is healthy.",
       .check = check_path},
      {"health.interval", &c.health.interval, "Time between two checks of an endpoint.",
       kPositiveDuration},
      {"health.timeout", &c.health.timeout, "How long a check may take.", kPositiveDuration},
      {"health.unhealthy_after",
       &c.health.unhealthy_after,
       "Failed checks in a row that take an endpoint out.",
       {1, 1000}},
      {"health.healthy_after",
       &c.health.healthy_after,
       "Good checks in a row that bring it back.",
       {1, 1000}},
      {"health.breaker.failures",
       &p.breaker.failures,
       "Failed requests in a row that take an endpoint out; 0: never.",
       {0, 1000}},
      {"health.breaker.open_time", &p.breaker.open_time,
       "How long until it gets a request again; doubled by every failure.", kPositiveDuration},
      {"health.breaker.max_open_time", &p.breaker.max_open_time, "The longest such time.",
       kPositiveDuration},
      {"health.breaker.panic_threshold",
       &p.breaker.panic_threshold,
       "With a smaller share of endpoints in service than this, failed requests take nobody out.",
       {0, 1}},

      {.path = "gauges.path",
       .target = &c.gauges.path,
       .doc = "Where endpoints report their load.",
       .check = check_path},
      {"gauges.interval", &c.gauges.interval,
       "Time between two scrapes of an endpoint; gauges older than three of it are not believed.",
       kPositiveDuration},
      {"gauges.timeout", &c.gauges.timeout, "How long a scrape may take.", kPositiveDuration},

      {"models.interval", &c.models.interval,
       "Time between two questions for an endpoint's models.", kPositiveDuration},
      {"models.timeout", &c.models.timeout, "How long the answer may take.", kPositiveDuration},

      {"access_log.format", choice(c.access_log.format, {"off", "text", "json"}),
       "One line per request."},
      {.path = "access_log.output",
       .target = &c.access_log.output,
       .doc = "`stdout`, `stderr`, or a file to append to.",
       .check = check_not_empty},
      {"access_log.queue",
       &c.access_log.queue,
       "Lines that may wait to be written; further ones are dropped and counted.",
       {1, 1e6}},

      {"journal.memory",
       &c.journal.memory,
       "Latest events of the policy (sizes and hashes, never text) that are kept for replay; the "
       "admin API gives them out. 0, "
       "and no directory: nothing is recorded.",
       {0, 1099511627776.0}},
      {"journal.directory", &c.journal.directory,
       "Where all of them are written to files, too; it must exist. Empty: nowhere."},
      {"journal.file_size", &c.journal.file_size, "About how large one such file becomes.", kSize},
      {"journal.total_size", &c.journal.total_size,
       "How much of the directory they may take together; the oldest are removed.", kSize},

      {"log.level", choice(c.log.level, {"debug", "info", "warning", "error", "off"}),
       "What the gateway says of itself on stderr: lines of this level and above."},

      {"metrics.max_models",
       &c.metrics.max_models,
       "Model names that metrics tell apart; further ones count as `other`.",
       {1, 10'000}},
      {"metrics.kthena_names", &c.metrics.kthena_names,
       "Also export the queue as `kthena_router_session_boost_queue_*`, for dashboards of the "
       "ancestor."},

      {"expert.order",
       choice(p.order.sessions, {"fcfs", "session-boost", "critical-path", "plas", "las",
                                 "turn-priority", "wspt", "deadline", "resident-set"}),
       "Whose turn is next."},
      {"expert.boost.among", choice(p.order.boost.among, {"completion", "fifo"}),
       "Who is first among boosted requests: the session that completed last, or the request that "
       "came first."},
      {"expert.boost.max_sessions",
       &p.order.boost.max_sessions,
       "Recently completed sessions that are tracked: fewer protect fewer conversations from "
       "newcomers.",
       {1, 1e7}},
      {"expert.boost.ttl", &p.order.boost.ttl,
       "How long a completion boosts: longer carries slower users, and newcomers wait longer; 0s: "
       "until it is among the oldest.",
       kAnyDuration},
      {"expert.boost.max_overtakes",
       &p.order.boost.max_overtakes,
       "How often a waiting boosted request is overtaken before it ranks first: lower is fairer; "
       "0: no bound.",
       {0, 1e6}},
      {"expert.boost.unboosted_overtakes_factor",
       &p.order.boost.unboosted_overtakes_factor,
       "The same for all others, times this; 0: no bound.",
       {0, 1e6}},
      {"expert.boost.fixed_at_push", &p.order.boost.fixed_at_push,
       "A request that waits already is not boosted when its session's earlier turn ends."},
      {"expert.admission.rule",
       choice(p.admission.rule, {"none", "inflight", "backpressure", "adaptive", "pool-gate",
                                 "rate", "kv-share", "program"}),
       "When there is room: always, by requests in flight, only while nothing waits in the engine, "
       "too, by a limit that finds itself, by one gate for the whole pool, by dispatches per "
       "second, by the tokens of the prompts that run there, or by places for whole sessions."},
      {"expert.admission.limit",
       &p.admission.limit,
       "Requests in flight per endpoint: higher fills engines, lower keeps the order in the "
       "gateway's hands; 0: unlimited.",
       {0, 1e6}},
      {"expert.admission.pool_limit",
       &p.admission.pool_limit,
       "Requests in flight of the whole pool, whatever the rule; 0: unlimited. Impossible under "
       "`resident-set`, which counts tokens.",
       {0, 1e6}},
      {"expert.admission.waiting_tolerance",
       &p.admission.waiting_tolerance,
       "Requests that may wait inside an engine.",
       {0, 1e6}},
      {"expert.admission.fallback_limit",
       &p.admission.fallback_limit,
       "Requests in flight per endpoint while its gauges are old and no limit is set or learned.",
       {1, 1e6}},
      {"expert.admission.rate",
       &p.admission.rate,
       "Rule `rate`: dispatches per second of the pool.",
       {0.001, 1e6}},
      {"expert.admission.burst",
       &p.admission.burst,
       "Rule `rate`: how many may go at once after a pause.",
       {1, 1e6}},
      {"expert.admission.kv_share",
       &p.admission.kv_share,
       "Rule `kv-share`: how much of an endpoint's KV cache the prompts that run there may take: "
       "less keeps more of the sessions that do not run, and runs fewer.",
       {0.01, 1}},
      {"expert.admission.assumed_capacity",
       &p.admission.assumed_capacity,
       "Tokens that the KV cache of an endpoint holds that reports nothing and has no `capacity`.",
       {1, 1e12}},
      {"expert.program.max_growth_rounds",
       &p.program.max_growth_rounds,
       "Rule `program`: turns for whose growth a place has room at most.",
       {0, 1000}},
      {"expert.program.first_hold", &p.program.first_hold,
       "Rule `program`: how long a place is kept for the next turn while nothing is known of gaps.",
       kAnyDuration},
      {"expert.program.seconds_per_token",
       &p.program.seconds_per_token,
       "Rule `program`: what computing a token of a prompt again costs; 0: as learned.",
       {0, 1}},
      {"expert.grace.period",
       &p.grace.period,
       "How long a slot is held for a session's next turn: longer keeps tool loops together and "
       "idles engines; 0s: not at all.",
       {0, 3600}},
      {"expert.grace.auto", &p.grace.automatic,
       "Hold it for as long as half of the session's own gaps last, at most `period`, and only if "
       "recomputing its context would take longer than the slot idles."},
      {"expert.grace.scope", choice(p.grace.scope, {"session", "boosted"}),
       "Who may take a held slot: that session only, or any boosted request."},
      {"expert.placement.scorers", &p.placement.scorers,
       "What makes an endpoint the better one, with weights."},
      {"expert.placement.wait_for_home", &p.placement.wait_for_home,
       "A session's turn waits for its session's endpoint when that is full, instead of going to "
       "another."},
      {"expert.placement.max_waiting",
       &p.placement.max_waiting,
       "Endpoints with so many requests waiting inside the engine come last; 0: however many.",
       {0, 1e6}},
      {"expert.placement.load_bound",
       &p.placement.load_bound,
       "Scorer `rendezvous`: the most load an endpoint takes, as a multiple of the mean.",
       {1, 100}},
      {"expert.placement.cache_aware.imbalance",
       &p.placement.cache_aware.imbalance,
       "Scorer `cache-aware`: load decides while an endpoint has so many requests more than "
       "another.",
       {0, 1e6}},
      {"expert.placement.cache_aware.imbalance_factor",
       &p.placement.cache_aware.imbalance_factor,
       "And so many times as many.",
       {1, 1e6}},
      {"expert.placement.cache_aware.least_match",
       &p.placement.cache_aware.least_match,
       "Scorer `cache-aware`: the part of a prompt that an endpoint must hold to count.",
       {0, 1}},
      {"expert.placement.tie",
       &p.placement.tie,
       "Scores closer than this are equal, and load decides.",
       {0, 1}},
      {"expert.prefix.max_bytes",
       &p.prefix.max_bytes,
       "Memory for what one endpoint probably holds, 112 bytes a block of 1 KiB: too small and old "
       "sessions are placed as if new.",
       {4096, 1e11}},
      {"expert.prefix.max_blocks",
       &p.prefix.max_blocks,
       "Blocks of a prompt that count, from its beginning: fewer and long conversations look "
       "alike; 0: all.",
       {0, 1e6}},
      {"expert.prefix.learn_at_end", &p.prefix.learn_at_end,
       "Learn what an endpoint holds when a request has ended, not when it goes: a burst with one "
       "prefix scatters."},
  };
  const std::vector<Key> tls = describe_tls(c.tls);
  keys.insert(std::ranges::find(keys, "session.headers", &Key::path), tls.begin(), tls.end());
  keys.insert(keys.end(), others.begin(), others.end());
  describe_order(p.order, keys);
  describe_resident(p.resident, keys);
  describe_tenants(c.tenants, keys);
  const auto in_pool = [&p](const auto* member) {
    const auto* const at = reinterpret_cast<const char*>(member);
    const auto* const begin = reinterpret_cast<const char*>(&p);
    return at >= begin && at < begin + sizeof p;
  };
  for (Key& key : keys) {
    key.of_policy = std::visit(
        [&in_pool](const auto& target) {
          if constexpr (std::is_same_v<std::decay_t<decltype(target)>, Choice>) {
            return in_pool(target.index);
          } else if constexpr (std::is_same_v<std::decay_t<decltype(target)>, NamedChoice>) {
            return in_pool(target.name);
          } else if constexpr (std::is_same_v<std::decay_t<decltype(target)>, MappingList>) {
            return false;
          } else {
            return in_pool(target);
          }
        },
        key.target);
  }
  return keys;
}

namespace {

struct Assign {
  const Key& key;
  std::string_view text;

  std::string operator()(bool* into) const {
    return take(key, parse_bool(text), key.bounds.least, *into, text);
  }
  std::string operator()(int* into) const { return take_integer(key, text, *into); }
  std::string operator()(TokenCount* into) const {
    std::int64_t tokens = 0;
    std::string wrong = take_integer(key, text, tokens);
    if (wrong.empty()) *into = TokenCount(tokens);
    return wrong;
  }
  std::string operator()(std::size_t* into) const { return take_integer(key, text, *into); }
  std::string operator()(double* into) const {
    const auto parsed = parse_number(text);
    return take(key, parsed, parsed.value_or(0), *into, text);
  }
  std::string operator()(Duration* into) const {
    const auto parsed = parse_duration(text);
    const double seconds = !parsed ? 0 : *parsed == kForever ? kInfinity : to_seconds(*parsed);
    return take(key, parsed, seconds, *into, text);
  }
  std::string operator()(ByteCount* into) const {
    const auto parsed = parse_size(text);
    return take(key, parsed, parsed ? parsed->as_double() : 0, *into, text);
  }
  std::string operator()(std::string* into) const {
    std::string wrong = key.check != nullptr ? key.check(text) : "";
    if (wrong.empty()) into->assign(text);
    return wrong;
  }
  std::string operator()(std::vector<std::string>*) const { return assign_list(key, split(text)); }
  std::string operator()(std::vector<core::WeightedScorer>* into) const {
    return take_scorers(text, *into);
  }
  std::string operator()(const MappingList&) const { return assign_list(key, split(text)); }
  std::string operator()(const Choice& into) const {
    const auto known = std::ranges::find(into.names, text);
    if (known == into.names.end()) return unknown_name(text, into.names);
    *into.index = static_cast<std::uint8_t>(known - into.names.begin());
    return {};
  }
  std::string operator()(const NamedChoice& into) const {
    if (std::ranges::find(into.names, text) == into.names.end())
      return unknown_name(text, into.names);
    into.name->assign(text);
    return {};
  }
};

struct Text {
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const int* value) const { return fmt::to_string(*value); }
  std::string operator()(const TokenCount* value) const { return fmt::to_string(value->value()); }
  std::string operator()(const std::size_t* value) const { return fmt::to_string(*value); }
  std::string operator()(const double* value) const { return fmt::to_string(*value); }
  std::string operator()(const Duration* value) const { return format_duration(*value); }
  std::string operator()(const ByteCount* value) const { return format_size(*value); }
  std::string operator()(const std::string* value) const { return *value; }
  std::string operator()(const std::vector<std::string>* value) const { return join(*value, ","); }
  std::string operator()(const std::vector<core::WeightedScorer>* value) const {
    std::vector<std::string> parts;
    for (const auto& [scorer, weight] : *value)
      parts.push_back(fmt::format("{}={}", scorer_name(scorer), weight));
    return join(parts, ",");
  }
  std::string operator()(const MappingList& list) const {
    std::vector<std::string> firsts;
    firsts.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i)
      firsts.push_back(value_text(list.keys_of(i).front()));
    return join(firsts, ",");
  }
  std::string operator()(const Choice& value) const { return value.names[*value.index]; }
  std::string operator()(const NamedChoice& value) const { return *value.name; }
};

}  // namespace

std::string assign(const Key& key, std::string_view text) {
  return std::visit(Assign{key, text}, key.target);
}

std::string assign_list(const Key& key, const std::vector<std::string>& items) {
  if (const auto* const list = std::get_if<MappingList>(&key.target)) {
    list->resize(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      std::string wrong = assign(list->keys_of(i).front(), items[i]);
      if (!wrong.empty()) return wrong;
    }
    return {};
  }
  for (const std::string& item : items) {
    std::string wrong = key.check != nullptr ? key.check(item) : "";
    if (!wrong.empty()) return wrong;
  }
  *std::get<std::vector<std::string>*>(key.target) = items;
  return {};
}

std::string value_text(const Key& key) {
  return std::visit(Text{}, key.target);
}

bool same_value(const Key& a, const Key& b) {
  const auto* const list = std::get_if<MappingList>(&a.target);
  if (list == nullptr) return value_text(a) == value_text(b);
  const auto& other = std::get<MappingList>(b.target);
  if (list->size() != other.size()) return false;
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (!std::ranges::equal(list->keys_of(i), other.keys_of(i), same_value)) return false;
  }
  return true;
}

}  // namespace turnpike::config
