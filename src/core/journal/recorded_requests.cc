#include "core/journal/recorded_requests.h"

#include <string>
#include <utility>
#include <variant>

#include <absl/container/flat_hash_map.h>

#include "core/journal/journal_reader.h"

namespace turnpike::core {

namespace {

using namespace journal;

class Collector {
 public:
  void take(JournalRecord record) {
    if (auto* submitted = std::get_if<Submitted>(&record.event)) {
      open_.insert_or_assign(submitted->submission.id, all_.requests.size());
      all_.requests.push_back({.arrival = record.at,
                               .pool = record.pool,
                               .submission = std::move(submitted->submission)});
    } else if (const auto* cancelled = std::get_if<Cancelled>(&record.event)) {
      if (RecordedRequest* request = find(cancelled->request)) {
        request->cancelled_in_queue = true;
        end(*request, record.at);
      }
    } else if (const auto* first = std::get_if<FirstToken>(&record.event)) {
      RecordedRequest* request = find(first->request);
      if (request != nullptr && !request->first_token) request->first_token = record.at;
    } else if (const auto* settled = std::get_if<Settled>(&record.event)) {
      if (RecordedRequest* request = find(settled->request)) {
        request->settlement = settled->settlement;
        end(*request, record.at);
      }
    } else if (const auto* failed = std::get_if<Failed>(&record.event)) {
      if (RecordedRequest* request = find(failed->request)) ++request->attempts_failed;
    } else if (std::holds_alternative<Began>(record.event)) {
      if (std::exchange(begun_, true)) ++all_.gaps;
      open_.clear();
    }
  }
  RecordedRequests result() { return std::move(all_); }

 private:
  RecordedRequest* find(RequestId id) {
    const auto found = open_.find(id);
    return found == open_.end() ? nullptr : &all_.requests[found->second];
  }
  void end(RecordedRequest& request, TimePoint at) {
    request.ended = at;
    open_.erase(request.submission.id);
  }

  RecordedRequests all_;
  absl::flat_hash_map<RequestId, std::size_t> open_;
  bool begun_ = false;
};

}  // namespace

Expected<RecordedRequests> read_requests(const std::vector<std::string_view>& pieces) {
  Collector collector;
  JournalReader reader{std::string_view{}};
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    reader.continue_with(pieces[i]);
    while (true) {
      auto record = reader.next();
      if (!record) {
        if (reader.broken_off()) break;
        return fail("piece " + std::to_string(i) + ", " + record.error().message);
      }
      if (!*record) break;
      collector.take(std::move(**record));
    }
  }
  return collector.result();
}

}  // namespace turnpike::core
