#include "tenant/tenants.h"

#include <gtest/gtest.h>

namespace turnpike::tenant {
namespace {

http::RequestHead with(std::string_view name, std::string_view value) {
  http::RequestHead head;
  head.fields.push_back({name, value, http::classify_field(name)});
  return head;
}

TenantRules two_tenants() {
  TenantRules rules;
  rules.required = true;
  rules.keys = {{"sk-ann", "ann"}, {"sk-bob", "bob"}};
  rules.named = {{"ann", {.weight = 3}}};
  return rules;
}

TEST(Tenants, AKeyNamesItsTenantWhicheverWayItComes) {
  const Tenants tenants(two_tenants());
  for (const http::RequestHead& head :
       {with("Authorization", "Bearer sk-ann"), with("authorization", "bearer  sk-ann"),
        with("x-api-key", "sk-ann")}) {
    const Caller caller = tenants.caller(head, 0);
    EXPECT_EQ(caller.name, "ann");
    EXPECT_TRUE(caller.verified);
    EXPECT_EQ(caller.refused, "");
    EXPECT_EQ(caller.terms->weight, 3);
  }
}

TEST(Tenants, AKeyMayBeKeptAsItsHash) {
  TenantRules rules;
  rules.keys = {{"sha256:36c76b48bb2ee1d9d37140550e9d7ed7d395cf56f41050dc2a72e5291c0011f0",
                 "bob"},  // printf %s sk-bob | sha256sum
                {"sha256:" + std::string(64, '0'), "carol"}};
  EXPECT_EQ(Tenants(std::move(rules)).caller(with("x-api-key", "sk-bob"), 0).name, "bob");
}

TEST(Tenants, WhereCredentialsAreRequiredOthersAreToldWhatIsWrong) {
  const Tenants tenants(two_tenants());
  EXPECT_EQ(tenants.caller({}, 0).refused,
            "This gateway wants an API key or a token, as 'Authorization: Bearer' or 'x-api-key'.");
  EXPECT_EQ(tenants.caller(with("x-api-key", "sk-an"), 0).refused,
            "The API key is not known here.");
  EXPECT_EQ(tenants.caller(with("x-api-key", "sk-annn"), 0).refused,
            "The API key is not known here.");
}

TEST(Tenants, WhereTheyAreNotRequiredStrangersGoOnTheCommonTerms) {
  TenantRules rules = two_tenants();
  rules.required = false;
  rules.other.weight = 0.5;
  const Tenants tenants(std::move(rules));
  const Caller stranger = tenants.caller(with("x-api-key", "sk-other"), 0);
  EXPECT_EQ(stranger.refused, "");
  EXPECT_FALSE(stranger.verified);
  EXPECT_EQ(stranger.name, "");
  EXPECT_EQ(stranger.terms->weight, 0.5);
}

TEST(Tenants, ATrustedHeaderNamesTheTenantOfWhoeverHasNoKey) {
  TenantRules rules = two_tenants();
  rules.header = "x-tenant";
  const Tenants tenants(std::move(rules));
  EXPECT_EQ(tenants.caller(with("X-Tenant", "ann"), 0).terms->weight, 3);
  EXPECT_TRUE(tenants.caller(with("X-Tenant", "ann"), 0).verified);
  http::RequestHead both = with("X-Tenant", "carol");
  both.fields.push_back({"x-api-key", "sk-ann", http::FieldKind::end_to_end});
  EXPECT_EQ(tenants.caller(both, 0).name, "ann");
}

TEST(KeyFile, LinesAreNamesAndKeys) {
  const auto keys = parse_key_file(
      "# people\nann  sk-ann\r\n\n bob\tsha256:" + std::string(64, 'a') + "\nann sk-second");
  ASSERT_TRUE(keys) << keys.error().message;
  ASSERT_EQ(keys->size(), 3U);
  EXPECT_EQ((*keys)[0], std::pair(std::string("sk-ann"), std::string("ann")));
  EXPECT_EQ((*keys)[2].second, "ann");
}

TEST(KeyFile, ABadLineIsNamed) {
  const auto why = [](std::string_view text) {
    const auto keys = parse_key_file(text);
    return keys ? "" : keys.error().message;
  };
  EXPECT_EQ(why("ann sk\nbob"), "line 2: must be a tenant's name and his key");
  EXPECT_EQ(why("ann sk and more"), "line 1: must be a tenant's name and his key");
  EXPECT_EQ(why("ann sha256:12"), "line 1: 'sha256:' must be followed by 64 hexadecimal digits");
  EXPECT_EQ(why("ann sha256:" + std::string(64, 'g')),
            "line 1: 'sha256:' must be followed by 64 hexadecimal digits");
}

}  // namespace
}  // namespace turnpike::tenant
