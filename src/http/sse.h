#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::http {

struct SseEvent {
  std::string_view raw =
      {};  // every byte, the blank line included: what is relayed if the event is
  std::string_view data = {};  // the payload; several data lines are joined by \n
  std::string_view type = {};  // of the `event:` line; empty if there is none
  bool has_data = false;       // false for comments and for stray blank lines
  // A piece of an event that is larger than the bound: to be relayed as it is; data, type and
  // has_data are not set.
  bool fragment = false;
};

// Cuts a stream of server-sent events into events. The concatenation of all `raw`, and of pending()
// at the end, is the stream, byte for byte. Lines may end in \n, \r\n or \r; anything may be split
// over reads at any place. Holds at most `max_event` bytes between calls: an event larger than that
// comes as fragments, and scanning resumes behind it. An event that lies in one read is not copied
// (unless it has several data lines). One thread.
class SseScanner {
 public:
  explicit SseScanner(std::size_t max_event = std::size_t{256} * 1024) : max_event_(max_event) {}

  // Takes bytes off the front of `in` and gives the next event; nothing when `in` is used up (the
  // beginning of an event may be held back). The views last until the next call, and as long as the
  // bytes behind `in`.
  std::optional<SseEvent> next(std::string_view& in);

  // What is held of an unfinished event: at the end of the stream, relay it.
  [[nodiscard]] std::string_view pending() const { return emitted_ ? std::string_view() : held_; }

 private:
  std::optional<SseEvent> emit(std::string_view raw);
  // Length of `in` up to and with the end of an event; nothing if that is not in it.
  std::optional<std::size_t> find_end(std::string_view in);

  std::size_t max_event_;
  std::string held_;      // the beginning of an event
  std::string joined_;    // several data lines
  bool emitted_ = false;  // held_ was given out and goes at the next call
  bool overflowed_ = false;
  bool line_has_bytes_ = false;
  bool after_cr_ = false;  // a \n here belongs to the line end before
  bool at_start_ = true;   // of the stream: a byte order mark is no part of the first line
};

}  // namespace turnpike::http
