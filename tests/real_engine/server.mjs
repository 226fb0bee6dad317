// server.mjs MODEL.gguf [--slots N] [--context N] [--name NAME]
//
// An OpenAI-compatible server over node-llama-cpp: llama.cpp itself decodes, with its own KV cache, one sequence a slot and
// continuous batching. Listens on a free loopback port and prints "ready PORT". A request goes to the free slot that shares
// the longest prefix with it, if that is a tenth of it or more, else to the one that was idle the longest; the rest waits in
// order of arrival. Metrics are in llama.cpp's dialect.
import http from 'node:http';
import {parseArgs} from 'node:util';
import {getLlama} from 'node-llama-cpp';

const {values: options, positionals: [modelPath]} = parseArgs({allowPositionals: true, options: {
  slots: {type: 'string', default: '4'}, context: {type: 'string', default: '8192'}, name: {type: 'string', default: 'tiny'}}});
const contextSize = Number(options.context);

const llama = await getLlama({gpu: false, maxThreads: 1, build: 'never', logLevel: 'error'});
const model = await llama.loadModel({modelPath});
const context = await model.createContext({contextSize, sequences: Number(options.slots), batchSize: 512, threads: 1});
const slots = Array.from({length: Number(options.slots)}, () => ({sequence: context.getSequence(), busy: false, idleSince: 0}));
const waiting = [];
const totals = {prompt: 0, cached: 0, predicted: 0};

class Refusal extends Error {
  constructor(status, type, message) {
    super(message);
    Object.assign(this, {status, type});
  }
}

function sharedPrefix(a, b) {
  const most = Math.min(a.length, b.length);
  let i = 0;
  while (i < most && a[i] === b[i]) i++;
  return i;
}

function pickSlot(tokens) {
  const free = slots.filter(slot => !slot.busy);
  if (free.length === 0) return null;
  const scored = free.map(slot => ({slot, shared: sharedPrefix(slot.sequence.contextTokens, tokens)}));
  const best = scored.reduce((a, b) => (b.shared > a.shared ? b : a));
  if (best.shared >= tokens.length / 10) return best.slot;
  return free.reduce((a, b) => (b.idleSince < a.idleSince ? b : a));
}

function startWaiting() {
  while (waiting.length > 0) {
    if (waiting[0].gone) {
      waiting.shift();
      continue;
    }
    const slot = pickSlot(waiting[0].tokens);
    if (slot === null) return;
    const job = waiting.shift();
    slot.busy = true;
    decode(slot.sequence, job).catch(error => job.fail(error)).finally(() => {
      slot.busy = false;
      slot.idleSince = performance.now();
      startWaiting();
    });
  }
}

async function decode(sequence, job) {
  await sequence.adaptStateToTokens(job.tokens.slice(0, -1), false);
  const cached = sequence.nextTokenIndex;
  let count = 0;
  let reason = 'length';
  for await (const token of sequence.evaluate(job.tokens.slice(cached), {temperature: 0.8, yieldEogToken: true})) {
    if (job.gone) break;
    count++;
    if (model.isEogToken(token)) {
      reason = 'stop';
      break;
    }
    job.emit(model.detokenize([token]) || ' ');
    if (count >= job.limit || sequence.nextTokenIndex + 1 >= contextSize) break;
    await new Promise(setImmediate); // lets a close of the connection be seen between tokens
  }
  totals.prompt += job.tokens.length - cached;
  totals.cached += cached;
  totals.predicted += count;
  job.finish(reason, {prompt_tokens: job.tokens.length, completion_tokens: count, total_tokens: job.tokens.length + count,
    prompt_tokens_details: {cached_tokens: cached}});
}

const plainText = content => typeof content === 'string' ? content : (content ?? []).map(part => part.text ?? '').join('');

function understand(text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new Refusal(400, 'invalid_request_error', `not JSON: ${error.message}`);
  }
  if (!Array.isArray(body.messages)) throw new Refusal(400, 'invalid_request_error', "'messages' is required");
  const rendered = body.messages.map(message => `[${message.role}] ${plainText(message.content)}\n`).join('') + '[assistant] ';
  const tokens = model.tokenize(rendered, true);
  if (tokens.length + 1 >= contextSize) {
    throw new Refusal(400, 'exceed_context_size_error',
      `request (${tokens.length} tokens) exceeds the available context size (${contextSize} tokens)`);
  }
  return {body, tokens};
}

function chat(response, text) {
  const {body, tokens} = understand(text);
  const common = {id: `chatcmpl-${Math.random().toString(36).slice(2)}`, created: Math.floor(Date.now() / 1000), model: options.name};
  const event = fields => response.write(`data: ${JSON.stringify({...common, object: 'chat.completion.chunk', ...fields})}\n\n`);
  const choice = (delta, finish = null) => ({choices: [{index: 0, delta, finish_reason: finish}]});
  let said = '';
  const begin = () => {
    if (response.headersSent) return;
    response.writeHead(200, {'content-type': 'text/event-stream'});
    event(choice({role: 'assistant', content: null}));
  };
  const job = {
    tokens, limit: body.max_tokens ?? body.max_completion_tokens ?? 256, gone: false,
    emit(token) {
      said += token;
      if (!body.stream) return;
      begin();
      event(choice({content: token}));
    },
    fail(error) {
      if (response.headersSent) response.destroy();
      else refuse(response, error);
    },
    finish(reason, usage) {
      if (job.gone) return;
      if (!body.stream) {
        const message = {role: 'assistant', content: said};
        reply(response, 200, {...common, object: 'chat.completion', choices: [{index: 0, message, finish_reason: reason}], usage});
        return;
      }
      begin();
      event(choice({}, reason));
      if (body.stream_options?.include_usage) event({choices: [], usage});
      response.end('data: [DONE]\n\n');
    },
  };
  response.on('close', () => { job.gone = !response.writableFinished; });
  waiting.push(job);
  startWaiting();
}

function reply(response, status, body) {
  response.writeHead(status, {'content-type': 'application/json'});
  response.end(JSON.stringify(body));
}

function refuse(response, error) {
  reply(response, error.status ?? 500, {error: {code: error.status ?? 500, type: error.type ?? 'server_error', message: error.message}});
}

function metrics() {
  const rows = [
    ['counter', 'prompt_tokens_total', totals.prompt], ['counter', 'prompt_tokens_cached_total', totals.cached],
    ['counter', 'tokens_predicted_total', totals.predicted],
    ['gauge', 'requests_processing', slots.filter(slot => slot.busy).length],
    ['gauge', 'requests_deferred', waiting.filter(job => !job.gone).length]];
  return rows.map(([type, name, value]) => `# TYPE llamacpp:${name} ${type}\nllamacpp:${name} ${value}\n`).join('');
}

const server = http.createServer((request, response) => {
  const path = request.url.split('?')[0];
  if (request.method === 'POST' && path === '/v1/chat/completions') {
    let text = '';
    request.setEncoding('utf8').on('data', piece => { text += piece; }).on('end', () => {
      try {
        chat(response, text);
      } catch (error) {
        refuse(response, error);
      }
    });
  } else if (path === '/v1/models') {
    reply(response, 200, {object: 'list', data: [{id: options.name, object: 'model', created: 1, owned_by: 'llamacpp'}]});
  } else if (path === '/health') {
    reply(response, 200, {status: 'ok'});
  } else if (path === '/slots') {
    reply(response, 200, slots.map((slot, id) => ({id, n_ctx: contextSize, is_processing: slot.busy})));
  } else if (path === '/metrics') {
    response.writeHead(200, {'content-type': 'text/plain; version=0.0.4'}).end(metrics());
  } else {
    refuse(response, new Refusal(404, 'not_found_error', 'no such path'));
  }
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
