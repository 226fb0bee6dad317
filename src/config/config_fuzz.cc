#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/load.h"

// A file may hold anything: it is refused with reasons, or what it means is printed and read back the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike::config;
  const auto read = [](std::string text) {
    return load({.file = FileText{"f", std::move(text)}, .environment = {}, .flags = {}});
  };
  const Loaded loaded = read(std::string(reinterpret_cast<const char*>(data), size));
  if (!loaded.ok()) return 0;
  const Loaded again = read(to_yaml(loaded));
  // Secrets are not printed.
  const bool secrets = to_json(loaded).find("***") != std::string::npos;
  if (!again.ok() || (!secrets && again.config != loaded.config)) std::abort();
  return 0;
}
