// Answers every path with who answered and what came in. What the caller may ask for:
//   x-echo-status: 503       answer with that status
//   x-echo-delay-ms: 200     wait first
//   x-echo-fail-version: v2  fail with 503, but only in that version
//   POST /fail, POST /heal   fail every later request with 503, and stop doing so (this copy only)
//   GET /call?url=http://x/  call another service and show its answer
import { call, env, handedOn, json, self, serve } from './service.mjs';

let failing = false;

function statusFor(req) {
  const asked = Number(req.headers['x-echo-status'] ?? 200);
  if (failing || req.headers['x-echo-fail-version'] === (env.VERSION ?? 'v1')) return 503;
  return asked >= 200 && asked <= 599 ? asked : 400;
}

serve(async (req, res, url) => {
  if (req.method === 'POST' && (url.pathname === '/fail' || url.pathname === '/heal')) {
    failing = url.pathname === '/fail';
    return json(res, 200, { ...self(req), failing });
  }
  const delay = Math.min(Number(req.headers['x-echo-delay-ms'] ?? 0) || 0, 30_000);
  if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
  const target = url.pathname === '/call' ? url.searchParams.get('url') : null;
  const upstream = target === null ? undefined : await call(target, '', handedOn(req.headers));
  // Every header, so that header operations of routes can be seen.
  return json(res, statusFor(req), {
    ...self(req),
    headers: req.headers,
    ...(upstream === undefined ? {} : { upstream: { target: upstream } }),
  });
});
