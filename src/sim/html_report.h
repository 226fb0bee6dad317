#pragma once

#include <string>

#include "sim/report.h"

namespace turnpike::sim {

// One HTML page with tables and plots of the runs. It needs no other file and no network: style, script and figures are in it.
std::string html_report(const ResultFile& file);

}  // namespace turnpike::sim
