#include "app/trace_workload.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "sim/trace.h"
#include "sim/trace_journal.h"
#include "sim/trace_reader.h"
#include "telemetry/journal_files.h"

namespace turnpike::app {
namespace {

// Sessions at a time of a trace that does not say when they begin.
constexpr std::uint32_t kTraceConcurrency = 32;

using TracePtr = std::shared_ptr<const sim::Trace>;

// A directory is one of journal files.
bool is_journal(const TraceOptions& options) {
  if (options.trace_format == kJournalFormat) return true;
  return options.trace_format == "detect" &&
         (options.trace.ends_with(".journal") || std::filesystem::is_directory(options.trace));
}

Expected<TracePtr> read_the_journal(const std::string& path, std::vector<std::string>& remarks) {
  const auto files = telemetry::read_journal(path);
  if (!files) return std::unexpected(files.error());
  auto read = sim::journal_trace({files->begin(), files->end()});
  if (!read) return fail(fmt::format("{}: {}", path, read.error().message));
  if (read->left_out > 0) {
    remarks.push_back(
        fmt::format("{}: {} requests are left out, since they were not answered to their end", path,
                    read->left_out));
  }
  return std::make_shared<const sim::Trace>(std::move(read->trace));
}

Expected<TracePtr> read(const TraceOptions& options, std::vector<std::string>& remarks) {
  if (is_journal(options)) return read_the_journal(options.trace, remarks);
  auto trace = sim::read_trace_file(options.trace, *sim::find_trace_format(options.trace_format));
  if (!trace) return std::unexpected(trace.error());
  return std::make_shared<const sim::Trace>(*std::move(trace));
}

}  // namespace

void TraceOptions::add_to(CLI::App& command, CLI::Option* workload) {
  auto* const option =
      command
          .add_option(
              "--trace", trace,
              "Play this recording instead of a workload: a file, or a directory of journal files")
          ->check(CLI::ExistingPath)
          ->excludes(workload);
  std::vector<std::string> formats;
  for (const std::string_view name : sim::trace_format_names()) formats.emplace_back(name);
  formats.emplace_back(kJournalFormat);
  command.add_option("--trace-format", trace_format, "What it is written in")
      ->needs(option)
      ->check(CLI::IsMember(formats))
      ->type_name("NAME")
      ->capture_default_str();
}

Expected<sim::Workload> with_trace(sim::Workload workload, const TraceOptions& options,
                                   std::vector<std::string>& remarks) {
  auto trace = read(options, remarks);
  if (!trace) return std::unexpected(trace.error());
  if ((*trace)->begins.empty()) {
    workload.rate = 0;
    if (workload.concurrency == 0) workload.concurrency = kTraceConcurrency;
  } else if (workload.concurrency == 0) {
    const double span = std::max(1.0, to_seconds((*trace)->span));
    workload.rate = static_cast<double>((*trace)->sessions.size()) / span;
  }
  if (workload.sessions == 0 && workload.duration == Duration(0)) {
    workload.sessions = (*trace)->sessions.size();
  }
  workload.trace = *std::move(trace);
  return workload;
}

Expected<sim::Workload> trace_workload(const TraceOptions& options,
                                       std::vector<std::string>& remarks) {
  sim::Workload workload;
  const std::filesystem::path path(options.trace);
  workload.name = (path.has_filename() ? path : path.parent_path()).filename().string();
  workload.name = workload.name.substr(0, workload.name.find('.', 1));
  workload.about = "a trace";
  return with_trace(std::move(workload), options, remarks);
}

}  // namespace turnpike::app
