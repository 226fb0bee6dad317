#include "metrics/registry.h"

#include <algorithm>
#include <cmath>

namespace turnpike::metrics {

Buckets log_buckets(double first, double last, int per_decade) {
  Buckets bounds;
  for (int i = 0; bounds.empty() || bounds.back() < last; ++i) {
    const double exact = first * std::pow(10.0, static_cast<double>(i) / per_decade);
    const double digits = std::pow(10.0, std::floor(std::log10(exact) + 1e-9) - 1);
    // Twice, so that what is shown is 0.0022 and not 0.0022000000000000001.
    const double rounded = std::round(exact / digits) * digits;
    bounds.push_back(std::round(rounded * 1e9) / 1e9);
  }
  return bounds;
}

namespace {

// A label value as it is shown: cut to 256 bytes, and with '?' for bytes that are not UTF-8, because Prometheus refuses the whole
// page for one of them.
std::string shown(std::string_view raw) {
  constexpr std::size_t kLongest = 256;
  std::string text;
  for (std::size_t i = 0; i < raw.size();) {
    const auto lead = static_cast<unsigned char>(raw[i]);
    std::size_t length = lead < 0x80   ? 1
                         : lead < 0xc2 ? 0
                         : lead < 0xe0 ? 2
                         : lead < 0xf0 ? 3
                         : lead < 0xf5 ? 4
                                       : 0;
    if (i + length > raw.size()) length = 0;
    for (std::size_t k = 1; k < length; ++k) {
      const auto byte = static_cast<unsigned char>(raw[i + k]);
      // The second byte tells overlong forms, surrogates and what is above U+10FFFF.
      const unsigned low = k > 1 ? 0x80 : lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
      const unsigned high = k > 1 ? 0xbf : lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
      if (byte < low || byte > high) length = 0;
    }
    if (text.size() + std::max<std::size_t>(length, 1) > kLongest) break;
    text += length > 0 ? raw.substr(i, length) : std::string_view("?");
    i += std::max<std::size_t>(length, 1);
  }
  return text;
}

}  // namespace

FamilyBase::FamilyBase(std::string name, std::string help, std::vector<std::string> labels,
                       std::size_t shards, std::size_t max_series)
    : name_(std::move(name)),
      help_(std::move(help)),
      label_names_(std::move(labels)),
      shards_(shards),
      max_series_(max_series) {
  assert(is_metric_name(name_));
}

std::uint64_t FamilyBase::overflows() const {
  const std::lock_guard lock(mutex_);
  return overflows_;
}

std::size_t FamilyBase::row_of(std::initializer_list<std::string_view> values) {
  assert(values.size() == label_names_.size());
  std::string key;
  for (const std::string_view value : values) {
    // The length goes first, so that no value can look like two.
    key += std::to_string(value.size());
    key.push_back(':');
    key += value;
  }
  const auto known = row_by_values_.find(key);
  if (known != row_by_values_.end()) return known->second;
  std::vector<std::string> row;
  for (const std::string_view value : values) row.push_back(shown(value));
  const bool full = row_by_values_.size() >= max_series_;
  if (full) {
    ++overflows_;
    std::ranges::fill(row, "other");
  }
  // What looks alike is one row: two of the same labels would spoil the page.
  std::size_t index = rows_.size();
  if (full || !std::ranges::equal(row, values)) {
    index = static_cast<std::size_t>(std::ranges::find(rows_, row) - rows_.begin());
  }
  if (!full) row_by_values_.emplace(std::move(key), index);
  if (index == rows_.size()) rows_.push_back(std::move(row));
  return index;
}

template <typename Cell>
void Family<Cell>::write(TextWriter& out) const {
  const std::lock_guard lock(mutex_);
  if constexpr (std::is_same_v<Cell, Counter>) {
    out.family(name_, TextWriter::Type::counter, help_);
  } else if constexpr (std::is_same_v<Cell, Gauge>) {
    out.family(name_, TextWriter::Type::gauge, help_);
  } else {
    out.family(name_, TextWriter::Type::histogram, help_);
  }
  for (std::size_t row = 0; row < cells_.size(); ++row) {
    if constexpr (std::is_same_v<Cell, Counter>) {
      std::uint64_t sum = 0;
      for (const auto& cell : cells_[row]) sum += cell ? cell->value() : 0;
      out.sample(label_names_, rows_[row], sum);
    } else if constexpr (std::is_same_v<Cell, Gauge>) {
      double sum = 0;
      for (const auto& cell : cells_[row]) sum += cell ? cell->value() : 0.0;
      out.sample(label_names_, rows_[row], sum);
    } else {
      std::vector<std::uint64_t> counts(bounds_.size() + 1);
      double sum = 0;
      for (const auto& cell : cells_[row]) {
        if (!cell) continue;
        for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += cell->count(i);
        sum += cell->sum();
      }
      out.histogram(label_names_, rows_[row], bounds_, counts, sum);
    }
  }
}

template class Family<Counter>;
template class Family<Gauge>;
template class Family<Histogram>;

template <typename Cell>
Family<Cell>& Registry::add(std::string name, std::string help, std::vector<std::string> labels,
                            std::size_t max_series, Buckets bounds) {
  assert(std::ranges::none_of(families_,
                              [&name](const auto& family) { return family->name() == name; }));
  auto family = std::make_unique<Family<Cell>>(std::move(name), std::move(help), std::move(labels),
                                               shards_, max_series, std::move(bounds));
  Family<Cell>& added = *family;
  families_.push_back(std::move(family));
  return added;
}

Counters& Registry::counters(std::string name, std::string help, std::vector<std::string> labels,
                             std::size_t max_series) {
  return add<Counter>(std::move(name), std::move(help), std::move(labels), max_series);
}

Gauges& Registry::gauges(std::string name, std::string help, std::vector<std::string> labels,
                         std::size_t max_series) {
  return add<Gauge>(std::move(name), std::move(help), std::move(labels), max_series);
}

Histograms& Registry::histograms(std::string name, std::string help, Buckets bounds,
                                 std::vector<std::string> labels, std::size_t max_series) {
  return add<Histogram>(std::move(name), std::move(help), std::move(labels), max_series,
                        std::move(bounds));
}

std::string Registry::scrape() const {
  TextWriter out;
  std::uint64_t overflows = 0;
  for (const auto& family : families_) {
    family->write(out);
    overflows += family->overflows();
  }
  out.family(
      "turnpike_metrics_overflows_total", TextWriter::Type::counter,
      "Look-ups of label values that were counted as \"other\" because their metric was full.");
  out.sample(overflows);
  for (const auto& collector : collectors_) collector(out);
  return out.take();
}

}  // namespace turnpike::metrics
