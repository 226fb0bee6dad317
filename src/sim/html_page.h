#pragma once

#include <string_view>

namespace turnpike::sim {

// The parts of the report's page around its figures, which the script reads as `data`. No reference to anything outside.
std::string_view html_page_head();
std::string_view html_page_script();

}  // namespace turnpike::sim
