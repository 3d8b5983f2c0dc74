// The shop's four front ends (website, mobile, support, rewards): each shows an account, which the users API has.
import { call, env, handedOn, json, notFound, self, serve, text, urlOf } from './service.mjs';

const users = urlOf('users', 8080);
const fraud = urlOf('fraud', 8080);

serve(async (req, res, url) => {
  if (url.pathname === '/') return text(res, 200, `This is ${env.SERVICE ?? 'the shop'} ${env.VERSION ?? ''}\n`);
  const account = /^\/account\/(\d+)$/.exec(url.pathname)?.[1];
  if (account !== undefined) {
    const user = await call(users, `/users/${account}`, handedOn(req.headers));
    return json(res, user.status || 503, { ...self(req), upstream: { users: user } });
  }
  // A front end has no business with fraud scores; the path is there to show that it is refused.
  const score = /^\/score\/(\d+)$/.exec(url.pathname)?.[1];
  if (score !== undefined) {
    const answer = await call(fraud, `/scores/${score}`, handedOn(req.headers));
    return json(res, answer.status || 503, { ...self(req), upstream: { fraud: answer } });
  }
  // The hole through which the support site is broken into: it fetches whatever it is told to (server-side request forgery).
  const hole = env.SERVICE === 'support' && url.pathname === '/preview' ? url.searchParams.get('url') : null;
  if (hole !== null) {
    const stolen = await call(hole, '', {}, url.searchParams.get('method') ?? 'GET');
    return json(res, 200, { ...self(req), upstream: { stolen } });
  }
  return notFound(req, res);
});
