#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace turnpike::tenant {

// What a token must say beside being signed.
struct JwtRules {
  std::string issuer;               // `iss`; empty: any
  std::string audience;             // among `aud`; empty: any
  std::string subject = "sub";      // the claim that names the tenant
  std::chrono::seconds leeway{60};  // of clocks, for `exp` and `nbf`
};

// The keys that sign tokens, as a JSON Web Key Set has them (RFC 7517): `oct` for HS256, `RSA` for RS256, `EC` on P-256 for ES256. The
// algorithm belongs to the key, not to the token, so a token cannot choose a weaker one. Immutable: keys are rotated by
// reading the new set. Any thread.
class JwtKeys {
 public:
  static constexpr std::size_t kMaxToken = std::size_t{16} * 1024;
  static constexpr std::size_t kMaxKeys = 256;

  // Keys of other types and of other uses than signing are left out; a set without any of the three is an error, and so is a key
  // that is broken.
  static Expected<JwtKeys> parse(std::string_view jwks);

  JwtKeys(JwtKeys&&) noexcept;
  JwtKeys& operator=(JwtKeys&&) noexcept;
  ~JwtKeys();

  // The tenant that a token names; else why it is not taken. A token with a `kid` is held against that key alone, one without against all of
  // its algorithm. `now`: seconds since the epoch.
  [[nodiscard]] Expected<std::string> subject(std::string_view token, const JwtRules& rules,
                                              std::int64_t now) const;
  [[nodiscard]] std::size_t size() const;

 private:
  struct Key;
  explicit JwtKeys(std::vector<Key> keys);
  std::vector<Key> keys_;
};

// True if it has the form of a token: three parts with points between them.
bool looks_like_jwt(std::string_view text);

}  // namespace turnpike::tenant
