#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/describe.h"

namespace turnpike::config {

// Where in a file something stands; from 1.
struct Place {
  int line = 0;
  int column = 0;
};

// What is wrong, and where.
struct Problem {
  std::string source;  // the file, the variable or the flag; may be empty
  Place place = {};    // in a file
  std::string key;     // dotted path; may be empty
  std::string message;
};
// "turnpike.yaml:12:3: limits.bdy: unknown key; did you mean 'body'?"
std::string to_string(const Problem& problem);

// The largest file that is read, in bytes.
inline constexpr std::size_t kMaxFile = std::size_t{1} << 20U;

// Decodes YAML strictly into the members behind `keys`: unknown and duplicate keys, wrong types and impossible values are problems.
// Returns where the value of each key that was given stands; those of backends as "backends[0].url".
std::map<std::string, Place> decode_yaml(const std::string& file_name, const std::string& text,
                                         const std::vector<Key>& keys,
                                         std::vector<Problem>& problems);

}  // namespace turnpike::config
