#include "tenant/jwt.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"

namespace turnpike::tenant {

namespace {

using Json = nlohmann::json;

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Pkey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using ParamBuild = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM_free>>;
using Number = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Json parse_object(std::string_view text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_object() ? value : Json();
}

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

enum class Algorithm : std::uint8_t { hs256, rs256, es256 };

std::optional<Algorithm> algorithm_of(std::string_view name) {
  if (name == "HS256") return Algorithm::hs256;
  if (name == "RS256") return Algorithm::rs256;
  if (name == "ES256") return Algorithm::es256;
  return std::nullopt;
}

Pkey make_key(const char* type, ParamBuild build) {
  const Params params(OSSL_PARAM_BLD_to_param(build.get()));
  const PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return nullptr;
  Pkey made(key);
  const PkeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, made.get(), nullptr));
  return check && EVP_PKEY_public_check(check.get()) == 1 ? std::move(made) : nullptr;
}

Number number_of(const std::optional<std::string>& bytes) {
  if (!bytes || bytes->empty()) return nullptr;
  return Number(BN_bin2bn(bytes_of(*bytes), static_cast<int>(bytes->size()), nullptr));
}

Pkey rsa_key(const Json& jwk) {
  const Number n = number_of(decode_base64url(text_of(jwk, "n")));
  const Number e = number_of(decode_base64url(text_of(jwk, "e")));
  constexpr int kLeastBits = 2048;  // RFC 7518, 3.3
  if (!n || !e || BN_num_bits(n.get()) < kLeastBits) return nullptr;
  ParamBuild build(OSSL_PARAM_BLD_new());
  if (!build || OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return nullptr;
  return make_key("RSA", std::move(build));
}

constexpr std::size_t kP256 = 32;  // bytes of a coordinate, and of each half of a signature

Pkey ec_key(const Json& jwk) {
  const auto x = decode_base64url(text_of(jwk, "x"));
  const auto y = decode_base64url(text_of(jwk, "y"));
  if (text_of(jwk, "crv") != "P-256" || !x || !y || x->size() != kP256 || y->size() != kP256)
    return nullptr;
  const std::string point = "\x04" + *x + *y;
  ParamBuild build(OSSL_PARAM_BLD_new());
  if (!build ||
      OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1)
    return nullptr;
  return make_key("EC", std::move(build));
}

// JWS has r and s one after the other, OpenSSL wants them in DER.
std::string to_der(std::string_view signature) {
  if (signature.size() != 2 * kP256) return {};
  const Signature made(ECDSA_SIG_new());
  Number r(BN_bin2bn(bytes_of(signature), kP256, nullptr));
  Number s(BN_bin2bn(bytes_of(signature) + kP256, kP256, nullptr));
  if (!made || !r || !s || ECDSA_SIG_set0(made.get(), r.get(), s.get()) != 1) return {};
  // The signature owns them now.
  [[maybe_unused]] const std::pair<BIGNUM*, BIGNUM*> owned(r.release(), s.release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(made.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

}  // namespace

struct JwtKeys::Key {
  std::string id;  // `kid`; may be empty
  Algorithm algorithm = Algorithm::hs256;
  std::string secret;  // of hs256
  Pkey pkey;           // of the others

  [[nodiscard]] bool verifies(std::string_view what, std::string_view signature) const {
    if (algorithm == Algorithm::hs256) {
      std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
      unsigned size = 0;
      if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(what),
               what.size(), digest.data(), &size) == nullptr)
        return false;
      return size == signature.size() &&
             CRYPTO_memcmp(digest.data(), signature.data(), signature.size()) == 0;
    }
    const std::string der = algorithm == Algorithm::es256 ? to_der(signature) : "";
    const std::string_view given = algorithm == Algorithm::es256 ? der : signature;
    const DigestContext context(EVP_MD_CTX_new());
    return context && !given.empty() &&
           EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, pkey.get()) == 1 &&
           EVP_DigestVerify(context.get(), bytes_of(given), given.size(), bytes_of(what),
                            what.size()) == 1;
  }
};

JwtKeys::JwtKeys(std::vector<Key> keys) : keys_(std::move(keys)) {}
JwtKeys::JwtKeys(JwtKeys&&) noexcept = default;
JwtKeys& JwtKeys::operator=(JwtKeys&&) noexcept = default;
JwtKeys::~JwtKeys() = default;

std::size_t JwtKeys::size() const {
  return keys_.size();
}

Expected<JwtKeys> JwtKeys::parse(std::string_view jwks) {
  const Json set = parse_object(jwks);
  const auto list = set.find("keys");
  if (set.is_null() || list == set.end() || !list->is_array())
    return fail("is no JSON Web Key Set: there is no array 'keys'");
  if (list->size() > kMaxKeys) return fail("has more than 256 keys");
  std::vector<Key> keys;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& jwk = (*list)[i];
    if (!jwk.is_object()) return fail("keys[" + std::to_string(i) + "] is not an object");
    const std::string type = text_of(jwk, "kty");
    const std::string use = text_of(jwk, "use");
    if (!use.empty() && use != "sig") continue;
    Key key{.id = text_of(jwk, "kid")};
    if (type == "oct") {
      key.algorithm = Algorithm::hs256;
      key.secret = decode_base64url(text_of(jwk, "k")).value_or("");
    } else if (type == "RSA") {
      key.algorithm = Algorithm::rs256;
      key.pkey = rsa_key(jwk);
    } else if (type == "EC") {
      key.algorithm = Algorithm::es256;
      if (text_of(jwk, "crv") != "P-256") continue;
      key.pkey = ec_key(jwk);
    } else {
      continue;
    }
    const std::string said = text_of(jwk, "alg");
    if (!said.empty() && algorithm_of(said) != key.algorithm) continue;
    constexpr std::size_t kLeastSecret = 32;  // RFC 7518, 3.2
    if (key.algorithm == Algorithm::hs256 ? key.secret.size() < kLeastSecret : key.pkey == nullptr)
      return fail("keys[" + std::to_string(i) +
                  "] is broken, or shorter than its algorithm asks for");
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return fail("has no key for HS256, RS256 or ES256");
  return JwtKeys(std::move(keys));
}

Expected<std::string> JwtKeys::subject(std::string_view token, const JwtRules& rules,
                                       std::int64_t now) const {
  if (token.size() > kMaxToken) return fail("The token is too long.");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return fail("The token is not a JSON Web Token.");
  const auto head_text = decode_base64url(token.substr(0, first));
  const auto claim_text = decode_base64url(token.substr(first + 1, second - first - 1));
  const auto signature = decode_base64url(token.substr(second + 1));
  const Json head = head_text ? parse_object(*head_text) : Json();
  const Json claims = claim_text ? parse_object(*claim_text) : Json();
  if (head.is_null() || claims.is_null() || !signature)
    return fail("The token is not a JSON Web Token.");
  const auto algorithm = algorithm_of(text_of(head, "alg"));
  if (!algorithm) return fail("The token is not signed with HS256, RS256 or ES256.");
  if (head.contains("crit")) return fail("The token asks for extensions that are not known here.");
  const std::string id = text_of(head, "kid");
  const std::string_view signed_part = token.substr(0, second);
  if (std::ranges::none_of(keys_, [&](const Key& key) {
        return key.algorithm == *algorithm && (id.empty() || key.id == id) &&
               key.verifies(signed_part, *signature);
      }))
    return fail("The token's signature is not by a key that is known here.");

  const auto seconds = [&claims](const char* name) -> std::optional<double> {
    const auto found = claims.find(name);
    if (found == claims.end() || !found->is_number()) return std::nullopt;
    return found->get<double>();
  };
  const auto leeway = static_cast<double>(rules.leeway.count());
  const auto at = static_cast<double>(now);
  const auto expires = seconds("exp");
  if (!expires) return fail("The token does not say when it expires.");
  if (at >= *expires + leeway) return fail("The token has expired.");
  const auto begins = seconds("nbf");
  if (begins && at < *begins - leeway) return fail("The token is not valid yet.");
  if (!rules.issuer.empty() && text_of(claims, "iss") != rules.issuer)
    return fail("The token is by another issuer.");
  if (!rules.audience.empty()) {
    const auto aud = claims.find("aud");
    const bool meant =
        aud != claims.end() &&
        (*aud == rules.audience ||
         (aud->is_array() && std::ranges::find(*aud, Json(rules.audience)) != aud->end()));
    if (!meant) return fail("The token is meant for another audience.");
  }
  std::string subject = text_of(claims, rules.subject.c_str());
  if (subject.empty()) return fail("The token's claim '" + rules.subject + "' names nobody.");
  return subject;
}

bool looks_like_jwt(std::string_view text) {
  return text.starts_with("eyJ") && std::ranges::count(text, '.') == 2;
}

}  // namespace turnpike::tenant
