#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "backend/gauges.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "gateway/directory.h"
#include "gateway/owner.h"
#include "gateway/settings.h"
#include "net/http_client.h"
#include "net/reactor.h"

namespace turnpike::gateway {

// The endpoints as the gateway keeps watch over them: finds their addresses, asks each which models it serves, whether it is
// well, and what its gauges say, and tells the owner and the directory. Every endpoint has tasks and connections of its own, so a
// slow one delays no other. An endpoint takes part from the moment its models are known. The control thread only.
class Fleet {
 public:
  // Finds the addresses of a name; may block. Called on threads of its own after the start.
  using Resolve = Expected<std::vector<net::Address>> (*)(const std::string& host,
                                                          std::uint16_t port);
  Fleet(net::Reactor& reactor, const Settings& settings, const Clock& clock, Owner& owner,
        DirectoryBoard& board, Log log, Resolve resolve = net::Address::resolve);
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;
  ~Fleet();

  // Finds addresses (may block for the resolver's time-out) and starts to watch. An endpoint whose name has no address is out until it
  // has one; it is asked for again and again. Error: a URL is malformed, or a file of certificates cannot be used.
  Expected<void> start();
  // Ends all tasks.
  net::Task<void> stop();

  // Makes the endpoints those that are wanted, in every setting; one of which anything has changed leaves and comes anew. Who leaves gets
  // nothing more and finishes what it runs. Error, and nothing is changed: as of start().
  Expected<void> change(const std::vector<BackendSettings>& wanted);
  // It gets no new requests. False: there is none with this URL.
  bool drain(std::string_view url);
  [[nodiscard]] std::vector<BackendSettings> backends() const;

  struct Status {
    EndpointId id;
    std::string name;
    std::string url;
    std::vector<std::string> models;
    std::string trouble;  // what the last check or scrape said went wrong; empty: nothing
    std::string dialect;  // of its gauges; empty: none seen
    std::uint64_t scrapes = 0;
    std::uint64_t scrape_failures = 0;
    std::uint64_t restarts = 0;
    bool healthy = true;
  };
  [[nodiscard]] std::vector<Status> status() const;

 private:
  struct Endpoint;

  static Expected<EndpointEntry> entry_of(const BackendSettings& backend);
  Endpoint& join(EndpointEntry entry, const BackendSettings& backend);
  void leave(Endpoint& endpoint);
  // A task that ends when the endpoint leaves.
  void spawn(Endpoint& endpoint, net::Task<void> task);
  net::Task<void> run(Endpoint& endpoint, net::Task<void> task);
  [[nodiscard]] bool over(const Endpoint& endpoint) const;

  void watch(Endpoint& endpoint);
  net::Task<void> find(Endpoint& endpoint, Duration first_pause);
  net::Task<void> watch_health(Endpoint& endpoint);
  net::Task<void> watch_models(Endpoint& endpoint);
  net::Task<void> watch_gauges(Endpoint& endpoint);
  net::Task<void> pause(const Endpoint& endpoint, Duration interval, net::Signal& signal);
  void serves(Endpoint& endpoint, std::vector<std::string> models,
              std::span<const std::string> adapters = {});
  void set_healthy(Endpoint& endpoint, bool healthy);
  void publish();
  // The id of a model, or of a model with labels.
  ModelId intern(const std::string& model, std::span<const std::string> labels = {});

  net::Reactor& reactor_;
  const Settings& settings_;
  const Clock& clock_;
  Owner& owner_;
  DirectoryBoard& board_;
  Log log_;
  const Resolve resolve_;
  net::Gate gate_;
  Random random_{1};
  bool stopping_ = false;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;  // by EndpointId, never used again; null: gone
  absl::flat_hash_map<std::string, ModelId> model_ids_;
  absl::flat_hash_map<std::string, ModelId> labelled_ids_;
  absl::flat_hash_set<ModelId> adapters_;
  std::vector<std::string> model_names_;
  bool models_known_ = false;
};

}  // namespace turnpike::gateway
