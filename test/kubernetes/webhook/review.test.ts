import assert from 'node:assert/strict';
import { jsonPatch } from '../../../kubernetes/webhook/json-patch.ts';
import { answerText, parseReview } from '../../../kubernetes/webhook/review.ts';
import { bundlePatch } from '../../../kubernetes/webhook/configurations.ts';
import { reviewInjection } from '../../../kubernetes/webhook/inject-review.ts';
import { reviewConfiguration } from '../../../kubernetes/webhook/validate-review.ts';
import { DEFAULT_SETTINGS } from '../../../kubernetes/inject/settings.ts';

const REQUEST = {
  uid: '1',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  namespace: 'shop',
  name: '',
  operation: 'CREATE',
} as const;
const AROUND = { settings: DEFAULT_SETTINGS, namespaceAnnotations: {}, environment: {} };
const POD = { metadata: { generateName: 'cart-' }, spec: { containers: [{ name: 'cart', image: 'cart' }] } };

describe('admission reviews', () => {
  it('are taken as version 1 with uid and operation, and nothing else', () => {
    const review = (request: unknown, apiVersion = 'admission.k8s.io/v1') =>
      parseReview(JSON.stringify({ apiVersion, kind: 'AdmissionReview', request }));
    assert.ok(review({ uid: 'a', operation: 'CREATE', object: {} }).ok);
    for (const broken of ['', '[]', '{}', 'null', '"x"']) assert.equal(parseReview(broken).ok, false);
    assert.equal(review({ uid: 'a', operation: 'CREATE' }, 'admission.k8s.io/v1beta1').ok, false);
    assert.equal(review({ operation: 'CREATE' }).ok, false);
    assert.equal(review({ uid: 'a', operation: 'EXPLODE' }).ok, false);
  });

  it('warnings are few, short and on one line', () => {
    const { response } = JSON.parse(
      answerText('1', { allowed: true, warnings: [...Array(30).keys()].map((n) => `${n}\n${'x'.repeat(300)}`) }),
    );
    assert.equal(response.warnings.length, 21);
    for (const warning of response.warnings) assert.match(warning, /^[^\n]{1,250}$/);
    assert.match(response.warnings.at(-1), /and 10 more/);
  });

  it('a patch makes the one object the other', () => {
    assert.deepEqual(
      jsonPatch({ a: 1, b: { 'x/y~z': 1, keep: [1] }, gone: true }, { a: 2, b: { 'x/y~z': 3, keep: [1], more: {} } }),
      [
        { op: 'remove', path: '/gone' },
        { op: 'replace', path: '/a', value: 2 },
        { op: 'replace', path: '/b/x~1y~0z', value: 3 },
        { op: 'add', path: '/b/more', value: {} },
      ],
    );
    assert.deepEqual(jsonPatch({ a: [1] }, { a: [1] }), []);
  });

  it('a pod gets its proxy; one that cannot be read, or cannot be meant, is refused with the reason', () => {
    const answer = reviewInjection({ ...REQUEST, object: POD }, AROUND);
    assert.equal(answer.allowed, true);
    assert.match(JSON.stringify(answer.patch), /istio-proxy/);
    const bad = { ...POD, metadata: { annotations: { 'sidecar.istio.io/interceptionMode': 'TPROXY' } } };
    assert.match(reviewInjection({ ...REQUEST, object: bad }, AROUND).message ?? '', /TPROXY is not supported/);
    assert.equal(reviewInjection({ ...REQUEST, object: undefined }, AROUND).allowed, false);
    const broken = { ...POD, spec: { containers: [{ image: 'nameless' }] } };
    assert.equal(reviewInjection({ ...REQUEST, object: broken }, AROUND).allowed, false);
  });

  it('what is no new pod, opts out or is in the network of its node stays as it is', () => {
    const left = (changes: object) => reviewInjection({ ...REQUEST, object: POD, ...changes }, AROUND);
    assert.deepEqual(left({ operation: 'UPDATE' }), { allowed: true });
    assert.deepEqual(left({ kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }), { allowed: true });
    assert.deepEqual(left({ namespace: 'kube-system' }), { allowed: true });
    assert.deepEqual(left({ object: { ...POD, spec: { ...POD.spec, hostNetwork: true } } }), { allowed: true });
    assert.deepEqual(left({ object: { ...POD, metadata: { labels: { 'sidecar.istio.io/inject': 'false' } } } }), {
      allowed: true,
    });
  });

  it('errors refuse, warnings go along, and nothing holds up what is being deleted', () => {
    const error = {
      file: '',
      line: 1,
      severity: 'error',
      code: 'x',
      field: 'spec.a',
      message: 'is wrong',
      hint: 'write b',
    } as const;
    const warning = { ...error, severity: 'warning', message: 'is odd', hint: undefined } as const;
    const validate = () => [error, { file: '', line: 1, severity: 'warning', code: 'y', message: warning.message } as const];
    const request = { ...REQUEST, object: { metadata: {} } };
    assert.deepEqual(reviewConfiguration(request, validate), {
      allowed: false,
      message: 'spec.a: is wrong (write b)',
      warnings: ['is odd'],
    });
    const leaving = { ...request, object: { metadata: { deletionTimestamp: 'now' } } };
    assert.deepEqual(reviewConfiguration(leaving, validate), {
      allowed: true,
      warnings: ['spec.a: is wrong (write b)', 'is odd'],
    });
    assert.equal(reviewConfiguration({ ...request, operation: 'DELETE', object: undefined }, validate).allowed, true);
  });

  it('the bundle is written where it differs, held to the version that was read', () => {
    const bundle = Buffer.from('ROOT').toString('base64');
    const configuration = {
      metadata: { resourceVersion: '7' },
      webhooks: [{ clientConfig: { caBundle: bundle } }, { clientConfig: {} }],
    };
    assert.deepEqual(bundlePatch(configuration, 'ROOT'), [
      { op: 'test', path: '/metadata/resourceVersion', value: '7' },
      { op: 'add', path: '/webhooks/1/clientConfig/caBundle', value: bundle },
    ]);
    assert.deepEqual(bundlePatch({ ...configuration, webhooks: configuration.webhooks.slice(0, 1) }, 'ROOT'), []);
  });
});
