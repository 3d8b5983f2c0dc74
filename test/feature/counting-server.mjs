// For `gatehouse up --image`: a server that counts what reaches it, by the name of the run in x-run, and tells at /counts, which a
// test asks it directly. What a request may ask for:
//   x-fail-times: 2    fail with 503 until that many requests of the run have come
//   x-fail-at: v2      fail with 500, but only in that version
//   x-delay-ms: 500    wait first
import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';

const version = process.env.VERSION ?? 'v1';
/** By run: what each request said of which attempt it is, and under which host it came. */
const runs = new Map();

function answer(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

createServer(async (request, response) => {
  request.resume();
  if (request.url === '/healthz') return answer(response, 200, {});
  if (request.url === '/counts') return answer(response, 200, { version, runs: Object.fromEntries(runs) });
  const { headers } = request;
  // The echo sample hands x-request-id on, and not x-run.
  const run = headers['x-run'] ?? headers['x-request-id'] ?? 'none';
  const seen = runs.get(run) ?? [];
  runs.set(run, seen);
  seen.push({ attempt: headers['x-envoy-attempt-count'] ?? '', host: headers.host });
  const nth = seen.length;
  const delay = Math.min(Number(headers['x-delay-ms'] ?? 0), 10_000);
  if (delay > 0) await setTimeout(delay);
  const status = nth <= Number(headers['x-fail-times'] ?? 0) ? 503 : headers['x-fail-at'] === version ? 500 : 200;
  answer(response, status, { version });
}).listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? '0.0.0.0');
