#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/journal/journal_reader.h"
#include "core/journal/journal_writer.h"

// Any bytes, and any bytes behind a valid beginning: reading ends with an error in range or with the bytes, and what comes out can be
// written down again.
namespace {

using turnpike::core::JournalReader;

void read(std::string_view bytes) {
  turnpike::core::journal::Context context;
  std::string again;
  turnpike::core::journal::Encoder encoder(again, context);
  JournalReader reader(bytes);
  auto record = reader.next();
  for (; record && *record; record = reader.next()) {
    again.clear();
    std::visit([&](const auto& event) { encoder.put(event); }, (*record)->event);
  }
  if (reader.offset() > bytes.size()) std::abort();
  if (record && reader.offset() != bytes.size()) std::abort();
  if (!record && record.error().message.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  turnpike::core::JournalWriter writer(1);
  writer.begin_segment(turnpike::TimePoint{}, 0);
  read(std::string(writer.bytes()) + std::string(bytes));
  return 0;
}
