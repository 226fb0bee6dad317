#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "gateway/certificates.h"
#include "gateway/conversations.h"
#include "gateway/directory.h"
#include "gateway/fleet.h"
#include "gateway/metrics.h"
#include "gateway/owner.h"
#include "gateway/settings.h"
#include "gateway/stored_answers.h"
#include "gateway/worker.h"
#include "telemetry/access_log.h"
#include "telemetry/flight_recorder.h"
#include "telemetry/recent_requests.h"
#include "tenant/in_flight.h"
#include "tenant/rate_limits.h"
#include "tenant/tenants.h"

namespace turnpike::gateway {

// The whole proxy: workers, the owner of the policy, and the watch over the endpoints. Made, started and ended by the control
// thread, whose reactor is passed in.
class Gateway {
 public:
  Gateway(net::Reactor& control, const Clock& clock, Settings settings,
          telemetry::AccessLog* access_log, telemetry::FlightRecorder* recorder, Log log);
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  ~Gateway();

  // Reads the certificates, binds the listening sockets and starts all threads and tasks.
  Expected<void> start();
  // Where clients connect to.
  [[nodiscard]] const net::Address& address() const { return address_; }

  // Who may do what, for the requests that come from now on. Control thread.
  void set_tenants(std::shared_ptr<const tenant::Tenants> tenants) {
    tenants_.publish(std::move(tenants));
  }

  // The same for the names of models.
  void set_routes(std::shared_ptr<const openai::ModelRoutes> routes) {
    routes_.publish(std::move(routes));
  }
  // Changes while it runs; what runs is not touched. Control thread.
  Expected<void> change_backends(const std::vector<BackendSettings>& backends) {
    return fleet_->change(backends);
  }
  bool drain_backend(std::string_view url) { return fleet_->drain(url); }
  void set_policy(const core::PoolParams& params) {
    owner_.run([params](Pools& pools, TimePoint now) { pools.set_policy(params, now); });
  }

  // Turns unready, waits the settle time, stops listening, lets requests finish (queued ones too) for as long as drain_timeout,
  // then breaks what is left. Ends when every thread has.
  net::Task<void> drain();
  // What new clients are shown from now on. Error, and nothing is changed: it cannot be used.
  Expected<void> change_certificates(const net::TlsServerSettings& settings) {
    return certificates_.change(settings);
  }
  // Ends a drain at once.
  void abort();
  [[nodiscard]] bool draining() const { return draining_; }

  [[nodiscard]] net::Reactor& control() { return control_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Owner& owner() { return owner_; }
  [[nodiscard]] const DirectoryBoard& board() const { return board_; }
  [[nodiscard]] const tenant::RateLimits& rate_limits() const { return rate_limits_; }
  [[nodiscard]] const Fleet& fleet() const { return *fleet_; }
  [[nodiscard]] const Metrics& metrics() const { return metrics_; }
  [[nodiscard]] const Conversations& conversations() const { return conversations_; }
  [[nodiscard]] const StoredAnswers& stored() const { return stored_; }
  [[nodiscard]] const telemetry::RecentRequests& recent() const { return recent_; }
  [[nodiscard]] const Certificates& certificates() const { return certificates_; }
  // Null: nothing is recorded.
  [[nodiscard]] telemetry::FlightRecorder* recorder() const { return recorder_; }
  [[nodiscard]] std::uint64_t access_log_dropped() const {
    return access_log_ == nullptr ? 0 : access_log_->dropped();
  }

 private:
  void worker_drained();
  net::Task<void> watch_certificates();

  net::Reactor& control_;
  const Clock& clock_;
  const Settings settings_;
  Log log_;
  telemetry::AccessLog* const access_log_;     // null: off
  telemetry::FlightRecorder* const recorder_;  // null: off
  telemetry::RecentRequests recent_;
  Conversations conversations_;
  StoredAnswers stored_;
  DirectoryBoard board_;
  Board<tenant::Tenants> tenants_;
  Board<openai::ModelRoutes> routes_;
  tenant::RateLimits rate_limits_;
  tenant::InFlight in_flight_;
  Owner owner_;
  Metrics metrics_;
  Certificates certificates_;
  std::unique_ptr<Fleet> fleet_;
  std::vector<std::unique_ptr<Worker>> workers_;
  net::Address address_;
  net::Signal changed_;
  net::Gate watching_;
  net::Signal certificates_changed_;  // or there is no need to watch them any more
  int drained_ = 0;
  bool draining_ = false;
  bool aborting_ = false;
};

}  // namespace turnpike::gateway
