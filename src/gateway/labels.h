#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::gateway {

// Labels of endpoints, "key=value" each. A request may ask in the header x-turnpike-labels for endpoints that bear certain ones. To
// the pools a model with labels is a model of its own, which just the endpoints serve that bear them all: hence a queue that is
// blocked by nobody else, and no look at a label where it is decided who goes where.
inline constexpr std::string_view kLabelsHeader = "x-turnpike-labels";
inline constexpr std::size_t kMaxLabels =
    4;  // of one endpoint: 15 combinations for each of its models

// "gpu=h100, zone=a" as a list: trimmed, sorted, each once, empty ones left out.
std::vector<std::string> split_labels(std::string_view text);
// All combinations but the empty one, each sorted as `labels` is.
std::vector<std::vector<std::string>> combinations(std::span<const std::string> labels);
// What a model with labels (sorted) is known as in Directory::labelled.
std::string labelled_name(std::string_view model, std::span<const std::string> labels);

}  // namespace turnpike::gateway
