// Rules of HTTPRoutes. Small pools, so that conditions and requests meet often.
import * as fc from 'fast-check';

const text = (...values: readonly string[]) => fc.constantFrom(...values);

const anyPath = fc.oneof(
  text('/', '/a', '/v1/x', '/api/a').map((value) => ({ type: 'Exact', value })),
  text('/', '/a', '/a/', '/v1', '/api', '/a/b').map((value) => ({ type: 'PathPrefix', value })),
  text('/a.*', '/v[0-9]+/x', '(?i)/api/.*', '/(a|api)(/.*)?').map((value) => ({ type: 'RegularExpression', value })),
);
const prefixPath = text('/', '/a', '/v1', '/api', '/a/b').map((value) => ({ type: 'PathPrefix', value }));

const named = (...names: readonly string[]) =>
  fc.uniqueArray(
    fc.oneof(
      fc.record({ name: text(...names), value: text('1', 'two') }),
      fc.record({ type: fc.constant('RegularExpression'), name: text(...names), value: text('[0-9]+', 't.o', '.*') }),
    ),
    { minLength: 1, maxLength: 2, selector: ({ name }) => name.toLowerCase() },
  );

const matching = (path: fc.Arbitrary<object>) =>
  fc
    .record({ path, method: text('GET', 'POST', 'PUT'), headers: named('x-a', 'X-B'), queryParams: named('q', 'debug') })
    .chain((all) =>
      fc.shuffledSubarray(Object.entries(all), { minLength: 0, maxLength: 2 }).map((kept) => Object.fromEntries(kept)),
    );

const operations = (...names: readonly string[]) =>
  fc.record(
    {
      set: fc.uniqueArray(fc.record({ name: text(...names), value: text('set', 'other') }), {
        minLength: 1,
        maxLength: 2,
        selector: ({ name }) => name,
      }),
      add: fc.uniqueArray(fc.record({ name: text(...names), value: text('added', 'more') }), {
        minLength: 1,
        maxLength: 2,
        selector: ({ name }) => name,
      }),
      remove: fc.uniqueArray(text(...names), { minLength: 1, maxLength: 2 }),
    },
    { requiredKeys: [] },
  );

const requestHeaders = (own: string) =>
  operations('x-a', own, 'x-c').map((requestHeaderModifier) => ({ type: 'RequestHeaderModifier', requestHeaderModifier }));
const responseHeaders = (own: string) =>
  operations(own).map((responseHeaderModifier) => ({ type: 'ResponseHeaderModifier', responseHeaderModifier }));

const fullPath = text('/', '/new', '/a/b').map((replaceFullPath) => ({ type: 'ReplaceFullPath', replaceFullPath }));
const replacedPrefix = text('/', '/new', '/new/', '/a').map((replacePrefixMatch) => ({
  type: 'ReplacePrefixMatch',
  replacePrefixMatch,
}));

const redirect = (path: fc.Arbitrary<object>) =>
  fc
    .record(
      {
        scheme: text('http', 'https'),
        hostname: text('moved.test'),
        port: fc.constantFrom(80, 443, 8443),
        statusCode: fc.constantFrom(301, 302, 303, 307, 308),
        path,
      },
      { requiredKeys: [] },
    )
    .map((requestRedirect) => ({ type: 'RequestRedirect', requestRedirect }));
const rewrite = (path: fc.Arbitrary<object>) =>
  fc
    .record({ hostname: text('rewritten.test'), path }, { requiredKeys: [] })
    .map((urlRewrite) => ({ type: 'URLRewrite', urlRewrite }));

const backend = fc
  .record({
    ref: fc.oneof(
      { weight: 8, arbitrary: text('v1', 'v2', 'v3').map((name) => ({ name, port: 8000 })) },
      { weight: 1, arbitrary: fc.constant({ name: 'nobody', port: 80 }) },
      { weight: 1, arbitrary: fc.constant({ name: 'v1', port: 81 }) },
      { weight: 1, arbitrary: fc.constant({ name: 'far', namespace: 'elsewhere', port: 8000 }) },
      { weight: 1, arbitrary: fc.constant({ name: 'near', namespace: 'granted', port: 8000 }) },
      { weight: 1, arbitrary: fc.constant({ name: 'idle', port: 8000 }) },
      { weight: 1, arbitrary: fc.constant({ group: 'a.b', kind: 'C', name: 'v1', port: 8000 }) },
    ),
    weight: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    filters: fc.array(requestHeaders('x-d'), { maxLength: 1 }),
  })
  .map(({ ref, weight, filters }) => ({
    ...ref,
    ...(weight === undefined ? {} : { weight }),
    ...(filters.length === 0 ? {} : { filters }),
  }));
const backends = fc.array(backend, { minLength: 1, maxLength: 3 });

const MODIFIERS = fc
  .record({ request: fc.option(requestHeaders('x-r')), response: fc.option(responseHeaders('x-answer-r')) })
  .map(({ request, response }) => [request, response].filter((one) => one !== null));

/** A path modifier of a prefix is for rules that match by prefix alone (the API's own validation). */
const rule = fc.boolean().chain((byPrefix) => {
  const path = byPrefix ? prefixPath : anyPath;
  const modifier = byPrefix ? fc.oneof(fullPath, replacedPrefix) : fullPath;
  const matches = byPrefix
    ? fc.array(
        fc.record({ found: matching(path), path }).map(({ found, path: own }) => ({ ...found, path: own })),
        { minLength: 1, maxLength: 2 },
      )
    : fc.array(matching(path), { minLength: 1, maxLength: 2 });
  return fc.oneof(
    { weight: 5, arbitrary: fc.record({ matches, filters: MODIFIERS, backendRefs: backends }) },
    {
      weight: 2,
      arbitrary: fc
        .record({ matches, one: rewrite(modifier), more: MODIFIERS, backendRefs: backends })
        .map(({ one, more, ...rest }) => ({ ...rest, filters: [one, ...more] })),
    },
    { weight: 2, arbitrary: fc.record({ matches, filters: redirect(modifier).map((one) => [one]) }) },
    { weight: 1, arbitrary: fc.record({ matches }) },
  );
});

/** Rules of one or two routes of one host. */
export const generatedApiRoutes = fc.array(fc.array(rule, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 });
export type GeneratedApiRoutes = typeof generatedApiRoutes extends fc.Arbitrary<infer T> ? T : never;
