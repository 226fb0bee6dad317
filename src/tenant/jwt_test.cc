#include "tenant/jwt.h"

#include <string>

#include <gtest/gtest.h>

namespace turnpike::tenant {
namespace {

// The examples of RFC 7515, A.1 to A.3: {"iss":"joe","exp":1300819380,...}.
constexpr std::string_view kClaims =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";
constexpr std::int64_t kExpires = 1300819380;
constexpr std::string_view kOct =
    R"({"kty":"oct","kid":"h","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";
constexpr std::string_view kRsa =
    R"({"kty":"RSA","use":"sig","alg":"RS256","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})";
constexpr std::string_view kEc =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";

const std::string kHs256 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + std::string(kClaims) +
                           ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const std::string kRs256 =
    "eyJhbGciOiJSUzI1NiJ9." + std::string(kClaims) +
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
    "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
    "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igc"
    "N_IoypGlUPQGe77Rw";
const std::string kEs256 =
    "eyJhbGciOiJFUzI1NiJ9." + std::string(kClaims) +
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

JwtKeys keys(std::string_view list) {
  auto parsed = JwtKeys::parse(R"({"keys":[)" + std::string(list) + "]}");
  EXPECT_TRUE(parsed) << parsed.error().message;
  return *std::move(parsed);
}

const JwtRules kJoe = {.subject = "iss"};

std::string refusal(std::string_view list, const std::string& token, JwtRules rules = kJoe,
                    std::int64_t now = kExpires - 1) {
  const auto subject = keys(list).subject(token, rules, now);
  return subject ? "" : subject.error().message;
}

TEST(Jwt, EachAlgorithmIsVerified) {
  EXPECT_EQ(keys(kOct).subject(kHs256, kJoe, 0).value_or(""), "joe");
  EXPECT_EQ(keys(kRsa).subject(kRs256, kJoe, 0).value_or(""), "joe");
  EXPECT_EQ(keys(kEc).subject(kEs256, kJoe, 0).value_or(""), "joe");
}

TEST(Jwt, AChangedByteIsNoticed) {
  for (const auto& [key, token] : {std::pair(kOct, kHs256), {kRsa, kRs256}, {kEc, kEs256}}) {
    for (const std::size_t at : {std::size_t{30}, token.size() - 20}) {
      std::string changed = token;
      changed[at] = changed[at] == 'A' ? 'B' : 'A';
      EXPECT_NE(refusal(key, changed), "") << at;
    }
    EXPECT_NE(refusal(key, token.substr(0, token.size() - 4)), "");
  }
}

TEST(Jwt, TheAlgorithmBelongsToTheKey) {
  constexpr std::string_view kUnknown = "The token's signature is not by a key that is known here.";
  EXPECT_EQ(refusal(kRsa, kHs256), kUnknown);
  EXPECT_EQ(refusal(kOct, kEs256), kUnknown);
  // {"alg":"none"}
  EXPECT_EQ(refusal(kOct, "eyJhbGciOiJub25lIn0." + std::string(kClaims) + "."),
            "The token is not signed with HS256, RS256 or ES256.");
}

TEST(Jwt, SeveralKeysMayBeValidWhileTheyAreRotated) {
  const std::string both = std::string(kEc) + "," + std::string(kOct) + "," + std::string(kRsa);
  for (const std::string& token : {kHs256, kRs256, kEs256}) EXPECT_EQ(refusal(both, token), "");
}

TEST(Jwt, TimesHaveALeewayForClocks) {
  EXPECT_EQ(refusal(kOct, kHs256, kJoe, kExpires + 59), "");
  EXPECT_EQ(refusal(kOct, kHs256, kJoe, kExpires + 60), "The token has expired.");
}

TEST(Jwt, IssuerAudienceAndSubjectAreHeldAgainstTheRules) {
  EXPECT_EQ(refusal(kOct, kHs256, {.issuer = "joe", .subject = "iss"}), "");
  EXPECT_EQ(refusal(kOct, kHs256, {.issuer = "ann", .subject = "iss"}),
            "The token is by another issuer.");
  EXPECT_EQ(refusal(kOct, kHs256, {.audience = "us", .subject = "iss"}),
            "The token is meant for another audience.");
  EXPECT_EQ(refusal(kOct, kHs256, {}), "The token's claim 'sub' names nobody.");
}

TEST(Jwt, WhatIsNoTokenIsSaidSo) {
  for (const std::string& text : {std::string(), std::string("a.b"), std::string("a.b.c"),
                                  std::string("....."), kHs256 + ".x"})
    EXPECT_EQ(refusal(kOct, text), "The token is not a JSON Web Token.") << text;
  EXPECT_EQ(refusal(kOct, std::string(JwtKeys::kMaxToken + 1, 'a')), "The token is too long.");
}

TEST(Jwt, BrokenKeySetsAreRefused) {
  const auto why = [](std::string_view text) {
    const auto parsed = JwtKeys::parse(text);
    return parsed ? "" : parsed.error().message;
  };
  EXPECT_EQ(why("[]"), "is no JSON Web Key Set: there is no array 'keys'");
  EXPECT_EQ(why(R"({"keys":[]})"), "has no key for HS256, RS256 or ES256");
  EXPECT_EQ(why(R"({"keys":[{"kty":"OKP"}]})"), "has no key for HS256, RS256 or ES256");
  EXPECT_EQ(why(R"({"keys":[{"kty":"oct","k":"c2hvcnQ"}]})"),
            "keys[0] is broken, or shorter than its algorithm asks for");
  EXPECT_EQ(why(R"({"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]})"),
            "keys[0] is broken, or shorter than its algorithm asks for");
  EXPECT_EQ(why(R"({"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]})"),
            "keys[0] is broken, or shorter than its algorithm asks for");
  std::string many = R"({"keys":[{})";
  for (int i = 0; i < 256; ++i) many += ",{}";
  EXPECT_EQ(why(many + "]}"), "has more than 256 keys");
}

}  // namespace
}  // namespace turnpike::tenant
