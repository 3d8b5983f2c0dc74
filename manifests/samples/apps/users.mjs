// The shop's users API: GET /users/7, with the score that the fraud API gives.
import { call, handedOn, json, notFound, self, serve, urlOf } from './service.mjs';

const fraud = urlOf('fraud', 8080);
const NAMES = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Tony', 'Donald', 'Frances', 'Leslie'];

serve(async (req, res, url) => {
  const id = /^\/users\/(\d{1,9})$/.exec(url.pathname)?.[1];
  if (id === undefined) return notFound(req, res);
  const score = await call(fraud, `/scores/${id}`, handedOn(req.headers));
  const user = { id: Number(id), name: NAMES[Number(id) % NAMES.length], score: score.status === 200 ? score.body.score : null };
  return json(res, 200, { ...self(req), user, upstream: { fraud: score } });
});
