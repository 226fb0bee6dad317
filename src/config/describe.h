#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace turnpike::config {

// A number of choices by name; `index` points to the enumerator's value.
struct Choice {
  std::uint8_t* index = nullptr;
  std::vector<std::string> names;  // in the order of the enumerators
};
// One of a set of names, kept as a name.
struct NamedChoice {
  std::string* name = nullptr;
  std::vector<std::string> names;
};

struct Key;
// A list of mappings, each with keys of its own, of which the first is required.
struct MappingList {
  std::function<std::size_t()> size;
  std::function<void(std::size_t)> resize;  // that many, with their defaults
  std::function<std::vector<Key>(std::size_t)> keys_of;
  std::string_view
      text;  // what a bare text in place of a mapping is ("a URL"): its first key; empty: none is taken
};

using Target = std::variant<bool*, int*, TokenCount*, std::size_t*, double*, Duration*, ByteCount*,
                            std::string*, std::vector<std::string>*,
                            std::vector<core::WeightedScorer>*, MappingList, Choice, NamedChoice>;

struct Bounds {
  double least = 0;  // of a number; seconds of a duration; bytes of a size
  double most = std::numeric_limits<double>::infinity();
};

// A key, what it means, and the member it stands for. Decoding, environment, flags, printing and the schema all work from a list of
// these, so that nothing is described twice.
struct Key {
  std::string path;  // dotted
  Target target;
  std::string_view doc;  // one sentence
  Bounds bounds = {};
  std::string (*check)(std::string_view) =
      nullptr;  // of a text, or of every text of a list (config/check.h)
  bool secret = false;
  bool of_policy = false;  // its default is the preset's

  // The last part of the path.
  [[nodiscard]] std::string_view name() const;
};

// The keys of a configuration, with pointers into it.
std::vector<Key> describe(Config& config);
std::vector<Key> describe(Backend& backend);
std::vector<Key> describe(TenantConfig& tenant);
std::vector<Key> describe(RouteConfig& route);

std::string_view scorer_name(core::Scorer scorer);
std::vector<std::string> scorer_names();

// Sets a value from text (lists are comma-separated). Empty if it was taken, else what is wrong with it.
std::string assign(const Key& key, std::string_view text);
// Sets a list of texts or of backends; the same.
std::string assign_list(const Key& key, const std::vector<std::string>& items);
// The value as text that assign() takes; a list as in YAML's flow style.
std::string value_text(const Key& key);
// Whether two configurations say the same for a key, mappings and all.
bool same_value(const Key& a, const Key& b);

}  // namespace turnpike::config
