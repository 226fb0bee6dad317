#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/describe.h"

namespace turnpike::config {

// A value for a key, as assign() takes it.
struct Setting {
  std::string key;
  std::string value;
  std::string origin;  // the variable's name
};

struct EnvironmentFindings {
  std::vector<Setting> settings;                              // in the order in which they apply
  std::vector<std::pair<std::string, std::string>> problems;  // variable, what is wrong
  std::vector<std::string> notes;
};

using Environment = std::span<const std::pair<std::string, std::string>>;

// TURNPIKE_LISTEN for `listen`, TURNPIKE_LIMITS_MAX_BODY for `limits.max_body`, and the variables of the ancestors under their own
// names, with values as Go writes them. `so_far`: what the file says, by which it is judged whether a variable means anything.
// `policy_is_named`: by the file.
EnvironmentFindings read_environment(Environment environment, const std::vector<Key>& keys,
                                     const Config& so_far, bool policy_is_named);

// "TURNPIKE_LIMITS_MAX_BODY"
std::string variable_of(std::string_view key);

}  // namespace turnpike::config
