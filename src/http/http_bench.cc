#include <string>

#include <benchmark/benchmark.h>

#include "http/chunk.h"
#include "http/head.h"
#include "http/sse.h"
#include "http/write.h"

namespace turnpike::http {
namespace {

constexpr std::string_view kHead =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: gateway.example.com:8080\r\n"
    "Accept-Encoding: gzip, deflate, zstd\r\n"
    "Connection: keep-alive\r\n"
    "Accept: application/json\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: OpenAI/Python 1.55.0\r\n"
    "X-Stainless-Lang: python\r\n"
    "X-Session-ID: 6f1d7c1e-6a0b-4e0a-9a53-0c6b7b1f3a11\r\n"
    "Authorization: Bearer sk-0123456789abcdef0123456789abcdef\r\n"
    "Content-Length: 8192\r\n"
    "\r\n";

void BM_ParseRequestHead(benchmark::State& state) {
  RequestHead head;
  for (auto _ : state) {
    std::size_t scanned = 0;
    benchmark::DoNotOptimize(parse_request_head(kHead, scanned, {}, head));
  }
}
BENCHMARK(BM_ParseRequestHead);

void BM_WriteRequestHead(benchmark::State& state) {
  RequestHead head;
  std::size_t scanned = 0;
  parse_request_head(kHead, scanned, {}, head);
  std::string out;
  for (auto _ : state) {
    out.clear();
    write_request_head(
        out, head, {.host = "10.0.0.1:8000", .framing = Framing::length, .content_length = 8192});
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_WriteRequestHead);

constexpr std::string_view kEvent =
    "data: "
    "{\"id\":\"chatcmpl-sample-1\",\"object\":\"chat.completion.chunk\",\"created\":1795247045,"
    "\"model\":\"tiny\",\"choices\":"
    "[{\"index\":0,\"delta\":{\"content\":\"V\"},\"logprobs\":null,\"finish_reason\":null,\"token_"
    "ids\":null}]}\n\n";

void BM_SseEvent(benchmark::State& state) {
  SseScanner scanner;
  for (auto _ : state) {
    std::string_view in = kEvent;
    while (const auto event = scanner.next(in)) benchmark::DoNotOptimize(event->data.data());
  }
}
BENCHMARK(BM_SseEvent);

void BM_ChunkedEvent(benchmark::State& state) {
  std::string chunk;
  write_chunk(chunk, kEvent);
  ChunkDecoder decoder;
  for (auto _ : state) {
    std::string_view in = chunk;
    while (!in.empty()) {
      const auto step = decoder.feed(in);
      benchmark::DoNotOptimize(step.data.data());
      in.remove_prefix(step.consumed);
    }
  }
}
BENCHMARK(BM_ChunkedEvent);

}  // namespace
}  // namespace turnpike::http
