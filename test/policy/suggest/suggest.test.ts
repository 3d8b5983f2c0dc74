import assert from 'node:assert/strict';
import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import type { Labels } from '../../../mesh/model/object.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import type { Destination } from '../../../policy/access/world.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { manifestsOf } from '../../../policy/suggest/manifests.ts';
import { suggest } from '../../../policy/suggest/suggest.ts';
import type { SuggestedRule, SuggestOptions, Suggestion } from '../../../policy/suggest/suggestion.ts';
import { given, MESH_CONFIG, meta, operation, policy, port, request, rule, snapshot, source, trustDomain } from '../model.ts';
import { admitted, inForce } from './admitted.ts';
import { DAY, NOW } from './generated.ts';

interface World {
  readonly workloads?: Readonly<Record<string, Labels>>;
  readonly policies?: readonly AuthorizationPolicy[];
  readonly meshConfig?: Partial<MeshConfig>;
  readonly only?: readonly string[];
  readonly by?: 'workload' | 'namespace';
  readonly options?: SuggestOptions;
}

const exact = (value: string) => ({ kind: 'exact' as const, value });

function workloadOf(name: string, labels: Labels): Workload {
  const [namespace = '', own = ''] = name.split('/');
  return {
    meta: meta('Deployment', namespace, own),
    namespace,
    name: own,
    serviceAccount: own,
    labels,
    ports: [],
    image: undefined,
    replicas: 1,
    instances: [],
  };
}

function call(from: string | undefined, to: string, fields: Partial<ObservedCall> = {}): ObservedCall {
  return {
    principal: from === undefined ? undefined : `spiffe://${from}`,
    address: from === undefined ? '10.9.9.9' : undefined,
    caller: undefined,
    destination: to,
    service: undefined,
    port: port(8080),
    protocol: 'HTTP',
    method: 'GET',
    path: '/',
    mtls: from !== undefined,
    decision: 'ALLOW',
    denied: undefined,
    wouldDeny: [],
    count: 1,
    firstSeen: NOW - 10 * DAY,
    lastSeen: NOW - 1000,
    days: 10,
    ...fields,
  };
}

const MOBILE = 'cluster.local/ns/shop/sa/mobile';
const WEBSITE = 'cluster.local/ns/shop/sa/website';
const PORTS: Destination['ports'] = [{ port: port(8080), protocol: 'HTTP' }];

function meshOf({ workloads = { 'shop/users': { app: 'users' } }, policies = [], meshConfig = {} }: World) {
  const all = Object.entries(workloads).map(([name, labels]) => workloadOf(name, labels));
  const destinations = all.map(({ namespace, name, labels }) => ({
    name: `${namespace}/${name}`,
    namespace,
    labels,
    ports: PORTS,
    hosts: [],
  }));
  const mesh = snapshot({ workloads: all, authorizationPolicies: policies, meshConfig: { ...MESH_CONFIG, ...meshConfig } });
  return { mesh, destinations };
}

function suggested(calls: readonly ObservedCall[], world: World = {}): Suggestion {
  const { mesh, destinations } = meshOf(world);
  const { only, by = 'workload', options = {} } = world;
  return suggest({
    snapshot: mesh,
    destinations: only === undefined ? destinations : destinations.filter(({ name }) => only.includes(name)),
    calls,
    by,
    now: NOW,
    options,
  });
}

/** A rule in one line. */
function line({ principals, ipBlocks, ports, methods, paths }: SuggestedRule): string {
  const who = [...principals, ...ipBlocks].map((one) => one.replace('cluster.local/ns/shop/sa/', '')).join(',');
  return [who, ports.join(','), methods.join(','), paths.join(',')].join(' ').trimEnd();
}

function lines({ policies: [first] }: Suggestion): readonly string[] {
  assert.ok(first);
  return first.rules.map(line);
}

describe('policy, suggestion', () => {
  it('has one rule for callers that do the same, and exactly what was done', () => {
    const found = suggested([
      call(MOBILE, 'shop/users', { path: '/users/{id}' }),
      call(MOBILE, 'shop/users', { path: '/users/{id}', method: 'PUT' }),
      call(MOBILE, 'shop/users', { path: '/health' }),
      call(WEBSITE, 'shop/users', { path: '/health' }),
      call(WEBSITE, 'shop/users', { path: '/users/{id}' }),
      call(WEBSITE, 'shop/users', { path: '/users/{id}', method: 'PUT' }),
      call('cluster.local/ns/shop/sa/support', 'shop/users', { path: '/health' }),
    ]);
    assert.deepEqual(lines(found), [
      'mobile,website 8080 GET /health',
      'mobile,website 8080 GET,PUT /users/{*}',
      'support 8080 GET /health',
    ]);
    assert.deepEqual(found.generalisations, ['shop/users: /users/{*}: {*} is any one segment; records have identifiers there']);
    const principals = [MOBILE, WEBSITE];
    assert.deepEqual(manifestsOf(found, { dryRun: false })[0]?.spec.rules, [
      {
        from: [{ source: { principals } }],
        to: [
          { operation: { ports: ['8080'], methods: ['GET'], paths: ['/health'] } },
          { operation: { ports: ['8080'], methods: ['GET', 'PUT'], paths: ['/users/{*}'] } },
        ],
      },
      {
        from: [{ source: { principals: ['cluster.local/ns/shop/sa/support'] } }],
        to: [{ operation: { ports: ['8080'], methods: ['GET'], paths: ['/health'] } }],
      },
    ]);
    assert.deepEqual(found.uncovered, []);
  });

  it('lets nobody in where nobody was seen, and leaves no workload out', () => {
    const found = suggested([call(MOBILE, 'shop/users')], {
      workloads: { 'shop/users': { app: 'users' }, 'shop/fraud': { app: 'fraud' } },
    });
    assert.deepEqual(
      found.policies.map(({ name, workload, selector, rules }) => [name, workload, selector, rules.length]),
      [
        ['allow-to-fraud', 'shop/fraud', { app: 'fraud' }, 0],
        ['allow-to-users', 'shop/users', { app: 'users' }, 1],
      ],
    );
    const [closed] = manifestsOf(found, { dryRun: true });
    assert.deepEqual(closed, {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'allow-to-fraud', namespace: 'shop', annotations: { 'istio.io/dry-run': 'true' } },
      spec: { selector: { matchLabels: { app: 'fraud' } }, action: 'ALLOW' },
    });
  });

  it('never grants what was denied, and notes it', () => {
    const found = suggested([call(WEBSITE, 'shop/users', { decision: 'DENY', denied: 'no rule matches' })]);
    assert.deepEqual(lines(found), []);
    assert.deepEqual(
      found.notes.map(({ kind, caller }) => [kind, caller]),
      [['denied', WEBSITE]],
    );
  });

  it('notes callers in plain text, and lets them in by their address only when asked to', () => {
    const calls = [
      call(undefined, 'shop/users'),
      call(undefined, 'shop/users', { mtls: true }),
      call(undefined, 'shop/users', { address: '{other}' }),
    ];
    const found = suggested(calls);
    assert.deepEqual(lines(found), []);
    assert.deepEqual([...new Set(found.notes.map(({ kind }) => kind))], ['plain-text']);
    assert.deepEqual(lines(suggested(calls, { options: { grantPlainText: true } })), ['10.9.9.9 8080 GET /']);
  });

  describe('paths', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['/a/b', '/a/b'],
      ['/users/{id}', '/users/{*}'],
      ['/orders/order-{id}/items', '/orders/{*}/items'],
      ['/files/{id}.json', '/files/{*}'],
      ['/1/2/3/4/5/6/7/8/9/10/11/12/{rest}', '/1/2/3/4/5/6/7/8/9/10/11/12/*'],
      ['/1/{id}/3/4/5/6/7/8/9/10/11/12/{rest}', '/1/{*}/3/4/5/6/7/8/9/10/11/12/{**}'],
      [`/a"b/2/3/4/5/6/7/8/9/10/11/12/{rest}`, '/a%22b/2/3/4/5/6/7/8/9/10/11/12/*'],
      ['/wild*', '/{*}'],
      ['*', '{*}'],
      ['/a{b}', '/a%7Bb%7D'],
      ['/ü/{id}', '/{*}/{*}'],
      ['{other}', ''],
      ['', ''],
    ];
    for (const [recorded, wanted] of cases)
      it(`${recorded === '' ? 'none' : recorded}: ${wanted === '' ? 'any' : wanted}`, () => {
        const found = suggested([call(MOBILE, 'shop/users', { path: recorded })]);
        assert.deepEqual(lines(found), [`mobile 8080 GET ${wanted}`.trimEnd()]);
        assert.equal(found.generalisations.length, (wanted === recorded && recorded !== '') || wanted === '/a%7Bb%7D' ? 0 : 1);
        assert.equal(admitted(found).length, 1);
      });

    it('more than anybody would read are put together, and it is said', () => {
      const words = Array.from(
        { length: 60 },
        (_, index) => `word${String.fromCharCode(97 + (index % 26))}${'x'.repeat(index / 26)}`,
      );
      const calls = words.map((word) => call(MOBILE, 'shop/users', { path: `/tags/${word}` }));
      const found = suggested([...calls, call(MOBILE, 'shop/users', { path: '/health' })]);
      assert.deepEqual(lines(found), ['mobile 8080 GET /health,/tags/{*}']);
      assert.match(found.generalisations.join(), /\/tags\/\{\*\}: \{\*\} is any one segment; more than 40 paths were seen/);
      const deep = words.map((word) => call(MOBILE, 'shop/users', { path: `/${word}/a/${word}` }));
      assert.deepEqual(lines(suggested(deep, { options: { mostPaths: 5 } })), ['mobile 8080 GET']);
    });
  });

  it('says what is not known as widely as needed and no wider', () => {
    const found = suggested([call(MOBILE, 'shop/users', { method: 'OTHER', path: '{other}', port: undefined })]);
    assert.deepEqual(lines(found), ['mobile 8080 *']);
    assert.equal(found.generalisations.length, 3);
    const tcp = suggested([
      call(MOBILE, 'shop/users', { protocol: 'TCP', method: undefined, path: undefined, port: port(5432) }),
    ]);
    assert.deepEqual(lines(tcp), ['mobile 5432']);
    const grpc = suggested([call(MOBILE, 'shop/users', { protocol: 'GRPC', method: 'POST', path: '/shop.Users/Get' })]);
    assert.deepEqual(lines(grpc), ['mobile 8080 POST /shop.Users/Get']);
  });

  it('leaves out details that are not wanted', () => {
    const calls = [call(MOBILE, 'shop/users'), call(MOBILE, 'shop/users', { method: 'PUT', path: '/x' })];
    assert.deepEqual(lines(suggested(calls, { options: { detail: 'method' } })), ['mobile 8080 GET,PUT']);
    assert.deepEqual(lines(suggested(calls, { options: { detail: 'caller' } })), ['mobile 8080']);
  });

  describe('callers', () => {
    it('of other trust domains are others, of aliases the same', () => {
      const meshConfig = { trustDomain: trustDomain('new.mesh'), trustDomainAliases: ['old.mesh'] };
      const found = suggested(
        [
          call('old.mesh/ns/shop/sa/mobile', 'shop/users'),
          call('new.mesh/ns/shop/sa/mobile', 'shop/users', { count: 4 }),
          call('far.away/ns/shop/sa/mobile', 'shop/users'),
          call('far.away/machine/7', 'shop/users'),
          call('cluster.local/ns/shop/sa/mobile', 'shop/users'),
        ],
        { meshConfig },
      );
      assert.deepEqual(
        found.policies[0]?.rules.map(({ principals }) => principals),
        [['*cluster.local/ns/shop/sa/mobile', 'far.away/machine/7', 'far.away/ns/shop/sa/mobile', 'new.mesh/ns/shop/sa/mobile']],
      );
      const { mesh } = meshOf({ meshConfig });
      const then = inForce(mesh, admitted(found));
      const asks = (id: string) =>
        evaluate(
          then,
          request({
            source: { principal: `spiffe://${id}` },
            destination: { labels: { app: 'users' }, port: port(8080) },
            http: { method: 'GET', path: '/' },
          }),
        ).decision;
      for (const id of [
        'old.mesh/ns/shop/sa/mobile',
        'new.mesh/ns/shop/sa/mobile',
        'cluster.local/ns/shop/sa/mobile',
        'far.away/machine/7',
      ])
        assert.equal(asks(id), 'ALLOW', id);
      for (const id of ['else.where/ns/shop/sa/mobile', 'new.mesh/ns/shop/sa/website', 'far.away/machine/77'])
        assert.equal(asks(id), 'DENY', id);
    });

    it('that come seldom, or came long ago, are kept and listed', () => {
      const found = suggested([
        call(MOBILE, 'shop/users', { firstSeen: NOW - 28 * DAY, days: 4 }),
        call(WEBSITE, 'shop/users', { firstSeen: NOW - 60 * DAY, lastSeen: NOW - 20 * DAY, days: 40 }),
        call('cluster.local/ns/shop/sa/new', 'shop/users', { firstSeen: NOW - DAY, days: 2 }),
      ]);
      assert.deepEqual(
        found.notes.map(({ kind, caller }) => [kind, caller]),
        [
          ['rare', MOBILE],
          ['idle', WEBSITE],
        ],
      );
      assert.deepEqual(lines(found), ['mobile,new,website 8080 GET /']);
      assert.match(found.notes[1]?.note ?? '', /last seen 20 days ago \(observed for 60 days\); kept/);
    });
  });

  describe("today's policies", () => {
    const own = policy('shop', 'users', {
      selector: { app: 'users' },
      rules: [
        rule({
          from: [source({ principals: given([exact(MOBILE), exact('cluster.local/ns/shop/sa/gone')]) })],
          to: [operation({ methods: given([exact('GET')]) })],
        }),
      ],
    });

    it('stay, and only the difference is suggested', () => {
      const found = suggested(
        [call(MOBILE, 'shop/users'), call(MOBILE, 'shop/users', { method: 'PUT' }), call(WEBSITE, 'shop/users')],
        {
          policies: [own],
        },
      );
      assert.deepEqual(lines(found), ['mobile 8080 PUT /', 'website 8080 GET /']);
      assert.deepEqual(suggested([call(MOBILE, 'shop/users')], { policies: [own] }).policies, []);
    });

    it('whom they let in and nobody saw is listed, and left', () => {
      const found = suggested([call(MOBILE, 'shop/users')], { policies: [own] });
      assert.deepEqual(
        found.notes.map(({ kind, caller, note }) => [kind, caller, note]),
        [
          [
            'idle',
            'cluster.local/ns/shop/sa/gone',
            'granted by shop/users, and not seen in 10 days of records; the grant is left as it is',
          ],
        ],
      );
    });

    it('of dry runs, and those that the caller sets aside, are not there', () => {
      const found = suggested([call(MOBILE, 'shop/users')], { policies: [{ ...own, dryRun: true }] });
      assert.deepEqual(lines(found), ['mobile 8080 GET /']);
      const replaced = suggested([call(MOBILE, 'shop/users')], {
        policies: [own],
        options: { isBase: ({ meta: { name } }) => name !== 'users' },
      });
      assert.deepEqual(lines(replaced), ['mobile 8080 GET /']);
    });

    it('that ask for more than records tell keep what they ask for', () => {
      const headers = policy('shop', 'users', {
        rules: [
          rule({
            from: [source({ principals: given([exact(MOBILE)]) })],
            when: [{ key: 'request.headers[x]', values: given(['1']) }],
          }),
        ],
      });
      const found = suggested([call(MOBILE, 'shop/users'), call(WEBSITE, 'shop/users')], { policies: [headers] });
      assert.deepEqual(lines(found), ['website 8080 GET /']);
      assert.deepEqual(
        found.notes.map(({ kind, caller }) => [kind, caller]),
        [['conditional', MOBILE]],
      );
    });

    it('that deny are told of: an ALLOW rule would change nothing', () => {
      const deny = policy('shop', 'no-get', {
        action: 'DENY',
        rules: [rule({ to: [operation({ methods: given([exact('GET')]) })] })],
      });
      const found = suggested([call(MOBILE, 'shop/users'), call(MOBILE, 'shop/users', { method: 'PUT' })], { policies: [deny] });
      assert.deepEqual(lines(found), ['mobile 8080 PUT /']);
      assert.deepEqual(found.uncovered, [`shop/users: 1 calls of ${MOBILE}: shop/no-get rule 0 denies them today`]);
    });

    it('have names that are not given again', () => {
      const found = suggested([call(MOBILE, 'shop/users')], { policies: [policy('shop', 'allow-to-users', {})] });
      assert.deepEqual(
        found.policies.map(({ name }) => name),
        ['allow-to-users-2'],
      );
    });
  });

  describe('selectors', () => {
    it('select one workload where labels can', () => {
      const found = suggested([], {
        workloads: {
          'shop/reviews-v1': { app: 'reviews', version: 'v1', 'pod-template-hash': 'abc' },
          'shop/reviews-v2': { app: 'reviews', version: 'v2' },
          'shop/ratings': { app: 'ratings', version: 'v1' },
          'other/ratings': { app: 'ratings' },
        },
      });
      assert.deepEqual(
        found.policies.map(({ namespace, name, selector }) => [`${namespace}/${name}`, selector]),
        [
          ['other/allow-to-ratings', { app: 'ratings' }],
          ['shop/allow-to-ratings', { app: 'ratings' }],
          ['shop/allow-to-reviews-v1', { app: 'reviews', version: 'v1' }],
          ['shop/allow-to-reviews-v2', { app: 'reviews', version: 'v2' }],
        ],
      );
      assert.deepEqual(found.generalisations, []);
    });

    const TWINS = { 'shop/users': { app: 'users' }, 'shop/users-canary': { app: 'users', version: 'v2' } };

    it('that cannot say what else they select, and whom that would cut off', () => {
      const both = suggested([call(MOBILE, 'shop/users')], { workloads: TWINS });
      assert.deepEqual(both.generalisations, [
        'shop/users: its labels select shop/users-canary as well: who may call it may call them',
      ]);
      assert.deepEqual(both.uncovered, []);
      const one = suggested([call(MOBILE, 'shop/users')], { workloads: TWINS, only: ['shop/users'] });
      assert.deepEqual(one.uncovered, [
        'shop/users: its policy selects shop/users-canary, too, for which nothing is suggested: its callers would be cut off',
      ]);
    });

    it('are never of the whole mesh by mistake', () => {
      const workloads = { 'istio-system/plain': {}, 'shop/users': { app: 'users' } };
      const found = suggested([call(MOBILE, 'istio-system/plain')], { workloads });
      assert.deepEqual(
        found.policies.map(({ namespace }) => namespace),
        ['shop'],
      );
      assert.equal(found.uncovered.length, 1);
      const wide = suggested([call(MOBILE, 'istio-system/named')], {
        workloads: { 'istio-system/named': { app: 'x' } },
        by: 'namespace',
      });
      assert.deepEqual(
        wide.policies.map(({ selector }) => selector),
        [{ app: 'x' }],
      );
    });

    it('of long names fit Kubernetes', () => {
      const long = `shop/${'a'.repeat(250)}`;
      const found = suggested([], { workloads: { [long]: { app: 'a' }, [`${long}b`]: { app: 'b' } } });
      const [one = '', other = ''] = found.policies.map(({ name }) => name);
      assert.ok(one.length <= 253 && other.length <= 253 && one !== other);
      assert.match(one, /^[a-z0-9]([a-z0-9.-]*[a-z0-9])$/);
    });
  });

  it('by namespaces has one policy, and says what that means', () => {
    const found = suggested([call(MOBILE, 'shop/users'), call(WEBSITE, 'shop/fraud')], {
      workloads: { 'shop/users': { app: 'users' }, 'shop/fraud': { app: 'fraud' } },
      by: 'namespace',
    });
    assert.deepEqual(
      found.policies.map(({ name, workload, selector }) => [name, workload, selector]),
      [['allow-observed', undefined, {}]],
    );
    assert.deepEqual(lines(found), ['mobile,website 8080 GET /']);
    assert.deepEqual(found.generalisations, [
      'shop: one policy for 2 workloads: what a caller did at one of them it may do at all',
    ]);
  });

  it('for all workloads of a namespace tells of those that it would close', () => {
    const calls = [call(MOBILE, 'shop/users'), call(MOBILE, 'shop/unknown'), call(MOBILE, 'other/unknown')];
    assert.deepEqual(suggested(calls, { by: 'namespace' }).uncovered, [
      'shop/unknown: 1 calls: the configuration has no such workload, and the policy of its namespace closes it',
    ]);
    assert.deepEqual(suggested(calls).uncovered, []);
  });

  describe('as evidence grows', () => {
    const before = [
      call(MOBILE, 'shop/users', { path: '/b' }),
      call(WEBSITE, 'shop/users', { path: '/c', method: 'PUT' }),
      call('cluster.local/ns/shop/sa/support', 'shop/users', { path: '/a' }),
    ];

    it('rules stay where they are and what they are called', () => {
      const rules = lines(suggested(before));
      const more = [
        call('cluster.local/ns/shop/sa/agent', 'shop/users', { path: '/z' }),
        call('cluster.local/ns/shop/sa/n', 'shop/users', { path: '/d' }),
        call(MOBILE, 'shop/users', { path: '/b', count: 1000, lastSeen: NOW }),
        call('cluster.local/ns/shop/sa/z', 'shop/users', { path: '/0' }),
      ];
      const grown = suggested([...more, ...before]);
      assert.deepEqual(
        lines(grown).filter((text) => rules.includes(text)),
        rules,
      );
      assert.equal(grown.policies[0]?.name, suggested(before).policies[0]?.name);
    });

    it('evidence that goes takes its rule with it and no other', () => {
      const rules = lines(suggested(before));
      for (const gone of before) {
        const left = lines(suggested(before.filter((one) => one !== gone)));
        assert.deepEqual(
          left,
          rules.filter((text) => !text.includes(` ${gone.path ?? ''}`)),
        );
      }
    });
  });
});
