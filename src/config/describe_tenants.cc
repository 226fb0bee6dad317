#include <string>
#include <utility>
#include <vector>

#include "config/check.h"
#include "config/describe_parts.h"

namespace turnpike::config {

namespace {

void describe_terms(TermsConfig& t, const std::string& prefix, std::vector<Key>& keys) {
  constexpr Bounds kPerMinute{0, 1e12};
  std::vector<Key> terms = {
      {"weight", &t.weight, "Share of the capacity, where tenants share fairly.", {1e-3, 1e6}},
      {"max_class", choice(t.max_class, {"batch", "default", "interactive"}),
       "Highest class that `x-turnpike-priority` may ask for."},
      {"max_in_flight",
       &t.max_in_flight,
       "Most requests on their way at once, waiting or running; above it 429; 0: any number.",
       {0, 1e6}},
      {"requests_per_minute", &t.requests_per_minute,
       "Most requests a minute for each model; above it 429; 0: any number.", kPerMinute},
      {"input_tokens_per_minute", &t.input_tokens_per_minute,
       "Most prompt tokens a minute for each model: estimated at first, corrected by what the "
       "engine says; 0: any number.",
       kPerMinute},
      {"output_tokens_per_minute", &t.output_tokens_per_minute,
       "Most output tokens a minute for each model; what an answer took too much delays the next; "
       "0: any number.",
       kPerMinute},
  };
  for (Key& key : terms) {
    key.path = prefix + key.path;
    keys.push_back(std::move(key));
  }
}

}  // namespace

std::vector<Key> describe(TenantConfig& t) {
  std::vector<Key> keys = {
      {.path = "name",
       .target = &t.name,
       .doc = "What keys, tokens or the header call this tenant.",
       .check = check_visible},
      {.path = "keys",
       .target = &t.keys,
       .doc = "API keys, or `sha256:` and the hash of one in hexadecimal digits.",
       .check = check_visible,
       .secret = true},
  };
  describe_terms(t.terms, "", keys);
  return keys;
}

void describe_tenants(TenantsConfig& t, std::vector<Key>& keys) {
  std::vector<Key> own = {
      {"tenants.required", &t.required,
       "Refuse whoever brings no valid API key or token (401); else strangers are served on the "
       "terms of `tenants.other`."},
      {"tenants.trust_unverified", &t.trust_unverified,
       "Let strangers, too, set `x-turnpike-priority`, `x-turnpike-deadline-ms` and "
       "`x-slo-ttft-ms`."},
      {.path = "tenants.header",
       .target = &t.header,
       .doc = "A header that names the tenant of whoever brings no key. Only behind a proxy that "
              "authenticates and sets it; empty: none.",
       .check = check_header_name_or_none},
      {"tenants.keys_file", &t.keys_file,
       "A file of API keys: lines of a tenant's name and his key, or `sha256:` and its hash."},
      {"tenants.jwt.keys_file", &t.jwt.keys_file,
       "A JSON Web Key Set whose keys sign tokens (HS256, RS256, ES256); empty: no tokens."},
      {"tenants.jwt.issuer", &t.jwt.issuer, "What a token's `iss` must be; empty: anything."},
      {"tenants.jwt.audience", &t.jwt.audience,
       "What must be among a token's `aud`; empty: anything."},
      {.path = "tenants.jwt.subject",
       .target = &t.jwt.subject,
       .doc = "The claim that names the tenant.",
       .check = check_not_empty},
      {"tenants.jwt.leeway", &t.jwt.leeway, "How far the clock of whoever made a token may be off.",
       kAnyDuration},
      {"tenants.list", mappings(t.list), "The tenants with terms or keys of their own."},
      {"tenants.rate_entries",
       &t.rate_entries,
       "Tenants times models whose use of a minute is remembered; beyond, the one used longest "
       "ago starts afresh.",
       {1, 1e8}},
  };
  for (Key& key : own) keys.push_back(std::move(key));
  describe_terms(t.other, "tenants.other.", keys);
}

}  // namespace turnpike::config
