// The shop's fraud API: GET /scores/7.
import { json, notFound, self, serve } from './service.mjs';

serve((req, res, url) => {
  const id = /^\/scores\/(\d{1,9})$/.exec(url.pathname)?.[1];
  if (id === undefined) return notFound(req, res);
  return json(res, 200, { ...self(req), id: Number(id), score: (Number(id) * 37) % 100 });
});
