#include "sim/html_report.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "sim/html_page.h"

namespace turnpike::sim {
namespace {

using Json = nlohmann::ordered_json;

// Five digits are more than a plot shows.
Json rounded(double value) {
  if (value == 0 || !std::isfinite(value)) return 0;
  const double scale = std::pow(10.0, 4 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

Json rounded(const std::vector<double>& values) {
  Json all = Json::array();
  for (const double value : values) all.push_back(rounded(value));
  return all;
}

Json curves_of(const Curves& curves) {
  Json timeline = Json::array();
  for (const TimelinePoint& p : curves.timeline) {
    timeline.push_back({{"at_s", rounded(p.at_s)},
                        {"output_tokens_per_s", rounded(p.output_tokens_per_s)},
                        {"queued", p.queued},
                        {"engine_waiting", p.engine_waiting},
                        {"kv_usage", rounded(p.kv_usage)},
                        {"resident_share", rounded(p.resident_share)}});
  }
  return {{"ttft_s", rounded(curves.ttft_s)},
          {"session_completion_s", rounded(curves.session_completion_s)},
          {"timeline", std::move(timeline)}};
}

// As JSON that can stand inside of a script: no tag can begin in it.
std::string in_script(const Json& json) {
  std::string text = json.dump();
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace

std::string html_report(const ResultFile& file) {
  Json runs = Json::array();
  for (const RunResult& run : file.runs) {
    Json entry = to_json(run);
    entry["curves"] = curves_of(run.curves);
    if (run.sweep) entry["sweep"]["about"] = run.sweep->about;
    runs.push_back(std::move(entry));
  }
  Json data = {{"command", file.command},
               {"version", file.version},
               {"seed", file.seed},
               {"started", file.started},
               {"runs", std::move(runs)}};
  std::string page(html_page_head());
  page += "const data = ";
  page += in_script(data);
  page += ';';
  page += html_page_script();
  return page;
}

}  // namespace turnpike::sim
