#pragma once

#include <expected>
#include <string_view>

#include "openai/body.h"

namespace turnpike::openai {

// Whether a content-type names a multipart form, as uploads of audio and images are.
bool is_form(std::string_view content_type);

// What a gateway needs to know of such a body: `model`, `stream`, `user`, and how much there is. One pass; files are skipped, not
// read. `model_at` and `model_size` are the bare value, without quotes. A form that its own boundary does not take apart is an
// error, and so is a field that is read and given twice.
std::expected<BodyFacts, BodyError> scan_form(std::string_view content_type, std::string_view body);

}  // namespace turnpike::openai
