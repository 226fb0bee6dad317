#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "metrics/cell.h"

namespace turnpike::metrics {

using LabelNames = std::span<const std::string>;
using LabelValues = std::span<const std::string>;

// Writes Prometheus' text format, version 0.0.4. Samples follow the family() they belong to. Names are the program's own and
// asserted to be valid; label values and help texts may be anything and are escaped.
class TextWriter {
 public:
  enum class Type : std::uint8_t { counter, gauge, histogram };

  // Every name once.
  void family(std::string_view name, Type type, std::string_view help);
  void sample(LabelNames names, LabelValues values, double value);
  void sample(LabelNames names, LabelValues values, std::uint64_t value);
  void sample(double value) { sample({}, {}, value); }
  void sample(std::uint64_t value) { sample({}, {}, value); }
  // `counts`: per bucket, one more than bounds; not cumulative.
  void histogram(LabelNames names, LabelValues values, const Buckets& bounds,
                 std::span<const std::uint64_t> counts, double sum);

  [[nodiscard]] std::string take() { return std::move(out_); }
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  void series(std::string_view suffix, LabelNames names, LabelValues values,
              std::string_view le = {});
  void number(double value);

  std::string out_;
  std::string name_;
};

// [a-zA-Z_:][a-zA-Z0-9_:]*
bool is_metric_name(std::string_view name);

}  // namespace turnpike::metrics
