#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "base/random.h"
#include "base/units.h"
#include "core/pool/pool.h"
#include "core/preset/preset.h"
#include "engine/engine.h"
#include "sim/client_rules.h"
#include "sim/event_queue.h"
#include "sim/result.h"
#include "sim/timeline.h"
#include "sim/workload.h"

namespace turnpike::sim {

struct SimulationParams {
  Workload workload;  // and the fleet it names
  core::PoolParams policy;
  std::uint64_t seed = 1;
  Duration network_delay = std::chrono::microseconds(500);  // between gateway and engine, each way
  Duration scrape_interval = std::chrono::seconds(1);
  Duration lag = std::chrono::milliseconds(100);  // how old gauges are when they are scraped
  // How many requests the gateway is told that a replica runs at once; 0: not told.
  int told_slots = 0;
  // A gateway guesses the length of a prompt from its bytes: the guess for a session's own text is off by a factor between
  // 1 - this and 1 + this, one for each session.
  double estimate_error = 0.15;
};

// A workload in front of a pool (or several) in front of engines, in discrete time. The pool is the gateway's own core and the engines are
// the stand-in server's: nothing of either is written a second time here.
//
// The gateway's side sees what a gateway sees: the size of a prompt and the fingerprint of its blocks, first tokens, the usage
// of complete answers, gauges that lag behind. Nobody tells it how long an answer will be or that a session has ended. Clients
// stand beside the gateway; engines are `network_delay` away.
//
// Deterministic: the same parameters give the same result, on every machine. One thread.
class Simulation {
 public:
  explicit Simulation(SimulationParams params);

  // Handles at most `events` of what is to come. False: the run is over.
  bool advance(std::uint64_t events);
  // To the end, then calls off whatever still runs, which counts as unfinished. Once.
  RunResult run();

  [[nodiscard]] Duration now() const { return now_.time_since_epoch(); }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] const core::Pool& pool(std::size_t gateway = 0) const {
    return gateways_[gateway].pool;
  }
  [[nodiscard]] std::size_t gateways() const { return gateways_.size(); }
  [[nodiscard]] const Timeline& timeline() const { return timeline_; }
  [[nodiscard]] std::size_t replicas() const { return replicas_.size(); }
  [[nodiscard]] const engine::Engine& replica(std::size_t index) const {
    return replicas_[index].engine;
  }

 private:
  // A gateway with a pool of its own.
  struct Gateway {
    core::Pool pool;
    TimePoint alarm_at = TimePoint::max();
  };

  // A session under way, from its own side.
  struct Client {
    Session session;
    std::uint64_t key = 0;      // names it in clients_
    std::uint64_t root = 0;     // key of the session that started it; its own, if none did
    std::uint32_t gateway = 0;  // or, if no gateway sees it, the replica it goes to
    bool foreign = false;       // no gateway sees it, and no result counts it
    double guess_factor = 1;    // by which the length of its own text is mistaken
    SessionRecord record;
    Cacheable cacheable;
    std::vector<engine::BlockHash> chain;  // of the conversation up to the answer under way
    std::size_t turn = 0;
    TokenCount prompt;  // of the turn under way
    int tries = 0;
    RequestRecord request;
    RequestId attempt;                       // in the gateway's hands; none: pausing
    std::optional<std::uint32_t> replica{};  // the attempt was sent there
    bool asking = false;                     // a turn has begun, pauses before a new try included
  };

  struct Replica {
    engine::Engine engine;
    bool stepping = false;
    std::deque<core::Gauges> samples{};  // written down and not yet scraped, by whichever gateway
    std::int64_t seen_tokens = 0;        // generated, when the timeline looked last
  };

  // Clients: simulation_clients.cc.
  void begin_session();
  void begin_foreign_session();
  void begin_child(const Client& parent, std::size_t which);
  Client& begin(std::unique_ptr<Client> client);
  void ask(Client& client);
  void refused(Client& client, const core::Rejection& rejection);
  void end_turn(Client& client, Outcome outcome);
  void end_session(Client& client, SessionEnd end);
  void lose_patience(Client& client);
  [[nodiscard]] bool has_next_session() const;
  [[nodiscard]] bool over() const;
  void call_off_the_rest();

  // The gateways around their pools: simulation_gateways.cc.
  void submit(Client& client);
  void send_directly(Client& client);
  [[nodiscard]] core::Submission submission_of(const Client& client) const;
  void first_token(RequestId id);
  void answered(RequestId id);
  void turned_down(RequestId id);
  void sample(std::uint32_t replica, std::uint32_t gateway);
  void scraped(std::uint32_t replica, std::uint32_t gateway);
  void alarm(Gateway& gateway);
  void take_decisions();
  void take_decisions(std::uint32_t index);
  void abandon(Client& client);
  Client* client_of(RequestId id);
  Duration retry_after(Duration predicted);
  [[nodiscard]] core::Gauges gauges_of(const engine::Engine& engine) const;

  // Engines.
  void add_to_engine(std::uint32_t replica, RequestId id);
  void end_step(std::uint32_t replica);
  void begin_step(std::uint32_t replica);

  void handle(const Event& event);
  void look();

  SimulationParams params_;
  engine::Profile profile_;
  std::vector<Gateway> gateways_;
  std::vector<Replica> replicas_;
  EventQueue queue_;
  Random random_;
  std::optional<Arrivals> arrivals_;
  RunLog log_;
  Timeline timeline_;
  Duration looked_{};
  SharedTexts shared_seen_;
  absl::flat_hash_map<std::uint64_t, std::unique_ptr<Client>> clients_;  // by key
  absl::flat_hash_map<RequestId, Client*> attempts_;
  std::uint64_t counted_clients_ = 0;  // those that are not foreign
  TimePoint now_{};
  std::uint64_t events_ = 0;
  std::uint64_t next_session_ = 0;
  std::uint64_t next_child_ = 0;
  std::uint64_t next_foreign_ = 0;
  std::uint64_t next_request_ = 1;
};

}  // namespace turnpike::sim
