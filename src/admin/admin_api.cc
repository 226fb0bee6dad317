#include "admin/admin_api.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "admin/views_json.h"
#include "base/ascii.h"
#include "gateway/ask.h"
#include "metrics/text.h"

namespace turnpike::admin {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxListed = 1000;
constexpr std::size_t kDefaultListed = 100;
constexpr std::string_view kJson = "application/json";

std::size_t limit_of(const net::Exchange& exchange) {
  const auto limit = parse_unsigned<std::size_t>(exchange.query("limit"));
  return std::clamp<std::size_t>(limit.value_or(kDefaultListed), 1, kMaxListed);
}

net::Task<void> respond(net::Exchange& exchange, int status, const Json& body) {
  co_await exchange.respond(status, kJson, body.dump(2) + "\n");
}

net::Task<void> not_found(net::Exchange& exchange, std::string message) {
  co_await respond(exchange, 404, {{"error", std::move(message)}});
}

net::HttpServerLimits limits() {
  net::HttpServerLimits limits;
  limits.body_bytes = std::size_t{1} << 20U;
  limits.connections = 256;
  return limits;
}

// The name of a model; what waits for one endpoint alone has that endpoint's.
std::string name_of(const gateway::Directory& directory, ModelId model) {
  const auto alone = gateway::alone_serving(model);
  if (!alone) return directory.model_names.at(model.value());
  const auto endpoint = directory.endpoint(*alone);
  return endpoint == nullptr ? "?" : "endpoint " + endpoint->name;
}

}  // namespace

AdminApi::AdminApi(gateway::Gateway& gateway, Reload reload)
    : gateway_(gateway),
      reload_(std::move(reload)),
      server_(
          gateway.control(), [this](net::Exchange& exchange) { return handle(exchange); },
          limits()) {}

net::Task<void> AdminApi::handle(net::Exchange& exchange) {
  const std::string_view path = exchange.path();
  const std::string_view method = exchange.head().method;
  const bool reads = method == "GET" || method == "HEAD";
  constexpr std::string_view session_prefix = "/api/sessions/";
  constexpr std::string_view request_prefix = "/api/requests/";
  if (path.starts_with(session_prefix) && path.ends_with("/end") && method == "POST") {
    co_await end_session(
        exchange, path.substr(session_prefix.size(), path.size() - session_prefix.size() - 4));
  } else if (path == "/api/endpoints" && method == "POST") {
    co_await change_endpoint(exchange);
  } else if (path == "/api/reload" && method == "POST") {
    co_await reload(exchange);
  } else if (!reads) {
    co_await respond(exchange, 405, {{"error", fmt::format("{} does not allow {}", path, method)}});
  } else if (path == "/healthz") {
    co_await exchange.respond(200, "text/plain", "ok\n");
  } else if (path == "/readyz") {
    co_await readyz(exchange);
  } else if (path == "/metrics") {
    co_await metrics(exchange);
  } else if (path == "/api/pools") {
    co_await pools(exchange, {});
  } else if (path.starts_with("/api/pools/")) {
    co_await pools(exchange, path.substr(std::string_view("/api/pools/").size()));
  } else if (path == "/api/endpoints") {
    co_await endpoints(exchange);
  } else if (path == "/api/queue") {
    co_await queue(exchange);
  } else if (path.starts_with(request_prefix)) {
    co_await request(exchange, path.substr(request_prefix.size()));
  } else if (path == "/api/journal") {
    co_await journal(exchange);
  } else if (path == "/api/sessions") {
    co_await sessions(exchange);
  } else if (path.starts_with(session_prefix)) {
    co_await session(exchange, path.substr(session_prefix.size()));
  } else {
    co_await not_found(exchange, fmt::format("there is no {} here", path));
  }
}

// {"url": ..., "action": "add" | "drain" | "remove"}
net::Task<void> AdminApi::change_endpoint(net::Exchange& exchange) {
  const Json asked = Json::parse(exchange.body(), nullptr, false);
  const auto text = [&asked](const char* name) {
    const auto found = asked.is_object() ? asked.find(name) : asked.end();
    return found != asked.end() && found->is_string() ? found->get<std::string>() : "";
  };
  const std::string url = text("url");
  const std::string action = text("action");
  if (url.empty() || (action != "add" && action != "drain" && action != "remove")) {
    co_return co_await respond(
        exchange, 400,
        {{"error", R"(expected {"url": "http://...", "action": "add", "drain" or "remove"})"}});
  }
  std::vector<gateway::BackendSettings> backends = gateway_.fleet().backends();
  const auto known = std::ranges::find(backends, url, &gateway::BackendSettings::url);
  if (action == "add") {
    if (known != backends.end())
      co_return co_await respond(exchange, 409, {{"error", url + " is there already"}});
    const std::size_t host = url.find("://");
    backends.push_back(
        {.url = url, .name = host == std::string::npos ? url : url.substr(host + 3)});
  } else if (known == backends.end()) {
    co_return co_await not_found(exchange, "there is no endpoint " + url);
  } else if (action == "drain") {
    gateway_.drain_backend(url);
  } else {
    backends.erase(known);
  }
  if (const auto changed = gateway_.change_backends(backends); !changed)
    co_return co_await respond(exchange, 400, {{"error", changed.error().message}});
  co_await respond(exchange, 200, {{"url", url}, {"action", action}});
}

net::Task<void> AdminApi::reload(net::Exchange& exchange) {
  const ReloadReport report = reload_("POST /api/reload");
  co_await respond(exchange, report.taken ? 200 : 422,
                   {{"taken", report.taken},
                    {"errors", report.errors},
                    {"changed", report.changed},
                    {"needs_restart", report.needs_restart}});
}

// What is in memory, up to this moment, as a file for `turnpike journal` and `turnpike simulate`.
net::Task<void> AdminApi::journal(net::Exchange& exchange) {
  telemetry::FlightRecorder* const recorder = gateway_.recorder();
  if (recorder == nullptr) {
    co_return co_await not_found(exchange, "nothing is recorded: journal.memory is 0");
  }
  const bool handed_over = co_await gateway::ask(gateway_.owner(), gateway_.control(),
                                                 [recorder](gateway::Pools&, TimePoint now) {
                                                   recorder->hand_over(now);
                                                   return true;
                                                 });
  co_await exchange.respond(200, "application/octet-stream",
                            handed_over ? recorder->recent() : std::string());
}

net::Task<void> AdminApi::readyz(net::Exchange& exchange) {
  const std::size_t dispatchable = co_await gateway::ask(
      gateway_.owner(), gateway_.control(), [](gateway::Pools& pools, TimePoint now) {
        std::size_t sum = 0;
        for (const auto& listed : pools.list()) sum += listed.pool->view(now).dispatchable;
        return sum;
      });
  const bool ready = dispatchable > 0 && !gateway_.draining();
  co_await exchange.respond(ready ? 200 : 503, "text/plain",
                            gateway_.draining() ? "draining\n"
                            : ready             ? "ready\n"
                                                : "no endpoint\n");
}

net::Task<void> AdminApi::metrics(net::Exchange& exchange) {
  const auto directory = gateway_.board().current();
  struct Seen {
    std::vector<gateway::PoolSample> pools;
    std::vector<core::EndpointView> endpoints;
  };
  const Seen seen = co_await gateway::ask(
      gateway_.owner(), gateway_.control(), [&directory](gateway::Pools& pools, TimePoint now) {
        Seen all;
        for (const auto& listed : pools.list()) {
          all.pools.push_back(
              {directory->model_names.at(listed.models.front().value()), listed.pool->view(now)});
          for (auto& view : listed.pool->endpoints(now)) all.endpoints.push_back(std::move(view));
        }
        return all;
      });
  const telemetry::FlightRecorder* const recorder = gateway_.recorder();
  const std::string text = gateway_.metrics().text(
      seen.pools, seen.endpoints, gateway_.fleet().status(),
      {.log_lines_dropped = gateway_.access_log_dropped(),
       .recent_requests = gateway_.recent().size(),
       .journal =
           recorder == nullptr ? telemetry::FlightRecorder::Counters{} : recorder->counters(),
       .conversations = gateway_.conversations().sample(),
       .stored = gateway_.stored().sample(),
       .rate_limit_entries = gateway_.rate_limits().entries(),
       .rate_limits_forgotten = gateway_.rate_limits().forgotten(),
       .certificates = gateway_.certificates().status()});
  co_await exchange.respond(200, metrics::TextWriter::kContentType, text);
}

net::Task<void> AdminApi::pools(net::Exchange& exchange, std::string_view model) {
  const auto directory = gateway_.board().current();
  struct Seen {
    std::vector<ModelId> models;
    core::PoolView view;
  };
  const std::vector<Seen> seen = co_await gateway::ask(
      gateway_.owner(), gateway_.control(), [](gateway::Pools& pools, TimePoint now) {
        std::vector<Seen> all;
        for (auto& listed : pools.list())
          all.push_back({std::move(listed.models), listed.pool->view(now)});
        return all;
      });
  Json list = Json::array();
  for (const Seen& pool : seen) {
    Json names = Json::array();
    for (const ModelId id : pool.models) {
      Json name = directory->model_names.at(id.value());
      if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
    if (!model.empty() && std::ranges::find(names, Json(model)) == names.end()) continue;
    list.push_back(to_json(pool.view, names));
  }
  if (model.empty()) {
    co_await respond(exchange, 200, {{"pools", std::move(list)}});
  } else if (list.empty()) {
    co_await not_found(exchange, fmt::format("no pool serves the model '{}'", model));
  } else {
    co_await respond(exchange, 200, list[0]);
  }
}

net::Task<void> AdminApi::endpoints(net::Exchange& exchange) {
  const std::vector<core::EndpointView> views = co_await gateway::ask(
      gateway_.owner(), gateway_.control(), [](gateway::Pools& pools, TimePoint now) {
        std::vector<core::EndpointView> all;
        for (const auto& listed : pools.list()) {
          for (auto& view : listed.pool->endpoints(now)) all.push_back(std::move(view));
        }
        return all;
      });
  Json list = Json::array();
  for (const gateway::Fleet::Status& status : gateway_.fleet().status()) {
    const auto view = std::ranges::find(views, status.id, &core::EndpointView::id);
    list.push_back(to_json(status, view == views.end() ? nullptr : &*view));
  }
  co_await respond(exchange, 200, {{"endpoints", std::move(list)}});
}

net::Task<void> AdminApi::queue(net::Exchange& exchange) {
  const auto directory = gateway_.board().current();
  struct Seen {
    std::size_t queued = 0;
    std::vector<core::QueuedView> listed;
  };
  const Seen seen = co_await gateway::ask(
      gateway_.owner(), gateway_.control(),
      [limit = limit_of(exchange)](gateway::Pools& pools, TimePoint now) {
        Seen all;
        for (const auto& listed : pools.list()) {
          all.queued += listed.pool->view(now).queued;
          for (auto& view : listed.pool->queue(limit - all.listed.size(), now))
            all.listed.push_back(view);
          if (all.listed.size() >= limit) break;
        }
        return all;
      });
  Json list = Json::array();
  for (const core::QueuedView& view : seen.listed) {
    list.push_back(to_json(view, name_of(*directory, view.model)));
  }
  co_await respond(exchange, 200, {{"queued", seen.queued}, {"requests", std::move(list)}});
}

net::Task<void> AdminApi::request(net::Exchange& exchange, std::string_view id) {
  const telemetry::RecentRequests& recent = gateway_.recent();
  if (const auto found = recent.find(id)) {
    co_await respond(exchange, 200, to_json(*found, recent.passed(*found, kDefaultListed)));
  } else {
    co_await not_found(exchange,
                       fmt::format("no request with this x-request-id is among the last {} "
                                   "ended ones of a worker; /api/queue lists those that wait",
                                   recent.capacity()));
  }
}

net::Task<void> AdminApi::sessions(net::Exchange& exchange) {
  const auto after = parse_unsigned<std::uint32_t>(exchange.query("after")).value_or(0);
  const auto pool_index = parse_unsigned<std::size_t>(exchange.query("pool")).value_or(0);
  const core::SessionPage page = co_await gateway::ask(
      gateway_.owner(), gateway_.control(),
      [limit = limit_of(exchange), after, pool_index](gateway::Pools& pools, TimePoint now) {
        const auto all = pools.list();
        return pool_index < all.size() ? all[pool_index].pool->sessions(limit, after, now)
                                       : core::SessionPage{};
      });
  Json list = Json::array();
  for (const core::SessionView& view : page.sessions)
    list.push_back(to_json(view, *gateway_.board().current()));
  co_await respond(
      exchange, 200,
      {{"sessions", std::move(list)}, {"next", page.next == 0 ? Json() : Json(page.next)}});
}

net::Task<void> AdminApi::session(net::Exchange& exchange, std::string_view key) {
  const auto parsed = parse_unsigned<std::uint64_t>(key, 16);
  std::optional<core::SessionView> view;
  if (parsed) {
    view = co_await gateway::ask(
        gateway_.owner(), gateway_.control(),
        [session = SessionKey(*parsed)](gateway::Pools& pools, TimePoint now) {
          std::optional<core::SessionView> found;
          for (const auto& listed : pools.list()) {
            if (!found) found = listed.pool->session(session, now);
          }
          return found;
        });
  }
  if (view) {
    co_await respond(exchange, 200, to_json(*view, *gateway_.board().current()));
  } else {
    co_await not_found(exchange,
                       "no such session; /api/sessions lists them by the hash of their id");
  }
}

net::Task<void> AdminApi::end_session(net::Exchange& exchange, std::string_view key) {
  const auto parsed = parse_unsigned<std::uint64_t>(key, 16);
  bool found = false;
  if (parsed) {
    found = co_await gateway::ask(
        gateway_.owner(), gateway_.control(),
        [session = SessionKey(*parsed)](gateway::Pools& pools, TimePoint now) {
          bool any = false;
          for (const auto& listed : pools.list()) {
            if (!listed.pool->session(session, now)) continue;
            listed.pool->end_session(session, now);
            any = true;
          }
          return any;
        });
  }
  if (found) {
    co_await respond(exchange, 200, {{"ended", true}});
  } else {
    co_await not_found(exchange,
                       "no such session; /api/sessions lists them by the hash of their id");
  }
}

}  // namespace turnpike::admin
