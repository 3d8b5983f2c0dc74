// Bookinfo's front page: asks details and reviews, shows both; the same as JSON under /api/v1/products.
import { call, handedOn, json, notFound, self, serve, text, urlOf } from './service.mjs';

const PRODUCT = { id: 0, title: 'The Comedy of Errors' };
const details = urlOf('details', 9080);
const reviews = urlOf('reviews', 9080);
const ratings = urlOf('ratings', 9080);

function escape(value) {
  return String(value).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function userOf(req) {
  return req.headers['end-user'] ?? /(?:^|;\s*)user=([^;]*)/.exec(req.headers.cookie ?? '')?.[1];
}

/** The headers for calls onward; a user who signed in by cookie is named in end-user too. */
function onward(req) {
  const user = userOf(req);
  return { ...handedOn(req.headers), ...(user === undefined ? {} : { 'end-user': user }) };
}

function stars(rating) {
  if (rating?.stars === undefined) return '';
  return `<span class="stars" style="color:${escape(rating.color)}">${'&#9733;'.repeat(rating.stars)}${'&#9734;'.repeat(5 - rating.stars)}</span>`;
}

function section(title, answer, show) {
  const body =
    answer.status === 200
      ? show(answer.body)
      : `<p class="error">not available (${answer.status === 0 ? escape(answer.error) : answer.status})</p>`;
  return `<section><h2>${title}</h2>${body}</section>`;
}

function page(req, book, opinions) {
  const user = userOf(req);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escape(PRODUCT.title)}</title>
<h1>${escape(PRODUCT.title)}</h1><p>${user === undefined ? 'Not signed in' : `Signed in as ${escape(user)}`}</p>
${section('Book Details', book, (body) => `<ul><li>Author: ${escape(body.author)}</li><li>Pages: ${escape(body.pages)}</li></ul>`)}
${section('Book Reviews', opinions, (body) => `${body.reviews.map((one) => `<blockquote>${escape(one.text)} <cite>${escape(one.reviewer)}</cite>${stars(one.rating)}</blockquote>`).join('')}<p>Reviews served by: ${escape(body.pod)} (${escape(body.version)})</p>`)}
</html>\n`;
}

serve(async (req, res, url) => {
  const headers = onward(req);
  switch (url.pathname) {
    case '/':
      return text(
        res,
        200,
        '<!doctype html><title>Bookinfo</title><a href="/productpage">The book</a>\n',
        'text/html; charset=utf-8',
      );
    case '/productpage': {
      const [book, opinions] = await Promise.all([call(details, '/details/0', headers), call(reviews, '/reviews/0', headers)]);
      return text(res, 200, page(req, book, opinions), 'text/html; charset=utf-8');
    }
    case '/login':
      res.writeHead(302, {
        location: '/productpage',
        'set-cookie': `user=${encodeURIComponent(url.searchParams.get('username') ?? '')}; Path=/; HttpOnly; SameSite=Lax`,
      });
      return res.end();
    case '/logout':
      res.writeHead(302, { location: '/productpage', 'set-cookie': 'user=; Path=/; Max-Age=0' });
      return res.end();
    case '/api/v1/products':
      return json(res, 200, [PRODUCT]);
    case '/api/v1/products/0': {
      const [book, opinions] = await Promise.all([call(details, '/details/0', headers), call(reviews, '/reviews/0', headers)]);
      return json(res, 200, { ...self(req), ...PRODUCT, upstream: { details: book, reviews: opinions } });
    }
    case '/api/v1/products/0/reviews': {
      const opinions = await call(reviews, '/reviews/0', headers);
      return json(res, opinions.status || 503, { ...self(req), upstream: { reviews: opinions } });
    }
    case '/api/v1/products/0/ratings': {
      const grades = await call(ratings, '/ratings/0', headers);
      return json(res, grades.status || 503, { ...self(req), upstream: { ratings: grades } });
    }
    default:
      return notFound(req, res);
  }
});
