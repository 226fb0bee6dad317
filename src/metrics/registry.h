#pragma once

#include <cassert>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "metrics/cell.h"
#include "metrics/text.h"

namespace turnpike::metrics {

// What is the same for families of every kind: their names and their bounded set of label values.
class FamilyBase {
 public:
  FamilyBase(std::string name, std::string help, std::vector<std::string> labels,
             std::size_t shards, std::size_t max_series);
  virtual ~FamilyBase() = default;
  FamilyBase(const FamilyBase&) = delete;
  FamilyBase& operator=(const FamilyBase&) = delete;

  virtual void write(TextWriter& out) const = 0;
  // Look-ups that were turned to the series "other" because the family was full. Any thread.
  [[nodiscard]] std::uint64_t overflows() const;
  [[nodiscard]] const std::string& name() const { return name_; }

 protected:
  // The row of these label values, made at first sight; that of "other" once there are max_series. Under the lock.
  std::size_t row_of(std::initializer_list<std::string_view> values);

  const std::string name_;
  const std::string help_;
  const std::vector<std::string> label_names_;
  const std::size_t shards_;
  const std::size_t max_series_;
  mutable std::mutex mutex_;
  std::vector<std::vector<std::string>> rows_;  // label values

 private:
  absl::flat_hash_map<std::string, std::size_t> row_by_values_;
  std::uint64_t overflows_ = 0;
};

// One metric with its label values, times one cell per thread ("shard"). Cells live as long as the family and never move:
// look one up once and keep the reference. at() locks and may be called from any thread; a cell belongs to the shard's thread.
template <typename Cell>
class Family final : public FamilyBase {
 public:
  Family(std::string name, std::string help, std::vector<std::string> labels, std::size_t shards,
         std::size_t max_series, Buckets bounds = {})
      : FamilyBase(std::move(name), std::move(help), std::move(labels), shards, max_series),
        bounds_(std::move(bounds)) {}

  // `values` in the order of the label names.
  Cell& at(std::size_t shard, std::initializer_list<std::string_view> values = {}) {
    assert(shard < shards_);
    const std::lock_guard lock(mutex_);
    const std::size_t row = row_of(values);
    while (cells_.size() <= row) cells_.emplace_back(shards_);
    std::unique_ptr<Cell>& cell = cells_[row][shard];
    if (!cell) cell = make();
    return *cell;
  }

  void write(TextWriter& out) const override;

 private:
  std::unique_ptr<Cell> make() const {
    if constexpr (std::is_same_v<Cell, Histogram>) {
      return std::make_unique<Cell>(bounds_);
    } else {
      return std::make_unique<Cell>();
    }
  }

  const Buckets bounds_;
  std::vector<std::vector<std::unique_ptr<Cell>>>
      cells_;  // by row and shard; made when first asked for
};

using Counters = Family<Counter>;
using Gauges = Family<Gauge>;
using Histograms = Family<Histogram>;

// All metrics of a process. Families are registered at the start, before threads; they live as long as the registry. scrape() may
// run on any thread while others count.
class Registry {
 public:
  static constexpr std::size_t kMaxSeries = 1000;

  // `shards`: how many threads count.
  explicit Registry(std::size_t shards) : shards_(shards) {}

  Counters& counters(std::string name, std::string help, std::vector<std::string> labels = {},
                     std::size_t max_series = kMaxSeries);
  Gauges& gauges(std::string name, std::string help, std::vector<std::string> labels = {},
                 std::size_t max_series = kMaxSeries);
  Histograms& histograms(std::string name, std::string help, Buckets bounds,
                         std::vector<std::string> labels = {}, std::size_t max_series = kMaxSeries);
  // For what is known only when asked: called by every scrape, on its thread.
  void on_scrape(std::function<void(TextWriter&)> collector) {
    collectors_.push_back(std::move(collector));
  }

  [[nodiscard]] std::string scrape() const;
  [[nodiscard]] std::size_t shards() const { return shards_; }

 private:
  template <typename Cell>
  Family<Cell>& add(std::string name, std::string help, std::vector<std::string> labels,
                    std::size_t max_series, Buckets bounds = {});

  const std::size_t shards_;
  std::vector<std::unique_ptr<FamilyBase>> families_;
  std::vector<std::function<void(TextWriter&)>> collectors_;
};

}  // namespace turnpike::metrics
