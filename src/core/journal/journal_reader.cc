#include "core/journal/journal_reader.h"

#include <string>

#include "core/journal/codec.h"

namespace turnpike::core {

using namespace journal;

struct JournalReader::State {
  std::string_view bytes;
  std::size_t position = 0;
  Context context;
  // The segment that is being read; none before the first.
  std::optional<Began> segment;
  bool in_segment = false;    // of this piece
  std::uint64_t records = 0;  // read of the segment
  std::uint64_t roster_left = 0;
  bool skips_roster = false;
  std::optional<Error> error;
  bool broken_off = false;

  std::optional<JournalRecord> fail(const Decoder& in) {
    position += in.position();
    broken_off = in.ran_out();
    error = Error{"offset " + std::to_string(position) + ": " + in.error()};
    return std::nullopt;
  }

  // Whether the segment starts afresh; nothing on error.
  std::optional<JournalRecord> begin_segment(Decoder& in) {
    JournalRecord record;
    if (in.raw(kMagic.size()) != kMagic) in.wrong("this is no journal");
    if (in.fixed() != kFormat) in.wrong("a journal of another version of turnpike");
    context.reset();
    Began began;
    const std::uint64_t records_before = in.varint();
    in.get(began);
    in.get(record.at);
    roster_left = in.varint();
    if (!in.ok()) return fail(in);
    context.now = record.at;
    skips_roster = segment && records == records_before && segment->journal == began.journal &&
                   segment->segment + 1 == began.segment;
    segment = began;
    in_segment = true;
    records = 0;
    record.event = began;
    return record;
  }
};

namespace {

template <std::size_t... I>
void get_event(Decoder& in, std::size_t kind, JournalEvent& event,
               std::index_sequence<I...> /*kinds*/) {
  ((kind == I ? in.get(event.emplace<I>()) : void()), ...);
}

}  // namespace

JournalReader::JournalReader(std::string_view bytes) : state_(std::make_unique<State>()) {
  state_->bytes = bytes;
}
JournalReader::~JournalReader() = default;
JournalReader::JournalReader(JournalReader&&) noexcept = default;
JournalReader& JournalReader::operator=(JournalReader&&) noexcept = default;

void JournalReader::continue_with(std::string_view bytes) {
  State& s = *state_;
  if (s.position != s.bytes.size()) s.segment.reset();
  s.bytes = bytes;
  s.position = 0;
  s.in_segment = false;
  s.error.reset();
  s.broken_off = false;
}

std::size_t JournalReader::offset() const {
  return state_->position;
}

bool JournalReader::broken_off() const {
  return state_->broken_off;
}

Expected<std::optional<JournalRecord>> JournalReader::next() {
  State& s = *state_;
  while (!s.error && s.position < s.bytes.size()) {
    Decoder in(s.bytes.substr(s.position), s.context);
    std::optional<JournalRecord> record;
    bool skipped = false;
    if (!s.in_segment || s.bytes[s.position] == kMark) {
      if (s.in_segment && s.roster_left > 0) in.wrong("a segment ends before its roster");
      record = in.ok() ? s.begin_segment(in) : s.fail(in);
      skipped = s.skips_roster;
    } else {
      record = JournalRecord{.at = s.context.now, .pool = s.context.pool};
      const unsigned head = in.byte();
      const std::size_t kind = head & kKindMask;
      if (kind == 0 || kind >= std::variant_size_v<JournalEvent>) in.wrong("an unknown event");
      if ((head & kSamePool) == 0) in.get(record->pool);
      if ((head & kSameTime) == 0) in.get(record->at);
      if (record->at < s.context.now) in.wrong("time goes back");
      s.context.pool = record->pool;
      s.context.now = record->at;
      if (in.ok())
        get_event(in, kind, record->event,
                  std::make_index_sequence<std::variant_size_v<JournalEvent>>{});
      if (!in.ok()) record = s.fail(in);
      ++s.records;
      if (s.roster_left > 0) {
        --s.roster_left;
        skipped = s.skips_roster;
      }
    }
    if (!record) break;
    s.position += in.position();
    if (!skipped) return record;
  }
  if (s.error) return std::unexpected(*s.error);
  return std::nullopt;
}

}  // namespace turnpike::core
