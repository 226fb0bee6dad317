#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/random.h"
#include "gateway/certificates.h"
#include "gateway/directory.h"
#include "gateway/owner.h"
#include "gateway/settings.h"
#include "net/connection_pool.h"
#include "net/listener.h"
#include "net/reactor.h"
#include "net/server_connection.h"
#include "openai/body.h"
#include "telemetry/access_log.h"
#include "telemetry/recent_requests.h"
#include "tenant/in_flight.h"
#include "tenant/rate_limits.h"
#include "tenant/tenants.h"

namespace turnpike::gateway {

class Conversations;
class RequestLife;
class StoredAnswers;
class WorkerMetrics;

// What all workers share and none owns.
struct Shared {
  const Clock& clock;
  const Certificates& certificates;
  Owner& owner;
  const DirectoryBoard& board;
  const Board<tenant::Tenants>& tenants;
  const Board<openai::ModelRoutes>& routes;
  tenant::RateLimits& rate_limits;
  tenant::InFlight& in_flight;
  const Settings& settings;
  telemetry::AccessLog* access_log;  // null: off
  telemetry::RecentRequests& recent;
  StoredAnswers& stored;
  Conversations* conversations;   // null: sessions are not found by their prompts
  Log log;                        // for the operator
  std::function<void()> drained;  // a worker has finished draining; any thread
};

// One thread with its own listening socket, client connections, upstream connections and timers. A connection, and with it
// every request on it, stays with the worker that accepted it. Everything but deliver(), start(), join(), post() and the drains belongs to
// that thread.
class Worker final : public DecisionSink {
 public:
  Worker(int index, const Shared& shared, WorkerMetrics& metrics);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // Before start(): whose connections to take.
  void listen(net::Fd fd);
  void start();
  // Takes no new connections and lets requests finish; then says so through Shared::drained. Any thread.
  void drain();
  // Breaks every connection, so that a drain ends at once. Any thread.
  void abort();
  // Ends the thread. Any thread; after a drain nothing is lost by it.
  void stop() { reactor_.stop(); }
  void join();
  // Calls the owner's advance() at that time (policy time). Any thread.
  void set_alarm(TimePoint at);

  void deliver(const core::Decision& decision) override;

  // --- for the requests of this worker ---
  RequestId admit(RequestLife& life);
  void dismiss(RequestId id) { lives_.erase(id); }
  [[nodiscard]] const openai::ModelRoutes& routes() { return *routes_.get(); }
  [[nodiscard]] const Directory& directory() { return *directory_.get(); }
  [[nodiscard]] const std::shared_ptr<const tenant::Tenants>& tenants() { return tenants_.get(); }
  [[nodiscard]] const Shared& shared() const { return shared_; }
  [[nodiscard]] std::size_t index() const { return static_cast<std::size_t>(index_); }
  [[nodiscard]] const Settings& settings() const { return shared_.settings; }
  [[nodiscard]] const Clock& clock() const { return shared_.clock; }
  [[nodiscard]] net::Reactor& reactor() { return reactor_; }
  [[nodiscard]] net::ConnectionPool& upstreams() { return *upstreams_; }
  [[nodiscard]] WorkerMetrics& metrics() { return metrics_; }
  [[nodiscard]] bool draining() const { return draining_; }
  [[nodiscard]] bool aborting() const { return aborting_; }
  // Room for one read, shared by all requests of this worker: its content is good until the reader waits for anything.
  [[nodiscard]] std::span<char> scratch() { return scratch_; }
  [[nodiscard]] openai::BodyScanner& scanner() { return scanner_; }
  // What Retry-After says for a predicted time: 1 to 60 seconds, spread by a fifth so that clients do not come back together.
  [[nodiscard]] int retry_after_seconds(Duration predicted);
  // A new value for x-request-id, and the id of a request that brought none.
  [[nodiscard]] std::string make_request_id();

 private:
  net::Task<void> accept_all(net::Listener& listener);
  net::Task<void> serve(net::Fd fd);
  net::Task<void> finish();
  void hand_over(const core::Decision& decision);
  void take_decisions();

  // Rings for the owner.
  struct Alarm final : net::WheelTimer {
    explicit Alarm(Owner& o) : owner(o) {}
    void on_alarm() override { owner.advance(); }
    Owner& owner;
  };

  const int index_;
  const Shared shared_;
  WorkerMetrics& metrics_;
  net::ServerLimits server_limits_;
  net::ConnectionPoolLimits pool_limits_;
  net::Reactor reactor_;
  net::Gate gate_;  // of the connections
  net::Gate background_;
  net::Gate ending_;
  Alarm alarm_;
  std::unique_ptr<net::ConnectionPool> upstreams_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::vector<net::ServerConnection*> connections_;
  absl::flat_hash_map<RequestId, RequestLife*> lives_;
  std::uint64_t next_request_ = 1;
  Random random_;
  openai::BodyScanner scanner_;
  bool draining_ = false;
  bool aborting_ = false;

  BoardReader<Directory> directory_;
  BoardReader<tenant::Tenants> tenants_;
  BoardReader<openai::ModelRoutes> routes_;

  std::mutex mailbox_mutex_;
  std::vector<core::Decision> mailbox_;  // from other threads

  std::thread thread_;
  std::array<char, std::size_t{64} * 1024> scratch_;
};

}  // namespace turnpike::gateway
