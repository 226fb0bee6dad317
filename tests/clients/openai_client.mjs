// openai_client.mjs BASE_URL MODEL: the npm client as an application would use it; prints what it saw as JSON.
import OpenAI from 'openai';

const [baseURL, model] = process.argv.slice(2);
const client = new OpenAI({
  baseURL, apiKey: 'sk-test', maxRetries: 0, timeout: 30_000, defaultHeaders: {'X-Session-ID': 'javascript-1'}});
const history = [{role: 'user', content: 'history '.repeat(250)}];

const first = await client.chat.completions.create({model, messages: history, max_tokens: 6});
const whole = {text: first.choices[0].message.content, completionTokens: first.usage.completion_tokens};

const messages = [...history, first.choices[0].message, {role: 'user', content: 'And then?'}];
const second = await client.chat.completions.create({model, messages, max_tokens: 6});
const secondTurn = {cached: second.usage.prompt_tokens_details?.cached_tokens ?? 0};

const stream = {text: '', usage: null};
for await (const event of await client.chat.completions.create(
  {model, messages, max_tokens: 9, stream: true, stream_options: {include_usage: true}})) {
  stream.text += event.choices[0]?.delta?.content ?? '';
  stream.usage = event.usage ?? stream.usage;
}

const plainStream = {withUsage: 0, finish: null};
for await (const event of await client.chat.completions.create({model, messages, max_tokens: 3, stream: true})) {
  if (event.usage) plainStream.withUsage++;
  plainStream.finish = event.choices[0]?.finish_reason ?? plainStream.finish;
}

let unknownModel = {};
try {
  await client.chat.completions.create({model: 'nope', messages});
} catch (error) {
  unknownModel = {status: error.status, message: error.message};
}

const aborted = await client.chat.completions.create({model, messages, max_tokens: 100_000, stream: true});
for await (const _ of aborted) break; // leaves the loop, and with it the stream

const models = [];
for await (const entry of client.models.list()) models.push(entry.id);

console.log(JSON.stringify({whole, secondTurn, stream, plainStream, unknownModel, models}));
