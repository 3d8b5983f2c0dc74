// Bookinfo's facts about the book: GET /details/0.
import { json, notFound, self, serve } from './service.mjs';

serve((req, res, url) => {
  const id = /^\/details\/(\d+)$/.exec(url.pathname)?.[1];
  if (id === undefined) return notFound(req, res);
  return json(res, 200, {
    ...self(req),
    id: Number(id),
    author: 'William Shakespeare',
    year: 1595,
    type: 'paperback',
    pages: 200,
    language: 'English',
  });
});
