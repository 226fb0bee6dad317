#include "store/shard.h"

namespace turnpike::store {

void Shard::work_off(std::unique_lock<std::mutex>& lock) {
  while (!mailbox_.empty()) {
    batch_.swap(mailbox_);
    lock.unlock();
    room_.notify_all();
    bool asked = false;
    for (const Message& message : batch_) {
      std::visit([this](const auto& m) { handle(m); }, message);
      asked = asked || std::holds_alternative<Question>(message);
    }
    lock.lock();
    if (asked) {
      for (const Message& message : batch_) {
        if (const auto* question = std::get_if<Question>(&message)) *question->answered = true;
      }
      answer_.notify_all();
    }
    batch_.clear();
  }
  busy_ = false;
}

}  // namespace turnpike::store
