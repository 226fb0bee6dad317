#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "app/engine/faults.h"
#include "app/engine/prompt.h"
#include "app/engine/replica.h"
#include "app/engine/vllm_metrics.h"
#include "app/engine/wire.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "net/fd.h"
#include "net/http_server.h"
#include "net/reactor.h"

namespace turnpike::app {

struct ReplicaServerParams {
  engine::EngineParams engine;
  std::string model = "tiny";
  TokenCount max_model_len{};    // prompt and answer together; 0: what the KV cache holds
  std::uint32_t max_queued = 0;  // more waiting ones are answered 503; 0: no bound
};

// One replica of a simulated model server: vLLM's HTTP face before the engine model, in the time of `clock`.
//
//   POST /v1/chat/completions, /v1/completions, /tokenize     GET /v1/models, /health, /metrics, /version
//   GET, POST, DELETE /admin/faults                           (app/engine/faults.h)
//
// A client that leaves, whatever its request is waiting for, takes it out of the engine as soon as the close is seen. The
// reactor's thread only.
class ReplicaServer final : public net::EventSource, public Replica::Observer {
 public:
  ReplicaServer(net::Reactor& reactor, const Clock& clock, const ReplicaServerParams& params);
  ReplicaServer(const ReplicaServer&) = delete;
  ReplicaServer& operator=(const ReplicaServer&) = delete;
  ~ReplicaServer();

  Expected<net::Address> listen(const net::Address& address) { return server_.listen(address); }
  // Takes no more connections and ends when the running requests have ended.
  net::Task<void> drain() { return server_.drain(); }
  void abort_all() { server_.abort_all(); }

  [[nodiscard]] const engine::Engine& engine() const { return replica_.engine(); }

  void on_ready(std::uint32_t events) override;
  void on_first_token(Duration since_arrival) override { metrics_.first_token(since_arrival); }
  void on_finished(Duration since_arrival) override { metrics_.request_time(since_arrival); }

 private:
  net::Task<void> handle(net::Exchange& exchange);
  net::Task<void> inform(net::Exchange& exchange);
  net::Task<void> administer(net::Exchange& exchange);
  net::Task<void> tokenize(net::Exchange& exchange);
  net::Task<void> generate(net::Exchange& exchange, Api api, const Fault* fault);
  net::Task<void> stream(net::Exchange& exchange, const GenerationRequest& request,
                         const Generation& generation, const std::string& answer,
                         const Fault* fault);
  net::Task<void> answer_whole(net::Exchange& exchange, const GenerationRequest& request,
                               const Generation& generation, const std::string& answer,
                               const Fault* fault);
  net::Task<void> refuse(net::Exchange& exchange, const ApiError& error);

  std::expected<engine::SequenceSpec, ApiError> admit(const GenerationRequest& request,
                                                      std::string& answer) const;
  [[nodiscard]] AnswerWriter make_writer(const net::Exchange& exchange, Api api);
  [[nodiscard]] TokenCount longest() const;
  void arm();

  net::Reactor& reactor_;
  const Clock& clock_;
  ReplicaServerParams params_;
  VllmMetrics metrics_;
  FaultPlan faults_;
  Replica replica_;
  net::Fd timer_;
  std::int64_t created_;  // of the model, seconds since 1970
  std::uint64_t answers_ = 0;
  net::HttpServer server_;  // last: its tasks use all of the above
};

}  // namespace turnpike::app
