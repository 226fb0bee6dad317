#include "config/decode.h"

#include <algorithm>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "config/nearest.h"

namespace turnpike::config {

namespace {

// Notes where each document starts, and nothing else.
class DocumentStarts final : public YAML::EventHandler {
 public:
  YAML::Mark last;

  void OnDocumentStart(const YAML::Mark& mark) override { last = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// Where a second document begins. YAML::LoadAll is no way to find out: a stray comma at the top level is to it an endless row of
// empty documents.
std::optional<YAML::Mark> second_document(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  DocumentStarts starts;
  if (!parser.HandleNextDocument(starts) || !parser.HandleNextDocument(starts)) return std::nullopt;
  return starts.last;
}

Place place_of(const YAML::Mark& mark) {
  return mark.is_null() ? Place{} : Place{mark.line + 1, mark.column + 1};
}

std::string_view kind_of(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  return "a single value";
}

class Decoder {
 public:
  Decoder(const std::string& file, const std::vector<Key>& keys, std::vector<Problem>& problems,
          std::map<std::string, Place>& places)
      : file_(file), keys_(keys), problems_(problems), places_(places) {}

  void mapping(const YAML::Node& node, const std::string& prefix) {
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        problem(entry.first, prefix, "a key must be a single word");
        continue;
      }
      const std::string name = entry.first.Scalar();
      const std::string path = prefix.empty() ? name : fmt::format("{}.{}", prefix, name);
      if (!seen.insert(name).second) {
        problem(entry.first, path, "key is given twice");
        continue;
      }
      const auto leaf = std::ranges::find(keys_, path, &Key::path);
      if (leaf != keys_.end()) {
        places_[root_ + path] =
            place_of((entry.second.IsNull() ? entry.first : entry.second).Mark());
        value(entry.second, entry.first, *leaf);
      } else if (is_group(path)) {
        if (entry.second.IsMap()) {
          mapping(entry.second, path);
        } else if (!entry.second.IsNull()) {
          problem(entry.second, path,
                  fmt::format("must be a mapping, not {}", kind_of(entry.second)));
        }
      } else {
        problem(entry.first, path, "unknown key" + suggestion(name, prefix));
      }
    }
  }

 private:
  void problem(const YAML::Node& at, const std::string& key, std::string message) {
    problems_.push_back({file_, place_of(at.Mark()), root_ + key, std::move(message)});
  }

  [[nodiscard]] bool is_group(const std::string& path) const {
    return std::ranges::any_of(
        keys_, [&path](const Key& key) { return key.path.starts_with(path + "."); });
  }

  // What may have been meant: a key of the same group, else a key of that very name somewhere else.
  [[nodiscard]] std::string suggestion(const std::string& name, const std::string& prefix) const {
    std::vector<std::string> siblings;
    const std::string start = prefix.empty() ? "" : prefix + ".";
    for (const Key& key : keys_) {
      if (!key.path.starts_with(start)) continue;
      const std::string rest = key.path.substr(start.size());
      siblings.push_back(rest.substr(0, rest.find('.')));
    }
    std::string meant = nearest(name, siblings);
    for (const Key& key : keys_) {
      if (meant.empty() && key.name() == name) meant = key.path;
    }
    return meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant);
  }

  void value(const YAML::Node& node, const YAML::Node& key_node, const Key& key) {
    // A null has no position of its own.
    const YAML::Node& at = node.IsNull() ? key_node : node;
    if (std::holds_alternative<std::vector<std::string>*>(key.target)) {
      strings(node, at, key);
    } else if (const auto* const list = std::get_if<MappingList>(&key.target)) {
      mapping_list(node, at, key, *list);
    } else if (std::holds_alternative<std::vector<core::WeightedScorer>*>(key.target)) {
      scorers(node, at, key);
    } else if (!node.IsScalar()) {
      problem(at, key.path, fmt::format("must be a single value, not {}", kind_of(node)));
    } else if (node.Tag() == "!" && is_unquoted(key)) {
      problem(at, key.path, "must not be in quotes");
    } else if (std::string wrong = assign(key, node.Scalar()); !wrong.empty()) {
      problem(at, key.path, std::move(wrong));
    }
  }

  static bool is_unquoted(const Key& key) {
    return std::holds_alternative<bool*>(key.target) || std::holds_alternative<int*>(key.target) ||
           std::holds_alternative<TokenCount*>(key.target) ||
           std::holds_alternative<std::size_t*>(key.target) ||
           std::holds_alternative<double*>(key.target);
  }

  void strings(const YAML::Node& node, const YAML::Node& at, const Key& key) {
    std::vector<std::string> items;
    if (node.IsScalar()) {
      items.push_back(node.Scalar());
    } else if (!node.IsSequence()) {
      return problem(at, key.path, fmt::format("must be a list, not {}", kind_of(node)));
    }
    for (const auto& item : node) {
      if (!item.IsScalar())
        return problem(item, key.path,
                       fmt::format("must be a list of texts, not of {}", kind_of(item)));
      items.push_back(item.Scalar());
      // One by one, so that the bad one is pointed at.
      std::string wrong = key.check != nullptr ? key.check(item.Scalar()) : "";
      if (!wrong.empty()) return problem(item, key.path, std::move(wrong));
    }
    if (std::string wrong = assign_list(key, items); !wrong.empty())
      problem(at, key.path, std::move(wrong));
  }

  void scorers(const YAML::Node& node, const YAML::Node& at, const Key& key) {
    if (!node.IsMap()) return problem(at, key.path, "must be a mapping of scorers to weights");
    std::string text;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar()) {
        return problem(entry.first, key.path, "must be a mapping of scorers to weights");
      }
      text += fmt::format("{}={},", entry.first.Scalar(), entry.second.Scalar());
    }
    if (std::string wrong = assign(key, text); !wrong.empty())
      problem(at, key.path, std::move(wrong));
  }

  void mapping_list(const YAML::Node& node, const YAML::Node& at, const Key& key,
                    const MappingList& list) {
    if (!node.IsSequence())
      return problem(at, key.path, fmt::format("must be a list, not {}", kind_of(node)));
    list.resize(node.size());
    for (std::size_t i = 0; i < node.size(); ++i) {
      const YAML::Node item = node[i];
      const std::string name = fmt::format("{}[{}]", key.path, i);
      const std::vector<Key> keys = list.keys_of(i);
      const std::string& required = keys.front().path;
      const std::string path = root_ + name;
      places_[path] = places_[fmt::format("{}.{}", path, required)] = place_of(item.Mark());
      if (item.IsScalar() && !list.text.empty()) {
        std::string wrong = assign(keys.front(), item.Scalar());
        if (!wrong.empty()) problem(item, name, std::move(wrong));
      } else if (item.IsMap()) {
        Decoder inner(file_, keys, problems_, places_);
        inner.root_ = name + ".";
        inner.mapping(item, "");
        if (!item[required].IsDefined()) problem(item, name, fmt::format("has no '{}'", required));
      } else {
        problem(
            item, name,
            fmt::format("must be {}a mapping, not {}",
                        list.text.empty() ? "" : fmt::format("{} or ", list.text), kind_of(item)));
      }
    }
  }

  const std::string& file_;
  const std::vector<Key>& keys_;
  std::vector<Problem>& problems_;
  std::map<std::string, Place>& places_;
  std::string root_;  // goes before paths in messages: "backends[2]."
};

}  // namespace

std::string to_string(const Problem& problem) {
  std::string text = problem.source;
  if (problem.place.line > 0)
    text += fmt::format(":{}:{}", problem.place.line, problem.place.column);
  if (!text.empty()) text += ": ";
  if (!problem.key.empty()) text += problem.key + ": ";
  return text + problem.message;
}

std::map<std::string, Place> decode_yaml(const std::string& file_name, const std::string& text,
                                         const std::vector<Key>& keys,
                                         std::vector<Problem>& problems) {
  std::map<std::string, Place> places;
  if (text.size() > kMaxFile) {
    problems.push_back({file_name, {}, "", "the file is larger than 1 MiB"});
    return places;
  }
  try {
    if (const auto second = second_document(text)) {
      problems.push_back({file_name, place_of(*second), "", "a second document; one is expected"});
      return places;
    }
    const YAML::Node document = YAML::Load(text);
    if (document.IsNull()) return places;
    if (document.IsMap()) {
      Decoder(file_name, keys, problems, places).mapping(document, "");
    } else {
      problems.push_back({file_name, place_of(document.Mark()), "",
                          fmt::format("must be a mapping, not {}", kind_of(document))});
    }
  } catch (const YAML::Exception& error) {
    problems.push_back({file_name, place_of(error.mark), "", "not YAML: " + error.msg});
  }
  return places;
}

}  // namespace turnpike::config
