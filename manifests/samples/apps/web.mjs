// One line that names the version, for demonstrations of traffic splits: `Version: v0.1`.
import { env, notFound, serve, text } from './service.mjs';

serve((req, res, url) => {
  if (url.pathname !== '/') return notFound(req, res);
  return text(res, 200, `Version: ${env.VERSION ?? 'v0.1'}\n`);
});
