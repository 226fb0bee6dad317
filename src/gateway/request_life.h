#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include "base/byte_buffer.h"
#include "base/ids.h"
#include "base/units.h"
#include "core/pool/events.h"
#include "gateway/conversations.h"
#include "gateway/directory.h"
#include "gateway/outlet.h"
#include "gateway/ticket.h"
#include "http/head.h"
#include "net/reactor.h"
#include "net/server_connection.h"
#include "openai/body.h"
#include "openai/error_body.h"
#include "openai/identity.h"
#include "tenant/in_flight.h"
#include "tenant/tenants.h"

namespace turnpike::gateway {

class Worker;

// One request from its first byte to its last, in eight phases, told by run() in request_life.cc. It belongs to the task of
// its connection and never leaves that worker. It holds a Ticket for its place in the pool: whatever ends it, the place is
// given back once. A client that leaves is noticed in every phase, because every wait is on the connection's signal.
class RequestLife {
 public:
  RequestLife(Worker& worker, net::ServerConnection& client);
  RequestLife(const RequestLife&) = delete;
  RequestLife& operator=(const RequestLife&) = delete;
  ~RequestLife();

  // All phases. True: the connection can carry another request.
  net::Task<bool> run();

  // The owner has decided; from the worker.
  void decide(const core::Decision& decision);

 private:
  // How a phase ended.
  enum class Step : std::uint8_t {
    next,       // go on
    try_again,  // the endpoint brought no answer: wait for another decision
    finished,   // there is nothing more to do but to settle
  };

  net::Task<Step> receive();
  Step admit_caller();
  Step answer_locally();
  net::Task<Step> ask_holder();
  Step understand();
  void find_keeper();
  Step find_holder();
  void find_target();
  void find_session();
  void submit();
  net::Task<Step> wait();
  Step decided();
  Step dispatch(const core::Dispatch& dispatch);
  net::Task<Step> forward();
  net::Task<Step> relay();
  net::Task<bool> settle();
  void report();

  // Parts of forward().
  enum class Reach : std::uint8_t { connected, refused, client_left };
  net::Task<Reach> connect();
  enum class Reply : std::uint8_t { head, stale, died, invalid, timed_out, client_left };
  net::Task<Reply> exchange(bool reused);
  net::Task<Step> hold_answer(core::FailureKind kind);
  Step give_up(core::FailureKind kind);
  void build_upstream_request();

  // request_tenant.cc: who asks, and what he may
  void find_tenant();
  Step take_limits();
  void settle_limits();
  [[nodiscard]] tenant::RateHeaders rate_headers() const;
  [[nodiscard]] int priority() const;
  [[nodiscard]] std::optional<TimePoint> deadline() const;
  [[nodiscard]] std::string_view caller_header(std::string_view name) const;

  // Ends the request with an answer of our own.
  Step refuse(openai::Trouble trouble, std::string_view message = {}, std::string_view param = {},
              Duration retry_after = std::chrono::seconds(1));
  Step refuse(const core::Rejection& rejection);
  Step holder_is_unknown(std::string_view id, std::string_view param = {});
  Step holder_is_gone();
  void remember(const std::string& id);
  Step client_left();
  std::string unknown_model(std::string_view name);
  [[nodiscard]] bool left() const;
  void write_response_head(http::Framing framing);
  [[nodiscard]] Duration real(Duration policy_time) const;
  [[nodiscard]] TimePoint now() const;

  Worker& worker_;
  net::ServerConnection& client_;
  net::Signal& signal_;
  net::Deadline deadline_;

  // receive
  http::RequestHead head_;
  ByteBuffer body_;
  std::string request_id_;
  TimePoint received_{};
  std::string method_;  // for the access log, which outlives the head
  std::string path_;

  // understand
  openai::Route route_ = openai::Route::unknown;
  openai::BodyFacts facts_;
  bool is_form_ = false;
  std::string target_;  // the model as the endpoints call it; facts_.model is what the client does
  bool hide_usage_ = false;
  ModelId model_;
  bool is_adapter_ = false;
  SessionKey session_;
  SessionKey parent_;
  std::string session_from_;  // the source of its id
  bool session_is_doubtful_ = false;
  bool session_is_final_ = false;
  ConversationTurn conversation_;
  std::shared_ptr<const tenant::Tenants> tenants_;  // whose terms the caller has
  tenant::Caller caller_;
  TenantKey keeper_;         // whose stored answers it may refer to: as the head tells
  EndpointId holder_;        // alone holds what the request goes on from; none: any may answer
  SessionKey held_session_;  // of that
  openai::Tenant tenant_;
  tenant::InFlight::Permit in_flight_;
  bool charged_ = false;  // to his limits of a minute
  TokenCount prompt_estimate_;

  // submit, wait, dispatch
  RequestId id_;
  Ticket ticket_;
  std::optional<core::Decision> decision_;
  std::shared_ptr<const EndpointEntry> endpoint_;
  core::Dispatch dispatch_;
  core::FailureKind last_failure_ = core::FailureKind::died;

  // forward
  std::string upstream_head_;
  std::optional<openai::SplicedBody> upstream_body_;
  std::unique_ptr<net::Stream> upstream_;
  ByteBuffer head_bytes_;        // of the answer, when it did not come in one read
  http::ResponseHead answer_;    // views into head_bytes_ or the scratch
  std::string_view early_body_;  // what came with the head; in the same place
  int held_status_ = 0;
  std::string
      held_answer_;  // a whole answer of an endpoint, kept in case nobody else has a better one
  bool request_sent_ = false;

  // relay
  std::string response_head_;
  std::optional<Outlet> outlet_;

  // settle
  core::Settlement settlement_{.ending = core::Ending::cancelled};
  std::string own_answer_;  // to be written at the end, where nothing has been
  bool keep_client_ = false;
  struct Record {
    int status = 0;
    std::string_view reason;
    TimePoint dispatched{};
    TimePoint first_token{};
    bool answered = false;  // some byte has gone to the client
  } record_;
};

}  // namespace turnpike::gateway
