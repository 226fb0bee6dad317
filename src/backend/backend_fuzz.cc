#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "backend/gauges.h"
#include "backend/models.h"

// What an engine answers may be anything: nothing breaks, and what is reported is in range.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  turnpike::backend::GaugeReader reader;
  const auto first = reader.read(text.substr(0, size / 2));
  const auto second = reader.read(text.substr(size / 2));
  for (const auto& gauges : {first.gauges, second.gauges}) {
    if (gauges.running.value_or(0) < 0 || gauges.waiting.value_or(0) < 0) std::abort();
    if (!(gauges.kv_usage.value_or(0) >= 0 && gauges.kv_usage.value_or(0) <= 1)) std::abort();
    if (gauges.kv_capacity && gauges.kv_capacity->value() <= 0) std::abort();
  }
  if (const auto models = turnpike::backend::parse_models(text)) {
    if (models->names.size() > turnpike::backend::kMaxModels) std::abort();
    if (models->adapters.size() > models->names.size()) std::abort();
    for (const auto& name : models->names) {
      if (name.empty() || name.size() > turnpike::backend::kMaxModelName) std::abort();
    }
  }
  return 0;
}
