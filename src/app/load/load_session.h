#pragma once

#include <optional>
#include <string>

#include "app/load/answer_stream.h"
#include "app/load/conversation.h"
#include "app/load/load_run.h"
#include "net/http_client.h"
#include "sim/client_rules.h"

namespace turnpike::app {

// One session of a LoadRun: its turns one after the other over a connection of its own. Lives as long as its task.
class LoadSession {
 public:
  LoadSession(LoadRun& run, sim::Session session);

  // Plays all turns, or as many as it gets; records each of them, then the session. It begins after `delay`.
  net::Task<void> play(Duration delay = Duration(0));
  // Ends it soon, whatever it is doing.
  void stop();

 private:
  // What one attempt at a turn came to.
  struct Attempt {
    sim::Outcome outcome = sim::Outcome::failed;
    std::string error{};
    std::optional<Duration> retry_after{};  // refused, and may be tried again
  };

  net::Task<sim::Outcome> take_turn(std::size_t turn);
  void start_children(std::size_t turn);
  net::Task<Attempt> attempt(const std::string& body, sim::RequestRecord& record);
  [[nodiscard]] Attempt judge(const Expected<net::ClientAnswer>& answer, bool patience_lost) const;
  void account(std::size_t turn, sim::RequestRecord& record);
  net::Task<void> pause(Duration simulated);
  [[nodiscard]] Duration now() const { return run_.elapsed(); }

  LoadRun& run_;
  sim::Session session_;
  Conversation conversation_;
  net::HttpClient client_;
  net::Signal pause_signal_;
  std::string id_;
  AnswerStream stream_;
  sim::Cacheable cacheable_;
};

}  // namespace turnpike::app
