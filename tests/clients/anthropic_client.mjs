// anthropic_client.mjs BASE_URL MODEL: the npm client as an application would use it; prints what it saw as JSON.
import Anthropic from '@anthropic-ai/sdk';

const [baseURL, model] = process.argv.slice(2);
const client = new Anthropic({baseURL, apiKey: 'sk-test', maxRetries: 0, timeout: 30_000});
const messages = [{role: 'user', content: 'How is it?'}];

const whole = await client.messages.create({model, max_tokens: 8, messages});
const stream = client.messages.stream({model, max_tokens: 8, messages});
let text = '';
stream.on('text', (part) => { text += part; });
const final = await stream.finalMessage();

const tools = [{name: 'weather', description: 'The weather', input_schema: {type: 'object', properties: {city: {type: 'string'}}}}];
const called = await client.messages.stream({model, max_tokens: 8, messages, tools}).finalMessage();
const tool = {name: called.content[0].name, input: called.content[0].input};

let unknownModel = {};
try {
  await client.messages.create({model: 'nope', max_tokens: 8, messages});
} catch (error) {
  unknownModel = {status: error.status, type: error.error?.error?.type};
}
console.log(JSON.stringify({whole: whole.content[0].text, stream: text, cached: final.usage.cache_read_input_tokens, tool, unknownModel}));
