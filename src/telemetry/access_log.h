#pragma once
namespace turnpike::telemetry { class AccessLog {}; }
