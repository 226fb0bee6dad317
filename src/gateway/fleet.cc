#include "gateway/fleet.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "backend/models.h"
#include "gateway/labels.h"

namespace turnpike::gateway {

namespace {

// Between two tries while nothing is known of an endpoint's models.
constexpr Duration kFirstModels = std::chrono::milliseconds(250);
// Between two questions for the address of a name that had none, and between two looks whether the answer has come.
constexpr Duration kResolveAgain = std::chrono::seconds(5);
constexpr Duration kLookForAnswer = std::chrono::milliseconds(100);

// What a thread finds that may be stuck in the resolver for longer than anybody wants to wait for it: it and who asked share this.
struct Answer {
  std::mutex mutex;
  std::optional<Expected<std::vector<net::Address>>> addresses;
};

}  // namespace

struct Fleet::Endpoint {
  Endpoint(net::Reactor& reactor, std::shared_ptr<const EndpointEntry> e, const BackendSettings& b)
      : entry(std::move(e)),
        backend(b),
        health(reactor, entry->address, entry->authority),
        models_client(reactor, entry->address, entry->authority),
        gauges_client(reactor, entry->address, entry->authority),
        find_pause(reactor),
        health_pause(reactor),
        models_pause(reactor),
        gauges_pause(reactor),
        labels(split_labels(fmt::format("{}", fmt::join(b.labels, ",")))) {
    for (net::HttpClient* client : {&health, &models_client, &gauges_client})
      client->use_tls(entry->tls, entry->server_name);
  }

  std::shared_ptr<const EndpointEntry> entry;
  const BackendSettings backend;
  net::HttpClient health;
  net::HttpClient models_client;
  net::HttpClient gauges_client;
  net::Signal find_pause;
  net::Signal health_pause;
  net::Signal models_pause;
  net::Signal gauges_pause;
  backend::GaugeReader gauges;
  std::vector<std::string> models;
  std::vector<std::string> labels;  // sorted
  std::string trouble;
  std::string models_trouble;
  std::uint64_t scrapes = 0;
  std::uint64_t scrape_failures = 0;
  std::uint64_t restarts = 0;
  int failures = 0;
  int successes = 0;
  bool healthy = true;
  bool draining = false;
  bool leaving = false;  // its tasks end, and it with the last of them
  int tasks = 0;

  void wake() {
    health.abort();
    models_client.abort();
    gauges_client.abort();
    find_pause.notify();
    health_pause.notify();
    models_pause.notify();
    gauges_pause.notify();
  }
  void found(const net::Address& address) {
    auto known = std::make_shared<EndpointEntry>(*entry);
    known->address = address;
    entry = std::move(known);
    for (net::HttpClient* client : {&health, &models_client, &gauges_client})
      client->set_address(address);
  }
};

Fleet::Fleet(net::Reactor& reactor, const Settings& settings, const Clock& clock, Owner& owner,
             DirectoryBoard& board, Log log, Resolve resolve)
    : reactor_(reactor),
      settings_(settings),
      clock_(clock),
      owner_(owner),
      board_(board),
      log_(std::move(log)),
      resolve_(resolve),
      gate_(reactor) {}

Fleet::~Fleet() = default;

bool Fleet::over(const Endpoint& endpoint) const {
  return stopping_ || endpoint.leaving;
}

// Everything about it but its id and its address.
Expected<EndpointEntry> Fleet::entry_of(const BackendSettings& backend) {
  const auto url = net::HttpUrl::parse(backend.url);
  if (!url) return std::unexpected(url.error());
  EndpointEntry entry;
  entry.name = backend.name;
  entry.authority = url->authority();
  entry.path = url->path;
  entry.api_key = backend.api_key;
  if (url->tls) {
    auto context = net::TlsContext::for_client(backend.tls);
    if (!context)
      return fail(fmt::format("backend {}: tls: {}", backend.name, context.error().message));
    entry.tls = std::make_shared<const net::TlsContext>(std::move(*context));
    entry.server_name = backend.tls_server_name.empty() ? url->host : backend.tls_server_name;
  }
  return entry;
}

Fleet::Endpoint& Fleet::join(EndpointEntry entry, const BackendSettings& backend) {
  entry.id = EndpointId(static_cast<std::uint32_t>(endpoints_.size()));
  endpoints_.push_back(std::make_unique<Endpoint>(
      reactor_, std::make_shared<const EndpointEntry>(std::move(entry)), backend));
  return *endpoints_.back();
}

Expected<void> Fleet::start() {
  for (const BackendSettings& backend : settings_.backends) {
    auto entry = entry_of(backend);
    if (!entry) return std::unexpected(entry.error());
    const auto url = net::HttpUrl::parse(backend.url);
    const auto addresses = resolve_(url->host, url->port);
    if (addresses) entry->address = addresses->front();
    Endpoint& endpoint = join(*std::move(entry), backend);
    if (addresses) continue;
    endpoint.healthy = false;
    endpoint.trouble = addresses.error().message;
    log_(Severity::warning,
         fmt::format("endpoint {} is out: {}", endpoint.entry->name, endpoint.trouble));
  }
  publish();
  for (const auto& endpoint : endpoints_) {
    if (endpoint->healthy) {
      watch(*endpoint);
    } else {
      spawn(*endpoint, find(*endpoint, kResolveAgain));
    }
  }
  return {};
}

Expected<void> Fleet::change(const std::vector<BackendSettings>& wanted) {
  std::vector<EndpointEntry> entries;
  for (const BackendSettings& backend : wanted) {
    auto entry = entry_of(backend);
    if (!entry) return std::unexpected(entry.error());
    entries.push_back(*std::move(entry));
  }
  for (const auto& endpoint : endpoints_) {
    if (endpoint != nullptr && !endpoint->leaving &&
        std::ranges::find(wanted, endpoint->backend) == wanted.end())
      leave(*endpoint);
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const bool known = std::ranges::any_of(endpoints_, [&](const auto& endpoint) {
      return endpoint != nullptr && !endpoint->leaving && endpoint->backend == wanted[i];
    });
    if (known) continue;
    Endpoint& endpoint = join(std::move(entries[i]), wanted[i]);
    // Until its name has an address, which is asked for where nobody waits.
    endpoint.healthy = false;
    log_(Severity::info, fmt::format("endpoint {} is new", endpoint.entry->name));
    spawn(endpoint, find(endpoint, Duration(0)));
  }
  publish();
  return {};
}

bool Fleet::drain(std::string_view url) {
  bool any = false;
  for (const auto& endpoint : endpoints_) {
    if (endpoint == nullptr || endpoint->leaving || endpoint->backend.url != url) continue;
    any = true;
    endpoint->draining = true;
    log_(Severity::info, fmt::format("endpoint {} drains", endpoint->entry->name));
    owner_.run([id = endpoint->entry->id](Pools& pools, TimePoint now) {
      if (core::Pool* const pool = pools.of_endpoint(id)) pool->set_draining(id, true, now);
    });
  }
  return any;
}

std::vector<BackendSettings> Fleet::backends() const {
  std::vector<BackendSettings> list;
  for (const auto& endpoint : endpoints_) {
    if (endpoint != nullptr && !endpoint->leaving) list.push_back(endpoint->backend);
  }
  return list;
}

// What it runs goes on to its end: workers hold its entry, the pool its leases.
void Fleet::leave(Endpoint& endpoint) {
  endpoint.leaving = true;
  log_(Severity::info, fmt::format("endpoint {} is gone", endpoint.entry->name));
  owner_.run([id = endpoint.entry->id](Pools& pools, TimePoint now) { pools.remove(id, now); });
  endpoint.wake();
}

void Fleet::spawn(Endpoint& endpoint, net::Task<void> task) {
  ++endpoint.tasks;
  reactor_.spawn(gate_, run(endpoint, std::move(task)));
}

net::Task<void> Fleet::run(Endpoint& endpoint, net::Task<void> task) {
  co_await std::move(task);
  if (--endpoint.tasks == 0 && endpoint.leaving) endpoints_[endpoint.entry->id.value()].reset();
}

void Fleet::watch(Endpoint& endpoint) {
  if (!endpoint.backend.models.empty()) serves(endpoint, endpoint.backend.models);
  if (settings_.health_active) spawn(endpoint, watch_health(endpoint));
  spawn(endpoint, watch_models(endpoint));
  spawn(endpoint, watch_gauges(endpoint));
}

// Asks for its address until there is one. The resolver may block for long, so it is asked on a thread that nobody waits for.
net::Task<void> Fleet::find(Endpoint& endpoint, Duration first_pause) {
  const auto url = net::HttpUrl::parse(endpoint.backend.url);
  for (Duration wait = first_pause; !over(endpoint); wait = kResolveAgain) {
    co_await pause(endpoint, wait, endpoint.find_pause);
    if (over(endpoint)) break;
    const auto answer = std::make_shared<Answer>();
    std::thread([answer, resolve = resolve_, host = url->host, port = url->port] {
      auto addresses = resolve(host, port);
      const std::scoped_lock lock(answer->mutex);
      answer->addresses = std::move(addresses);
    }).detach();
    std::optional<Expected<std::vector<net::Address>>> addresses;
    while (!addresses && !over(endpoint)) {
      co_await pause(endpoint, kLookForAnswer, endpoint.find_pause);
      const std::scoped_lock lock(answer->mutex);
      addresses = std::exchange(answer->addresses, std::nullopt);
    }
    if (over(endpoint)) break;
    if (!*addresses) {
      endpoint.trouble = addresses->error().message;
      continue;
    }
    endpoint.found((*addresses)->front());
    endpoint.trouble.clear();
    set_healthy(endpoint, true);
    watch(endpoint);
    co_return;
  }
}

net::Task<void> Fleet::stop() {
  stopping_ = true;
  for (const auto& endpoint : endpoints_) {
    if (endpoint != nullptr) endpoint->wake();
  }
  co_await gate_.drained();
}

// Jittered by a tenth, so that many endpoints are not asked all at once.
net::Task<void> Fleet::pause(const Endpoint& endpoint, Duration interval, net::Signal& signal) {
  net::Deadline deadline(signal);
  deadline.arm(from_seconds(to_seconds(clock_.real(interval)) * (0.9 + 0.2 * random_.uniform())));
  while (!deadline.expired() && !over(endpoint)) co_await signal.wait();
}

net::Task<void> Fleet::watch_health(Endpoint& endpoint) {
  const net::ClientLimits limits{.connect = clock_.real(settings_.health_timeout),
                                 .silence = clock_.real(settings_.health_timeout)};
  const std::string target = endpoint.entry->path + settings_.health_path;
  while (!over(endpoint)) {
    const auto answer = co_await endpoint.health.request({.target = target}, limits);
    if (over(endpoint)) break;
    // An engine that has no such path still answers; one that is loading or ill says 5xx.
    const bool well = answer && answer->status < 500;
    if (well) {
      endpoint.failures = 0;
      endpoint.trouble.clear();
      if (++endpoint.successes >= settings_.healthy_after) set_healthy(endpoint, true);
    } else {
      endpoint.successes = 0;
      endpoint.trouble =
          answer ? fmt::format("health check answered {}", answer->status) : answer.error().message;
      if (++endpoint.failures >= settings_.unhealthy_after) set_healthy(endpoint, false);
    }
    co_await pause(endpoint, settings_.health_interval, endpoint.health_pause);
  }
}

net::Task<void> Fleet::watch_models(Endpoint& endpoint) {
  if (!endpoint.backend.models.empty()) co_return;  // the operator knows better
  const net::ClientLimits limits{.connect = clock_.real(settings_.connect),
                                 .silence = clock_.real(settings_.models_timeout),
                                 .body = settings_.scrape_bytes};
  const std::string target = endpoint.entry->path + "/v1/models";
  std::string bearer;
  std::vector<http::Field> fields;
  if (!endpoint.entry->api_key.empty()) {
    bearer = "Bearer " + endpoint.entry->api_key;
    fields.push_back({"Authorization", bearer, http::FieldKind::authorization});
  }
  while (!over(endpoint)) {
    const auto answer =
        co_await endpoint.models_client.request({.target = target, .fields = fields}, limits);
    if (over(endpoint)) break;
    std::string trouble;
    if (!answer) {
      trouble = answer.error().message;
    } else if (answer->status != 200) {
      trouble = fmt::format("/v1/models answered {}", answer->status);
    } else {
      auto models = backend::parse_models(answer->body);
      if (!models) {
        trouble = models.error().message;
      } else if (models->names.empty()) {
        trouble = "/v1/models names no model; name them in the configuration (backends[].models)";
      } else {
        serves(endpoint, std::move(models->names), models->adapters);
      }
    }
    if (!trouble.empty() && trouble != endpoint.models_trouble) {
      log_(Severity::warning, fmt::format("endpoint {}: {}", endpoint.entry->name, trouble));
    }
    endpoint.models_trouble = std::move(trouble);
    co_await pause(endpoint,
                   endpoint.models.empty() ? std::min(kFirstModels, settings_.models_interval)
                                           : settings_.models_interval,
                   endpoint.models_pause);
  }
}

net::Task<void> Fleet::watch_gauges(Endpoint& endpoint) {
  const net::ClientLimits limits{.connect = clock_.real(settings_.gauges_timeout),
                                 .silence = clock_.real(settings_.gauges_timeout),
                                 .body = settings_.scrape_bytes};
  const std::string target = endpoint.entry->path + settings_.gauges_path;
  while (!over(endpoint)) {
    if (!endpoint.models.empty()) {
      const TimePoint asked = clock_.now();
      const auto answer = co_await endpoint.gauges_client.request({.target = target}, limits);
      if (over(endpoint)) break;
      ++endpoint.scrapes;
      if (answer && answer->status == 200) {
        backend::Reading reading = endpoint.gauges.read(answer->body);
        for (const std::string& name : reading.adapters) {
          const auto known = model_ids_.find(name);
          if (known != model_ids_.end()) reading.gauges.adapters.push_back(known->second);
        }
        if (reading.restarted) ++endpoint.restarts;
        owner_.run([id = endpoint.entry->id, reading, asked](Pools& pools, TimePoint now) {
          core::Pool* const pool = pools.of_endpoint(id);
          if (pool == nullptr) return;
          if (reading.restarted) pool->forget_cache(id, now);
          pool->observe(id, reading.gauges, asked, now);
        });
      } else {
        ++endpoint.scrape_failures;
      }
    }
    co_await pause(endpoint, settings_.gauges_interval, endpoint.gauges_pause);
  }
}

ModelId Fleet::intern(const std::string& model, std::span<const std::string> labels) {
  auto& ids = labels.empty() ? model_ids_ : labelled_ids_;
  const auto [entry, added] = ids.try_emplace(labelled_name(model, labels),
                                              static_cast<std::uint32_t>(model_names_.size()));
  if (added) model_names_.push_back(model);
  return entry->second;
}

void Fleet::serves(Endpoint& endpoint, std::vector<std::string> models,
                   std::span<const std::string> adapters) {
  std::ranges::sort(models);
  const auto repeated = std::ranges::unique(models);
  models.erase(repeated.begin(), repeated.end());
  if (models == endpoint.models) return;
  log_(Severity::info,
       fmt::format("endpoint {} serves {}", endpoint.entry->name, fmt::join(models, ", ")));
  endpoint.models = std::move(models);
  models_known_ = true;

  core::EndpointSpec spec;
  spec.id = endpoint.entry->id;
  spec.name = endpoint.entry->name;
  spec.slots = endpoint.backend.slots;
  spec.capacity = endpoint.backend.capacity;
  const auto labels = combinations(endpoint.labels);
  for (const std::string& model : endpoint.models) {
    spec.models.push_back(intern(model));
    for (const auto& some : labels) spec.models.push_back(intern(model, some));
  }
  for (const std::string& adapter : adapters) adapters_.insert(intern(adapter));
  std::ranges::sort(spec.models);
  // The owner first: a name that clients can use has a pool.
  const bool healthy = endpoint.healthy;
  const bool draining = endpoint.draining;
  owner_.run([spec, healthy, draining](Pools& pools, TimePoint now) {
    pools.serve(spec, now);
    if (draining) pools.of_endpoint(spec.id)->set_draining(spec.id, true, now);
    if (!healthy) pools.of_endpoint(spec.id)->set_healthy(spec.id, false, now);
  });
  publish();
  endpoint.gauges_pause.notify();
}

void Fleet::set_healthy(Endpoint& endpoint, bool healthy) {
  if (endpoint.healthy == healthy) return;
  endpoint.healthy = healthy;
  log_(healthy ? Severity::info : Severity::warning,
       healthy ? fmt::format("endpoint {} is well again", endpoint.entry->name)
               : fmt::format("endpoint {} is out: {}", endpoint.entry->name, endpoint.trouble));
  owner_.run([id = endpoint.entry->id, healthy](Pools& pools, TimePoint now) {
    if (core::Pool* const pool = pools.of_endpoint(id)) pool->set_healthy(id, healthy, now);
  });
  publish();
  if (healthy) endpoint.models_pause.notify();
}

void Fleet::publish() {
  auto directory = std::make_shared<Directory>();
  directory->models = model_ids_;
  directory->labelled = labelled_ids_;
  directory->adapters = adapters_;
  directory->model_names = model_names_;
  directory->models_known = models_known_;
  for (const auto& endpoint : endpoints_) {
    const bool there = endpoint != nullptr && !endpoint->leaving;
    directory->endpoints.push_back(there ? endpoint->entry : nullptr);
    if (!there) continue;
    if (endpoint->healthy || !endpoint->backend.models.empty()) {
      directory->served.insert(directory->served.end(), endpoint->models.begin(),
                               endpoint->models.end());
    }
  }
  std::ranges::sort(directory->served);
  const auto repeated = std::ranges::unique(directory->served);
  directory->served.erase(repeated.begin(), repeated.end());
  board_.publish(std::move(directory));
}

std::vector<Fleet::Status> Fleet::status() const {
  std::vector<Status> list;
  for (const auto& endpoint : endpoints_) {
    if (endpoint == nullptr || endpoint->leaving) continue;
    Status status;
    status.id = endpoint->entry->id;
    status.name = endpoint->entry->name;
    status.url = endpoint->backend.url;
    status.models = endpoint->models;
    status.trouble = endpoint->trouble.empty() ? endpoint->models_trouble : endpoint->trouble;
    status.dialect = std::string(endpoint->gauges.dialect());
    status.scrapes = endpoint->scrapes;
    status.scrape_failures = endpoint->scrape_failures;
    status.restarts = endpoint->restarts;
    status.healthy = endpoint->healthy;
    list.push_back(std::move(status));
  }
  return list;
}

}  // namespace turnpike::gateway
