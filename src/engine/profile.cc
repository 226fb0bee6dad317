#include "engine/profile.h"

#include <algorithm>
#include <array>

namespace turnpike::engine {
namespace {

constexpr std::array kProfiles{
    Profile{"llama-8b-a100", 2.0, 9.8, 0.067, 8.7e-5, 3.3e-6, TokenCount(450'000)},
    Profile{"llama-8b-h100", 1.5, 6.1, 0.0217, 5.0e-5, 1.3e-6, TokenCount(450'000)},
    Profile{"qwen-7b-h100", 1.5, 5.6, 0.0203, 2.2e-5, 1.0e-6, TokenCount(1'040'000)},
    Profile{"qwen-32b-h100-tp2", 2.0, 12.0, 0.048, 5.0e-5, 1.6e-6, TokenCount(320'000)},
    Profile{"llama-70b-h100-tp4", 3.0, 14.5, 0.056, 3.2e-5, 1.6e-6, TokenCount(480'000)},
    Profile{"kthena-table", 1.5, 5.3, 0.055, 1.4e-4, 1.5e-6, TokenCount(150'000)},
};

// What a token from host memory costs, of what computing it would.
constexpr double kReloadShare = 0.05;

}  // namespace

Duration step_time(const Profile& profile, const StepLoad& load) {
  const double compute =
      std::max(profile.weights_ms, profile.per_token_ms * static_cast<double>(load.tokens));
  const double attention = profile.decode_attention_ms * static_cast<double>(load.decode_context) +
                           profile.prefill_attention_ms * load.prefill_pairs;
  const double reload = profile.per_token_ms * kReloadShare * static_cast<double>(load.reloaded);
  return from_seconds((profile.step_overhead_ms + compute + attention + reload) * 1e-3);
}

Profile slowed(Profile profile, double factor) {
  profile.step_overhead_ms *= factor;
  profile.weights_ms *= factor;
  profile.per_token_ms *= factor;
  profile.decode_attention_ms *= factor;
  profile.prefill_attention_ms *= factor;
  return profile;
}

std::span<const Profile> profiles() {
  return kProfiles;
}

const Profile* find_profile(std::string_view name) {
  const auto* const found = std::ranges::find(kProfiles, name, &Profile::name);
  return found == kProfiles.end() ? nullptr : found;
}

}  // namespace turnpike::engine
