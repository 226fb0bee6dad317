#include "backend/gauges.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/ascii.h"

namespace turnpike::backend {
namespace {

constexpr int kMaxRows = 4096;  // of needed lines; more than any engine has
constexpr std::size_t kMaxAdapters = 256;

// What a needed line means.
enum class Meaning : std::uint8_t {
  running,
  waiting,
  kv_usage,
  prompt_tokens,
  cached_tokens,
  output_tokens,
  preemptions,
  start_time,
  cache_config,
  adapters,
};

struct Needed {
  std::string_view name;
  Meaning meaning;
  Dialect dialect;  // that this name proves; unknown: none
};

constexpr std::array kNeeded = {
    Needed{"vllm:num_requests_running", Meaning::running, Dialect::vllm},
    Needed{"vllm:num_requests_waiting", Meaning::waiting, Dialect::vllm},
    Needed{"vllm:kv_cache_usage_perc", Meaning::kv_usage, Dialect::vllm},
    Needed{"vllm:gpu_cache_usage_perc", Meaning::kv_usage, Dialect::vllm},
    Needed{"vllm:prompt_tokens_total", Meaning::prompt_tokens, Dialect::vllm},
    Needed{"vllm:prefix_cache_hits_total", Meaning::cached_tokens, Dialect::vllm},
    Needed{"vllm:generation_tokens_total", Meaning::output_tokens, Dialect::vllm},
    Needed{"vllm:num_preemptions_total", Meaning::preemptions, Dialect::vllm},
    Needed{"vllm:cache_config_info", Meaning::cache_config, Dialect::vllm},
    Needed{"vllm:lora_requests_info", Meaning::adapters, Dialect::vllm},
    Needed{"llamacpp:requests_processing", Meaning::running, Dialect::llama_cpp},
    Needed{"llamacpp:requests_deferred", Meaning::waiting, Dialect::llama_cpp},
    Needed{"llamacpp:kv_cache_usage_ratio", Meaning::kv_usage, Dialect::llama_cpp},
    Needed{"llamacpp:prompt_tokens_total", Meaning::prompt_tokens, Dialect::llama_cpp},
    Needed{"llamacpp:prompt_tokens_cached_total", Meaning::cached_tokens, Dialect::llama_cpp},
    Needed{"llamacpp:tokens_predicted_total", Meaning::output_tokens, Dialect::llama_cpp},
    Needed{"process_start_time_seconds", Meaning::start_time, Dialect::unknown},
};

const Needed* find_needed(std::string_view name) {
  if (!name.starts_with("vllm:") && !name.starts_with("llamacpp:") &&
      !name.starts_with("process_")) {
    return nullptr;  // most lines of most engines
  }
  const auto* const found =
      std::ranges::find_if(kNeeded, [&](const Needed& needed) { return needed.name == name; });
  return found == kNeeded.end() ? nullptr : found;
}

std::string_view skip_blanks(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

// The labels of a line, one after the other. `text` starts behind '{'; on success it ends up behind '}'.
template <typename Visit>
bool read_labels(std::string_view& text, Visit&& visit) {
  for (;;) {
    text = skip_blanks(text);
    if (text.starts_with('}')) {
      text.remove_prefix(1);
      return true;
    }
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view name = trim(text.substr(0, equals));
    text = skip_blanks(text.substr(equals + 1));
    if (!text.starts_with('"')) return false;
    std::size_t end = 1;
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
    if (end >= text.size()) return false;
    visit(name, text.substr(1, end - 1));
    text = skip_blanks(text.substr(end + 1));
    if (text.starts_with(',')) text.remove_prefix(1);
  }
}

std::optional<double> read_number(std::string_view text) {
  text = skip_blanks(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value) || value < 0) return std::nullopt;
  if (stop != text.data() + text.size() && *stop != ' ' && *stop != '\t' && *stop != '\r')
    return std::nullopt;
  return value;
}

void add(std::optional<double>& sum, double value) {
  sum = sum.value_or(0) + value;
}

int to_count(double value) {
  return static_cast<int>(std::min(value, double{std::numeric_limits<int>::max()}));
}

// Sums up what the lines say.
class Collector {
 public:
  void line(std::string_view line) {
    const std::size_t end = line.find_first_of("{ \t");
    if (end == std::string_view::npos) return;
    const Needed* const needed = find_needed(line.substr(0, end));
    if (needed == nullptr || rows_ == kMaxRows) return;
    ++rows_;
    std::string_view rest = skip_blanks(line.substr(end));
    Labels labels;
    if (rest.starts_with('{')) {
      rest.remove_prefix(1);
      if (!read_labels(rest, [&](std::string_view name, std::string_view value) {
            labels.blocks.label(name, value);
            labels.adapters.label(name, value);
          })) {
        return;
      }
    }
    const auto value = read_number(rest);
    if (!value) return;
    if (needed->dialect != Dialect::unknown) found_.dialect = needed->dialect;
    take(needed->meaning, *value, labels);
  }

  EngineMetrics finish() {
    core::Gauges& gauges = found_.gauges;
    if (running_) gauges.running = to_count(*running_);
    if (waiting_) gauges.waiting = to_count(*waiting_);
    if (usage_) gauges.kv_usage = std::clamp(*usage_ / usage_rows_, 0.0, 1.0);
    if (capacity_ > 0) gauges.kv_capacity = TokenCount(capacity_);
    gauges.cached_tokens = found_.cached_tokens;
    return found_;
  }

 private:
  // The labels of cache_config_info that say how many tokens fit.
  struct Blocks {
    std::int64_t count = 0;
    std::int64_t size = 0;
    std::int64_t tokens = 0;

    void label(std::string_view name, std::string_view value) {
      std::int64_t* const target = name == "num_gpu_blocks"         ? &count
                                   : name == "block_size"           ? &size
                                   : name == "kv_cache_size_tokens" ? &tokens
                                                                    : nullptr;
      if (target == nullptr) return;
      std::int64_t number = 0;
      const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      // "None" means that the engine does not know. No cache has 2^40 of anything.
      if (error == std::errc{} && stop == value.data() + value.size() && number > 0 &&
          number < (std::int64_t{1} << 40)) {
        *target = number;
      }
    }
    [[nodiscard]] std::int64_t capacity() const {
      if (tokens > 0) return tokens;
      constexpr std::int64_t kMost = std::int64_t{1} << 40;
      return size > 0 && count <= kMost / size ? count * size : 0;
    }
  };

  // The labels of lora_requests_info. The value is the time of writing: old rows stay.
  struct Adapters {
    std::string_view running;
    int places = 0;

    void label(std::string_view name, std::string_view value) {
      if (name == "running_lora_adapters") running = value;
      if (name != "max_lora") return;
      const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), places);
      if (error != std::errc{} || places < 0) places = 0;
    }
    [[nodiscard]] std::vector<std::string> names() const {
      std::vector<std::string> names;
      for (std::string_view rest = running; !rest.empty() && names.size() < kMaxAdapters;) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        if (const std::string_view name = trim(rest.substr(0, comma)); !name.empty())
          names.emplace_back(name);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
      }
      return names;
    }
  };
  struct Labels {
    Blocks blocks;
    Adapters adapters;
  };

  void take(Meaning meaning, double value, const Labels& labels) {
    switch (meaning) {
      case Meaning::running:
        add(running_, value);
        break;
      case Meaning::waiting:
        add(waiting_, value);
        break;
      case Meaning::kv_usage:
        add(usage_, value);
        ++usage_rows_;
        break;
      case Meaning::prompt_tokens:
        add(found_.prompt_tokens, value);
        break;
      case Meaning::cached_tokens:
        add(found_.cached_tokens, value);
        break;
      case Meaning::output_tokens:
        add(found_.output_tokens, value);
        break;
      case Meaning::preemptions:
        add(found_.preemptions, value);
        break;
      case Meaning::start_time:
        found_.start_time = value;
        break;
      case Meaning::cache_config:
        capacity_ += labels.blocks.capacity();
        break;
      case Meaning::adapters:
        if (value < adapters_written_) break;
        adapters_written_ = value;
        found_.adapters = labels.adapters.names();
        found_.gauges.adapter_places = labels.adapters.places;
        break;
    }
  }

  EngineMetrics found_;
  std::optional<double> running_;
  std::optional<double> waiting_;
  std::optional<double> usage_;
  int usage_rows_ = 0;
  double adapters_written_ = 0;
  std::int64_t capacity_ = 0;
  int rows_ = 0;
};

}  // namespace

std::string_view to_string(Dialect dialect) {
  switch (dialect) {
    case Dialect::unknown:
      return "unknown";
    case Dialect::vllm:
      return "vllm";
    case Dialect::llama_cpp:
      return "llama.cpp";
  }
  return "unknown";
}

EngineMetrics parse_metrics(std::string_view text) {
  Collector collector;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = skip_blanks(text.substr(0, end));
    if (!line.starts_with('#')) collector.line(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return collector.finish();
}

Reading GaugeReader::read(std::string_view text) {
  EngineMetrics now = parse_metrics(text);
  const auto fell = [](const std::optional<double>& before, const std::optional<double>& after) {
    return before && after && *after < *before;
  };
  Reading reading;
  reading.gauges = now.gauges;
  reading.adapters = now.adapters;
  if (now.dialect == Dialect::unknown) return reading;  // not metrics: no news
  reading.restarted =
      (last_.start_time && now.start_time && *last_.start_time != *now.start_time) ||
      fell(last_.prompt_tokens, now.prompt_tokens) ||
      fell(last_.cached_tokens, now.cached_tokens) ||
      fell(last_.output_tokens, now.output_tokens) || fell(last_.preemptions, now.preemptions);
  // What this scrape does not say is still known from before.
  const auto keep = [](std::optional<double>& after, const std::optional<double>& before) {
    if (!after) after = before;
  };
  keep(now.start_time, last_.start_time);
  keep(now.prompt_tokens, last_.prompt_tokens);
  keep(now.cached_tokens, last_.cached_tokens);
  keep(now.output_tokens, last_.output_tokens);
  keep(now.preemptions, last_.preemptions);
  last_ = now;
  return reading;
}

}  // namespace turnpike::backend
