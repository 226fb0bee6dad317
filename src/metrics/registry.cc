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
  std::vector<std::string> row(values.begin(), values.end());
  if (row_by_values_.size() >= max_series_) {
    ++overflows_;
    std::ranges::fill(row, "other");
    const auto other = std::ranges::find(rows_, row);
    if (other != rows_.end()) return static_cast<std::size_t>(other - rows_.begin());
  } else {
    row_by_values_.emplace(std::move(key), rows_.size());
  }
  rows_.push_back(std::move(row));
  return rows_.size() - 1;
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
