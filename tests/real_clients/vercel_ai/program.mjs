// Vercel AI SDK: two streamed turns of streamText, the history sent as items and references to stored ones.
import { createOpenAI } from "@ai-sdk/openai";
import { isStepCount, streamText, tool } from "ai";
import { z } from "zod";

const openai = createOpenAI();
const [question, nextQuestion] = process.argv.slice(2);
const report = { called: [], deltas: [], texts: [] };
const tools = {
  get_weather: tool({
    description: "Tells the weather in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      report.called.push(city);
      return `It is cold in ${city}.`;
    },
  }),
};

async function turn(messages) {
  const deltas = [];
  const result = streamText({
    model: openai.responses("up/m"),
    messages,
    tools,
    maxRetries: 0,
    stopWhen: isStepCount(5),
    onError: ({ error }) => {
      throw error;
    },
  });
  for await (const delta of result.textStream) deltas.push(delta);
  report.deltas.push(deltas);
  report.texts.push(await result.text);
  return [...messages, ...(await result.responseMessages)];
}

const messages = await turn([{ role: "user", content: question }]);
await turn([...messages, { role: "user", content: nextQuestion }]);
console.log(JSON.stringify(report));
