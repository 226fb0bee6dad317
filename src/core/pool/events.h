#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/units.h"

// What goes into a pool and what comes out: plain data, so that every event can be written down and
// played again.
namespace turnpike::core {

// A request that wants an endpoint.
struct Submission {
  RequestId id;
  ModelId model;       // an endpoint can take it only if it serves this model
  SessionKey session;  // none: a one-shot request
  // The id may name a request or an application instead of a conversation: until a second request bears it, the session gets no
  // boost, no place in a cache and no slot.
  bool doubtful_session = false;
  TenantKey tenant;
  bool tenant_is_anonymous = true;
  TokenCount prompt_tokens;  // estimate
  ByteCount body_bytes;      // held by the driver while the request waits
  std::uint64_t prompt_hash =
      0;  // with the session: recognises a retry of the same request; 0: none
  bool streaming = false;
  bool adapter = false;        // the model is an adapter, which an endpoint loads beside others
  double tenant_weight = 1.0;  // his share, where tenants share fairly
  int priority = 0;            // class; higher goes first, where the order has classes
  std::optional<TimePoint> deadline;  // by when the first token is wanted
  SessionKey parent;                  // root session of a sub-agent
  // The prompt as chained hashes of its blocks, from the beginning; empty: unknown. Equal hashes mean equal prefixes.
  std::vector<std::uint64_t> blocks;
};

// What an answer said about itself; a field is absent where the engine did not say.
struct Usage {
  std::optional<TokenCount> prompt_tokens;
  std::optional<TokenCount> cached_tokens;
  std::optional<TokenCount> output_tokens;

  friend bool operator==(const Usage&, const Usage&) = default;
};

// How a dispatched request ended. `failed`: the answer broke off or was an error of the endpoint's
// making and nothing more will be tried. A 4xx passed on is `finished`: the endpoint did its work.
enum class Ending : std::uint8_t { finished, failed, cancelled };

struct Settlement {
  Ending ending = Ending::finished;
  Usage usage;
  bool ended_in_tool_call = false;
};

// Why an attempt brought no answer and another endpoint may be tried.
enum class FailureKind : std::uint8_t {
  refused,      // no connection: the endpoint has not seen the request
  died,         // the connection broke after the request was written, before the head
  bad_gateway,  // 502 or 504
  saturated,    // 429 or 503: the endpoint is full, not ill
};

// Which endpoint of a pair failed: the one that answers, or the one that computes the prompt.
enum class FailedPart : std::uint8_t { answer, prompt };

// What the endpoint says of itself. Absent where its dialect has no such gauge.
struct Gauges {
  std::optional<int> running;
  std::optional<int> waiting;
  std::optional<double> kv_usage;  // 0..1
  std::optional<TokenCount> kv_capacity;
  std::optional<double> cached_tokens;  // of prompts, found in the cache since the engine began
  std::vector<ModelId> adapters;        // those in use
  int adapter_places = 0;               // adapters it holds at once; 0: it does not say
};

// What an endpoint computes: whole requests, or only the prompts or only the answers of them.
enum class Role : std::uint8_t { both, prefill, decode };

// How a prompt computed by one endpoint gets to the one that answers; the driver carries it out.
enum class HandOver : std::uint8_t {
  none,
  vllm_nixl,    // the prefill answer names the transfer, which goes into the decode request
  vllm_simple,  // a prefill of one token; the cache moves out of band
  sglang,       // both at once, with a shared bootstrap room
};

struct EndpointSpec {
  EndpointId id;
  std::string name;  // unique in the pool; shown to users, and hashed by rendezvous placement
  std::vector<ModelId> models;  // sorted
  int slots = 0;                // configured number of requests it runs at once; 0: unknown
  TokenCount capacity{0};       // configured KV capacity; 0: unknown
  Role role = Role::both;       // requests are never placed on a prefill endpoint
  std::uint32_t group = 0;      // prefill endpoints work for the decode endpoints of their group
};

// Why a request went where it went.
enum class Why : std::uint8_t { resident, boosted, cold, bypass, seat, deadline };
inline constexpr std::size_t kWhyCount = 6;

// How the endpoint was chosen among those that had room. The score is the weighted mean of the placement's scorers, the highest
// wins; under `resident-set` it is the cost of placing the request there, the least wins.
struct Weighing {
  std::uint32_t candidates =
      0;  // endpoints that could take it; 0: it had its place (its session's slot, cache or seat)
  double score = 0;
  EndpointId runner_up;  // the second best; none: there was no choice
  double runner_up_score = 0;

  friend bool operator==(const Weighing&, const Weighing&) = default;
};

// Why a request went when and where it went, in numbers. Requests are counted among those that wait for its model, in the order
// in which they began to wait (O(log n)); a retry that goes on without waiting has no place among them, and zeros.
struct Explanation {
  std::uint32_t ahead = 0;     // waited already when it began to
  std::uint32_t overtook = 0;  // of those, still wait: it went before them
  // Began to wait later and went first. Exact unless others gave up or were refused meanwhile; then it may count those.
  std::uint32_t overtaken = 0;
  Weighing weighing;
  TokenCount uncached;  // of its prompt, expected to be computed there
  // Under `resident-set`: what it takes of the endpoint's account with the reserve for its answer, and what was free before that.
  std::optional<TokenCount> need;
  std::optional<TokenCount> room;

  friend bool operator==(const Explanation&, const Explanation&) = default;
};

struct Dispatch {
  RequestId request;
  EndpointId endpoint;
  Why why = Why::cold;
  int attempt = 1;       // 1 for the first endpoint
  Duration waited{0};    // since its (first) arrival
  bool rebound = false;  // the session moved away from the endpoint that held it
  Explanation explanation;
  // Who computes the prompt, if that is somebody else, and how it is handed over then.
  EndpointId prefill;
  HandOver hand_over = HandOver::none;
};

enum class RejectReason : std::uint8_t {
  queue_full,  // a bound of the queue, in requests or bytes
  tenant_queue_full,
  displaced,           // the youngest newcomer made room for a turn of a running session
  queue_timeout,       // waited longer than the policy's limit
  no_endpoint,         // none dispatchable for longer than no_endpoint_wait
  unknown_model,       // the last endpoint that served it left
  attempts_exhausted,  // it failed everywhere it may be tried: pass on what the last endpoint said,
                       // or 502
  saturated,           // the endpoint was full and no other has room now: pass its answer on
  shutting_down,
  predicted_wait,  // a newcomer that would wait longer than max_wait: refused early instead
};
inline constexpr std::size_t kRejectReasonCount = 10;

struct Rejection {
  RequestId request;
  RejectReason reason = RejectReason::queue_full;
  Duration retry_after{
      0};  // predicted time until it could be served; the driver rounds and jitters it
  std::uint32_t ahead = 0;  // as in Explanation
  std::uint32_t overtaken = 0;
};

using Decision = std::variant<Dispatch, Rejection>;

std::string_view to_string(Why why);              // as in the header x-turnpike-decision
std::string_view to_string(RejectReason reason);  // with dashes, as in x-turnpike-reason
std::string_view to_string(FailureKind kind);
std::string_view to_string(Role role);
std::string_view to_string(HandOver mode);  // with dashes, as in the configuration

}  // namespace turnpike::core
