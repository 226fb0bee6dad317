#include "gateway/labels.h"

#include <algorithm>
#include <cassert>

#include "base/ascii.h"

namespace turnpike::gateway {

std::vector<std::string> split_labels(std::string_view text) {
  std::vector<std::string> labels;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (const std::string_view label = trim(text.substr(0, comma)); !label.empty())
      labels.emplace_back(label);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  std::ranges::sort(labels);
  const auto repeated = std::ranges::unique(labels);
  labels.erase(repeated.begin(), repeated.end());
  return labels;
}

std::vector<std::vector<std::string>> combinations(std::span<const std::string> labels) {
  assert(labels.size() <= kMaxLabels);
  std::vector<std::vector<std::string>> all;
  for (std::size_t chosen = 1; chosen < std::size_t{1} << labels.size(); ++chosen) {
    std::vector<std::string>& one = all.emplace_back();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if ((chosen >> i & 1U) != 0) one.push_back(labels[i]);
    }
  }
  return all;
}

std::string labelled_name(std::string_view model, std::span<const std::string> labels) {
  std::string name(model);
  for (const std::string& label : labels) {
    name += '\n';
    name += label;
  }
  return name;
}

}  // namespace turnpike::gateway
