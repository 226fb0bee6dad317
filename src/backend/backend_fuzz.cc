#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/gauges.h"
#include "backend/models.h"

// Whatever answers in the place of an engine never hurts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace turnpike::backend;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  GaugeReader reader;
  const Reading first = reader.read(text);
  if (first.restarted || reader.read(text).restarted) __builtin_trap();
  const auto& gauges = first.gauges;
  if ((gauges.running && *gauges.running < 0) || (gauges.waiting && *gauges.waiting < 0))
    __builtin_trap();
  if (gauges.kv_usage && !(*gauges.kv_usage >= 0 && *gauges.kv_usage <= 1)) __builtin_trap();
  if (gauges.kv_capacity && gauges.kv_capacity->value() <= 0) __builtin_trap();
  const auto models = parse_models(text);
  if (models && models->size() > kMaxModels) __builtin_trap();
  return 0;
}
