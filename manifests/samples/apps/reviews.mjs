// Bookinfo's reviews: v1 without stars, v2 with black and v3 with red stars, which it asks the ratings service for.
import { call, env, handedOn, json, notFound, self, serve, urlOf } from './service.mjs';

const COLORS = { v1: undefined, v2: 'black', v3: 'red' };
const color = COLORS[env.VERSION ?? 'v1'];
const ratings = urlOf('ratings', 9080);
const OPINIONS = [
  { reviewer: 'Reviewer1', text: 'Two pairs of twins and one long day; it never stops being funny.' },
  { reviewer: 'Reviewer2', text: 'Short and loud. Read it aloud or not at all.' },
];

serve(async (req, res, url) => {
  const id = /^\/reviews\/(\d+)$/.exec(url.pathname)?.[1];
  if (id === undefined) return notFound(req, res);
  if (color === undefined) return json(res, 200, { ...self(req), id, stars: 'none', reviews: OPINIONS });
  const grades = await call(ratings, `/ratings/${id}`, handedOn(req.headers));
  const rated = OPINIONS.map((one) => {
    const grade = grades.status === 200 ? grades.body.ratings[one.reviewer] : undefined;
    return { ...one, rating: grade === undefined ? { error: 'no rating available', color } : { stars: grade, color } };
  });
  return json(res, 200, { ...self(req), id, stars: color, reviews: rated, upstream: { ratings: grades } });
});
