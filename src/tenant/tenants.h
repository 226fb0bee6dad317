#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/error.h"
#include "http/head.h"
#include "tenant/jwt.h"
#include "tenant/rate_limits.h"

namespace turnpike::tenant {

// Classes a client may ask for by `x-turnpike-priority`; the order's priority is their number.
enum class PriorityClass : std::int8_t { batch = -1, standard = 0, interactive = 1 };
std::optional<PriorityClass> priority_class(std::string_view name);

// What a tenant may.
struct Terms {
  double weight = 1.0;
  PriorityClass max_class = PriorityClass::standard;
  std::size_t max_in_flight = 0;  // requests of his, waiting and running; 0: as many as he likes
  MinuteLimits minute;

  friend bool operator==(const Terms&, const Terms&) = default;
};

struct NamedTerms {
  std::string name;
  Terms terms;
};

// Who may use the gateway, and how. All of it may be replaced while requests run; see Tenants.
struct TenantRules {
  bool required = false;          // without valid credentials: 401
  bool trust_unverified = false;  // who is not known may set priority and deadline, too
  std::string
      header;  // names the tenant, for a gateway behind a proxy that authenticates; empty: none
  std::vector<std::pair<std::string, std::string>> keys;  // API key, name of the tenant
  std::optional<JwtKeys> jwt;
  JwtRules jwt_rules;
  Terms other;                    // of everybody who is not named
  std::vector<NamedTerms> named;  // by the names of keys, tokens or the header

  // Whether anybody is told apart by credentials that are checked.
  [[nodiscard]] bool authenticates() const { return !keys.empty() || jwt.has_value(); }
};

// Lines of "name key", or "name sha256:HEX" where the key itself is not to lie on the disk; blank lines and those that begin with '#' are passed
// over. The error names the line.
Expected<std::vector<std::pair<std::string, std::string>>> parse_key_file(std::string_view text);

// Who sent a request, by its head alone.
struct Caller {
  std::string name;              // empty: nobody that is known by credentials
  bool verified = false;         // by a key or a token, or the trusted header
  bool by_credentials = false;   // by a key or a token
  const Terms* terms = nullptr;  // good as long as the Tenants
  std::string refused;           // why this one may not go on; empty: he may
};

// The rules, ready to be asked. Immutable; any thread.
class Tenants {
 public:
  explicit Tenants(TenantRules rules);

  // `now`: seconds since the epoch, for tokens.
  [[nodiscard]] Caller caller(const http::RequestHead& head, std::int64_t now) const;
  [[nodiscard]] const TenantRules& rules() const { return rules_; }
  [[nodiscard]] const Terms& terms_of(std::string_view name) const;

 private:
  struct KnownKey {
    std::string digest;  // SHA-256
    std::string name;
  };
  [[nodiscard]] const std::string* name_of_key(std::string_view key) const;

  TenantRules rules_;
  std::vector<KnownKey> keys_;  // sorted by digest
  absl::flat_hash_map<std::string, Terms> named_;
};

}  // namespace turnpike::tenant
