#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/units.h"

namespace turnpike::engine {

// What a model on a kind of machine costs per step. Milliseconds:
//   c0 + max(W, k x tokens) + a_d x (sum of decoding contexts) + a_p x sum(chunk x (start + chunk /
//   2)) + k / 20 x tokens loaded from host memory
// Reading the weights (W) and computing on them (k a token) overlap, hence the maximum; attention
// comes on top, linear in the context for a decoding sequence and quadratic for a prompt chunk. W
// and k come from published per-layer measurements, the attention terms are estimates.
struct Profile {
  std::string_view name;
  double step_overhead_ms = 0;      // c0
  double weights_ms = 0;            // W
  double per_token_ms = 0;          // k
  double decode_attention_ms = 0;   // a_d, per token of context
  double prefill_attention_ms = 0;  // a_p, per pair of tokens
  TokenCount kv_tokens{};           // what one replica's KV cache holds
};

// What one step computes; the sums of the formula above.
struct StepLoad {
  std::int64_t tokens = 0;
  std::int64_t decode_context = 0;
  double prefill_pairs = 0;
  std::int64_t reloaded = 0;  // tokens whose KV comes from the second tier

  constexpr void add_decode(std::int64_t context) {
    ++tokens;
    decode_context += context;
  }
  constexpr void add_prefill(std::int64_t start, std::int64_t chunk) {
    tokens += chunk;
    prefill_pairs +=
        static_cast<double>(chunk) * (static_cast<double>(start) + static_cast<double>(chunk) / 2);
  }
};

Duration step_time(const Profile& profile, const StepLoad& load);

// The same machine, taking `factor` times as long for everything.
Profile slowed(Profile profile, double factor);

// The built-in profiles, in the order in which documentation lists them.
std::span<const Profile> profiles();
// Null for an unknown name.
const Profile* find_profile(std::string_view name);

}  // namespace turnpike::engine
