#include "core/pool/events.h"

namespace turnpike::core {

std::string_view to_string(Why why) {
  switch (why) {
    case Why::resident:
      return "resident";
    case Why::boosted:
      return "boosted";
    case Why::cold:
      return "cold";
    case Why::bypass:
      return "bypass";
    case Why::seat:
      return "seat";
    case Why::deadline:
      return "deadline";
  }
  return "";
}

std::string_view to_string(RejectReason reason) {
  switch (reason) {
    case RejectReason::queue_full:
      return "queue-full";
    case RejectReason::tenant_queue_full:
      return "tenant-queue-full";
    case RejectReason::displaced:
      return "displaced";
    case RejectReason::queue_timeout:
      return "queue-timeout";
    case RejectReason::no_endpoint:
      return "no-endpoint";
    case RejectReason::unknown_model:
      return "unknown-model";
    case RejectReason::attempts_exhausted:
      return "attempts-exhausted";
    case RejectReason::saturated:
      return "saturated";
    case RejectReason::shutting_down:
      return "shutting-down";
    case RejectReason::predicted_wait:
      return "predicted-wait";
  }
  return "";
}

std::string_view to_string(FailureKind kind) {
  switch (kind) {
    case FailureKind::refused:
      return "refused";
    case FailureKind::died:
      return "died";
    case FailureKind::bad_gateway:
      return "bad-gateway";
    case FailureKind::saturated:
      return "saturated";
  }
  return "";
}

std::string_view to_string(Role role) {
  switch (role) {
    case Role::both:
      return "both";
    case Role::prefill:
      return "prefill";
    case Role::decode:
      return "decode";
  }
  return "";
}

std::string_view to_string(HandOver mode) {
  switch (mode) {
    case HandOver::none:
      return "none";
    case HandOver::vllm_nixl:
      return "vllm-nixl";
    case HandOver::vllm_simple:
      return "vllm-simple";
    case HandOver::sglang:
      return "sglang";
  }
  return "";
}

}  // namespace turnpike::core
