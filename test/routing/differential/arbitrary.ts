// Small pools, so that conditions and requests meet often.
import * as fc from 'fast-check';

const text = (...values: readonly string[]) => fc.constantFrom(...values);

const exact = (...values: readonly string[]) => text(...values).map((value) => ({ exact: value }));
const prefix = (...values: readonly string[]) => text(...values).map((value) => ({ prefix: value }));
const regex = (...values: readonly string[]) => text(...values).map((value) => ({ regex: value }));

const uri = fc.oneof(
  exact('/', '/a', '/A/b', '/v1/x', '/api/a'),
  prefix('/', '/a', '/A', '/v', '/v1/', '/api', '/a/b'),
  regex('/a.*', '.*', '/v[0-9]+/x', '(?i)/api/.*', '/[a-z]+', '/(a|api)(/.*)?'),
);
const value = fc.oneof(exact('1', 'two', ''), prefix('t', '1'), regex('[0-9]+', '.*', 't.o', '*', '(?i)TWO'), fc.constant({}));
const dictionary = (...names: readonly string[]) =>
  fc.dictionary(text(...names), value, { minKeys: 1, maxKeys: 2, noNullPrototype: true });

const match = fc.record(
  {
    uri,
    ignoreUriCase: fc.boolean(),
    method: fc.oneof(exact('GET', 'POST'), prefix('P'), regex('GET|PUT')),
    scheme: fc.oneof(exact('http'), exact('https')),
    authority: fc.oneof(prefix('s', 'h', 'x'), regex('.*', '[sh][0-9]+.*', '.*\\.test')),
    headers: dictionary('x-a', 'X-B', 'cookie'),
    withoutHeaders: dictionary('x-a', 'x-b', 'x-c'),
    queryParams: fc.dictionary(
      text('q', 'debug'),
      fc.oneof(exact('1', 'true'), prefix('t'), regex('[0-9]+', '.*'), fc.constant({})),
      {
        minKeys: 1,
        maxKeys: 2,
        noNullPrototype: true,
      },
    ),
    port: fc.constantFrom(80, 8000),
    sourceLabels: fc.constantFrom({ app: 'client' }, { istio: 'ingressgateway' }, { app: 'else' }),
    gateways: fc.constantFrom(['mesh'], ['gateway'], ['mesh', 'gateway']),
  },
  { requiredKeys: [] },
);

/** Mostly one or two conditions: all of them together hold for nothing. */
const sparse = match.chain((all) =>
  fc.shuffledSubarray(Object.entries(all), { minLength: 0, maxLength: 2 }).map((kept) => Object.fromEntries(kept)),
);

const destination = fc.oneof(
  { weight: 8, arbitrary: text('v1', 'v2', 'v3').map((subset) => ({ host: 'app', subset })) },
  { weight: 2, arbitrary: fc.constant({ host: 'app' }) },
  { weight: 2, arbitrary: fc.constant({ host: 'other', port: { number: 9000 } }) },
  { weight: 1, arbitrary: fc.constant({ host: 'app', subset: 'nowhere' }) },
  { weight: 1, arbitrary: fc.constant({ host: 'nobody', port: { number: 80 } }) },
);

const operations = (...names: readonly string[]) =>
  fc.record(
    {
      set: fc.dictionary(text(...names), text('set', '50%%', ''), { minKeys: 1, maxKeys: 2, noNullPrototype: true }),
      add: fc.dictionary(text(...names), text('added', 'more'), { minKeys: 1, maxKeys: 2, noNullPrototype: true }),
      remove: fc.uniqueArray(text(...names), { minLength: 1, maxLength: 2 }),
    },
    { requiredKeys: [] },
  );

const headers = (side: string) =>
  fc.record({ request: operations('x-a', `x-${side}`, 'x-c'), response: operations(`x-answer-${side}`) }, { requiredKeys: [] });

/** A host of its own for the server, by the header operation that may set it. */
const hosted = (name: string) => fc.constant({ request: { set: { Host: `${name}.inside` } } });

const rewrite = fc.oneof(
  fc.record(
    { uri: text('/', '/new', '/new/', '/n%20w', 'new'), authority: text('rewritten.test', 'other:99') },
    { requiredKeys: [] },
  ),
  fc.constantFrom(
    { uriRegexRewrite: { match: '^/([a-z]+)', rewrite: '/re-\\1' } },
    { uriRegexRewrite: { match: '/', rewrite: '/x' } },
    { uriRegexRewrite: { match: 'a*', rewrite: '-' } },
    { uriRegexRewrite: { match: '(/v)([0-9]+)', rewrite: '\\1er\\2\\0' } },
  ),
);

const one = fc.record(
  { destination, headers: fc.oneof({ weight: 3, arbitrary: headers('d') }, { weight: 1, arbitrary: hosted('destination') }) },
  { requiredKeys: ['destination'] },
);
const several = fc
  .array(fc.tuple(one, fc.constantFrom(0, 1, 30, 70)), { minLength: 2, maxLength: 3 })
  .filter((all) => all.some(([, weight]) => weight > 0))
  .map((all) => all.map(([part, weight]) => ({ ...part, weight })));

const forwarded = fc.record(
  {
    route: fc.oneof({ weight: 3, arbitrary: one.map((part) => [part]) }, { weight: 1, arbitrary: several }),
    rewrite: fc.option(
      rewrite.filter((made) => Object.keys(made).length > 0),
      { nil: undefined, freq: 2 },
    ),
    headers: fc.oneof({ weight: 4, arbitrary: headers('r') }, { weight: 1, arbitrary: hosted('route') }),
    fault: fc.constantFrom(
      undefined,
      undefined,
      undefined,
      { abort: { percentage: { value: 100 }, httpStatus: 418 } },
      { abort: { percentage: { value: 0 }, httpStatus: 418 } },
    ),
  },
  { requiredKeys: ['route'] },
);

const redirect = fc
  .record(
    {
      uri: text('/moved', '/moved?x=y', '%PREFIX()%/there'),
      authority: text('elsewhere.test', 'elsewhere.test:81'),
      scheme: text('http', 'https'),
      port: fc.constantFrom(443, 8443),
      redirectCode: fc.constantFrom(301, 302, 303, 307, 308),
    },
    { requiredKeys: [] },
  )
  .filter(({ uri, authority, scheme, port }) => [uri, authority, scheme, port].some((part) => part !== undefined));

const direct = fc.record({
  status: fc.constantFrom(200, 204, 404, 503),
  body: fc.option(
    text('short', 'a "quoted" body').map((string) => ({ string })),
    { nil: undefined },
  ),
});

const acting = fc.oneof(
  { weight: 6, arbitrary: forwarded },
  { weight: 2, arbitrary: redirect.map((made) => ({ redirect: made })) },
  { weight: 1, arbitrary: direct.map((made) => ({ directResponse: made })) },
);

const route = fc
  .tuple(acting, fc.array(sparse, { maxLength: 3 }), fc.option(text('one', 'two'), { nil: undefined }))
  .map(([made, matches, name]) => ({
    ...(name === undefined ? {} : { name }),
    ...(matches.length === 0 ? {} : { match: matches }),
    ...made,
  }));

export interface Generated {
  readonly http: readonly unknown[];
  /** Routes of a VirtualService without hosts, and where in `http` it is delegated to; the matches there are prefixes. */
  readonly delegate: { readonly at: number; readonly prefix: string | undefined; readonly http: readonly unknown[] } | undefined;
}

export const generatedRoutes: fc.Arbitrary<Generated> = fc.record({
  http: fc.array(route, { minLength: 1, maxLength: 5 }),
  delegate: fc.option(
    fc.record({
      at: fc.nat(3),
      prefix: fc.option(text('/a', '/v'), { nil: undefined }),
      http: fc.array(route, { minLength: 1, maxLength: 3 }),
    }),
    { nil: undefined, freq: 3 },
  ),
});

export interface GeneratedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Which of the host's names. */
  readonly name: number;
  readonly port: boolean;
}

const segments = fc.array(text('a', 'A', 'b', 'v1', 'v12', 'x', 'api', 'aa', ''), { maxLength: 3 });
const query = text('', '', '', '?q=1', '?q', '?q=', '?debug=true&q=12', '?q=2&q=1', '?debug=t%72ue', '?Q=1');

export const generatedRequest: fc.Arbitrary<GeneratedRequest> = fc.record({
  method: text('GET', 'GET', 'POST', 'PUT', 'DELETE'),
  path: fc.tuple(segments, query).map(([parts, rest]) => `/${parts.join('/')}${rest}`),
  headers: fc.dictionary(text('x-a', 'x-b', 'x-c', 'cookie', 'x-r', 'x-d'), text('1', 'two', '', 'TWO', '1,2'), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
  name: fc.nat(4),
  port: fc.boolean(),
});
