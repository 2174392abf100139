// openai-node: a stream, its tool call, and a second turn by previous_response_id.
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const [question, nextQuestion] = process.argv.slice(2);
const report = { called: [], deltas: [], texts: [] };
const tools = [
  {
    type: "function",
    name: "get_weather",
    description: "Tells the weather in a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
    strict: true,
  },
];

async function turn(input, previous) {
  const deltas = [];
  let response;
  while (!response || input.length) {
    const stream = client.responses.stream({ model: "up/m", input, tools, previous_response_id: previous });
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") deltas.push(event.delta);
    }
    response = await stream.finalResponse();
    previous = response.id;
    input = response.output.filter((item) => item.type === "function_call").map(answer);
  }
  report.deltas.push(deltas);
  report.texts.push(response.output_text);
  return previous;
}

function answer(call) {
  const { city } = JSON.parse(call.arguments);
  report.called.push(city);
  return { type: "function_call_output", call_id: call.call_id, output: `It is cold in ${city}.` };
}

const first = await turn([{ role: "user", content: question }], null);
await turn([{ role: "user", content: nextQuestion }], first);
console.log(JSON.stringify(report));
