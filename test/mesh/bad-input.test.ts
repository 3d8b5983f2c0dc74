import assert from 'node:assert/strict';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import { TestFolder } from './folder.ts';

const GOOD = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec:
  ports: [{name: http, port: 9080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: healthy, namespace: shop}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews, subset: v1}}]}]
`;

const route = (lines: string): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: bad
  namespace: shop
spec:
  hosts: [reviews]
  http:
${lines}
`;

interface Bad {
  readonly title: string;
  readonly text: string;
  readonly line: number;
  readonly field: string;
  readonly code: string;
  readonly hint: RegExp;
  readonly severity?: Diagnostic['severity'];
  /** The object stays although it is wrong: what it names may be added later. */
  readonly stays?: boolean;
}

const CASES: readonly Bad[] = [
  {
    title: 'unknown field',
    text: route('  - route:\n    - destination: {host: reviews}\n    timeOut: 3s'),
    line: 11,
    field: 'spec.http[0].timeOut',
    code: 'unknown-field',
    hint: /did you mean timeout\?/,
  },
  {
    title: 'wrong type',
    text: route('  - route:\n    - destination: {host: reviews}\n      weight: "100"'),
    line: 11,
    field: 'spec.http[0].route[0].weight',
    code: 'wrong-type',
    hint: /remove the quotes: 100/,
  },
  {
    title: 'dangling subset',
    text: route('  - route:\n    - destination:\n        host: reviews\n        subset: v9'),
    line: 12,
    field: 'spec.http[0].route[0].destination.subset',
    code: 'no-such-subset',
    hint: /its subsets are v1/,
    stays: true,
  },
  {
    title: 'no such host',
    text: route('  - route:\n    - destination:\n        host: revews'),
    line: 11,
    field: 'spec.http[0].route[0].destination.host',
    code: 'no-such-host',
    hint: /did you mean reviews\.shop/,
    stays: true,
  },
  {
    title: 'port not in the service',
    text: route('  - route:\n    - destination: {host: reviews, port: {number: 80}}'),
    line: 10,
    field: 'spec.http[0].route[0].destination.host',
    code: 'no-such-port',
    hint: /its ports are 9080/,
    stays: true,
  },
  {
    title: 'no such gateway',
    text: route('  - route:\n    - destination: {host: reviews}').replace('  http:', '  gateways: [front]\n  http:'),
    line: 8,
    field: 'spec.gateways[0]',
    code: 'no-such-gateway',
    hint: /add the Gateway/,
    stays: true,
  },
  {
    title: 'weights that are not 100 together',
    text: route(
      '  - route:\n    - destination: {host: reviews}\n      weight: 80\n    - destination: {host: reviews, subset: v1}\n      weight: 30',
    ),
    line: 9,
    field: 'spec.http[0].route',
    code: 'weights-not-100',
    hint: /100 together/,
    severity: 'warning',
    stays: true,
  },
  {
    title: 'weights that are all 0',
    text: route(
      '  - route:\n    - destination: {host: reviews}\n      weight: 0\n    - destination: {host: reviews, subset: v1}\n      weight: 0',
    ),
    line: 9,
    field: 'spec.http[0].route',
    code: 'bad-weights',
    hint: /together 100/,
  },
  {
    title: 'invalid regular expression',
    text: route('  - match:\n    - uri:\n        regex: "(unclosed"\n    route:\n    - destination: {host: reviews}'),
    line: 11,
    field: 'spec.http[0].match[0].uri.regex',
    code: 'invalid-regex',
    hint: /re2/,
  },
  {
    title: 'look-ahead, which RE2 lacks',
    text: route('  - match:\n    - headers: {cookie: {regex: "(?!a)b"}}\n    route:\n    - destination: {host: reviews}'),
    line: 10,
    field: 'spec.http[0].match[0].headers.cookie.regex',
    code: 'invalid-regex',
    hint: /no look-around/,
  },
  {
    title: 'duplicate name',
    text: GOOD.slice(GOOD.lastIndexOf('---') + 4).replace('reviews, subset', 'reviews,  subset'),
    line: 1,
    field: 'metadata.name',
    code: 'duplicate-name',
    hint: /remove or rename/,
    stays: true,
  },
  {
    title: 'no name',
    text: route('  - route:\n    - destination: {host: reviews}').replace('  name: bad\n', ''),
    line: 3,
    field: 'metadata.name',
    code: 'missing-field',
    hint: /name: my-name/,
  },
  {
    title: 'mistyped kind',
    text: route('  - {}').replace('VirtualService', 'VirtualServise'),
    line: 2,
    field: 'kind',
    code: 'unknown-kind',
    hint: /did you mean VirtualService\?/,
  },
  {
    title: 'unknown version',
    text: route('  - {}').replace('io/v1', 'io/v2'),
    line: 1,
    field: 'apiVersion',
    code: 'unknown-version',
    hint: /networking\.istio\.io\/v1/,
  },
];

describe('bad input', () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
    folder.write('a-good.yaml', GOOD);
  });
  afterEach(() => folder.dispose());

  for (const bad of CASES) {
    it(`${bad.title}: file, line, field and hint; nothing else is lost`, () => {
      const file = folder.write('bad.yaml', bad.text);
      const { snapshot, diagnostics } = loadMesh({ paths: [folder.path] });
      const found = diagnostics.filter(({ code }) => code === bad.code);
      assert.equal(found.length, 1, JSON.stringify(diagnostics, null, 1));
      const [one] = found;
      assert.deepEqual(
        { file: one?.file, line: one?.line, field: one?.field, severity: one?.severity },
        { file, line: bad.line, field: bad.field, severity: bad.severity ?? 'error' },
      );
      assert.match(one?.hint ?? '', bad.hint);
      const names = snapshot.virtualServices.map(({ meta }) => meta.name);
      assert.deepEqual(names.includes('bad'), bad.stays === true && bad.code !== 'duplicate-name');
      assert.ok(names.includes('healthy') && snapshot.services.length === 1 && snapshot.destinationRules.length === 1);
    });
  }

  it('keeps the first of two objects with one name', () => {
    folder.write('z.yaml', GOOD.slice(GOOD.lastIndexOf('---') + 4).replace(', subset: v1', ''));
    const { snapshot } = loadMesh({ paths: [folder.path] });
    const [only, ...others] = snapshot.virtualServices;
    assert.equal(others.length, 0);
    assert.ok(only?.meta.origin.file.endsWith('a-good.yaml'));
  });

  it('a fragment without any Service gets warnings for what it names, not errors', () => {
    const alone = folder.write('alone/route.yaml', route('  - route:\n    - destination: {host: ratings, subset: v1}'));
    const { diagnostics } = loadMesh({ paths: [alone] });
    assert.deepEqual(
      diagnostics.map(({ severity, code }) => `${severity} ${code}`),
      ['warning no-such-host'],
    );
  });

  it('a policy with a field that is not understood is refused, not widened', () => {
    folder.write(
      'policy.yaml',
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-web, namespace: shop}
spec:
  rules:
  - from: [{source: {principles: ["cluster.local/ns/shop/sa/web"]}}]
`,
    );
    const { snapshot, diagnostics } = loadMesh({ paths: [folder.path] });
    assert.equal(snapshot.authorizationPolicies.length, 0);
    const found = diagnostics.find(({ severity }) => severity === 'error');
    assert.equal(found?.field, 'spec.rules[0].from[0].source.principles');
    assert.match(found?.hint ?? '', /principals/);
  });

  it('old forms are taken with a warning that names the form of today', () => {
    const file = folder.write(
      'old/old.yaml',
      `apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: reviews}
spec:
  name: reviews
  trafficPolicy: {outlierDetection: {consecutiveErrors: 2}}
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - fault: {abort: {percent: 50, httpStatus: 503}}
    route: [{destination: {name: reviews, subset: v1}}]
`,
    );
    const { snapshot, diagnostics } = loadMesh({ paths: [file] });
    const old = diagnostics.filter(({ code }) => code === 'old-form');
    assert.deepEqual(
      old.map(({ line, hint }) => `${line} ${hint ?? ''}`),
      ['5 write spec.host', '6 write consecutive5xxErrors', '15 write percentage: {value: N}', '16 write destination.host'],
    );
    assert.ok(diagnostics.every(({ severity }) => severity !== 'error'));
    const [rule] = snapshot.destinationRules;
    assert.equal(rule?.host, 'reviews.default.svc.cluster.local');
    assert.equal(rule.trafficPolicy?.outlierDetection?.consecutive5xx, 2);
    const [http] = snapshot.virtualServices[0]?.http ?? [];
    assert.deepEqual(http?.fault?.abort, { percentage: 50, httpStatus: 503, grpcStatus: undefined });
  });
});
