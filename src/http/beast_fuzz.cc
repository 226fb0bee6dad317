#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/beast_test_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (!turnpike::http::differs_from_beast({reinterpret_cast<const char*>(bytes), size}).empty())
    __builtin_trap();
  return 0;
}
