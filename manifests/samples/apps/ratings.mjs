// Bookinfo's ratings: GET /ratings/0.
import { json, notFound, self, serve } from './service.mjs';

serve((req, res, url) => {
  const id = /^\/ratings\/(\d+)$/.exec(url.pathname)?.[1];
  if (id === undefined) return notFound(req, res);
  return json(res, 200, { ...self(req), id: Number(id), ratings: { Reviewer1: 5, Reviewer2: 4 } });
});
