import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { serveCommand } from '../../../cli/serve.ts';
import { CONFIGURATION } from '../../../kubernetes/install/access.ts';
import type { KubernetesObject } from '../../../kubernetes/install/object.ts';
import { installObjects } from '../../../kubernetes/install/objects.ts';
import { nodeAgentObjects } from '../../../kubernetes/install/node-agent.ts';
import { checkInstall, DEFAULTS, type InstallOptions } from '../../../kubernetes/install/options.ts';
import { recordsPart } from '../../../kubernetes/install/records.ts';
import { tagObjects } from '../../../kubernetes/install/tag.ts';
import { root } from '../../house/repository.ts';

const KUSTOMIZE = join(root, 'manifests', 'kustomize', 'base');

/** Which file of the base has an object. */
function fileOf({ kind }: KubernetesObject): string {
  if (/Role|ServiceAccount/.test(kind)) return 'access.yaml';
  if (kind === 'MutatingWebhookConfiguration') return 'injection-webhooks.yaml';
  return kind === 'ValidatingWebhookConfiguration' ? 'validation-webhooks.yaml' : 'control-plane.yaml';
}

const objects = (options: Partial<InstallOptions> = {}): readonly KubernetesObject[] =>
  installObjects({ ...DEFAULTS, crds: 'none', ...options }, []);

const named = (all: readonly KubernetesObject[], kind: string): KubernetesObject => {
  const found = all.find((object) => object.kind === kind);
  assert.ok(found, `no ${kind}`);
  return found;
};

/** Every mapping inside of a value. */
function* mappings(value: unknown): Generator<Readonly<Record<string, unknown>>> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield { ...value };
  for (const inner of Object.values(value)) yield* mappings(inner);
}

describe('the objects of an installation', () => {
  it('are those of manifests/kustomize/base', () => {
    const files = Object.entries(Object.groupBy(objects(), fileOf));
    assert.equal(files.length, 4);
    for (const [file, want = []] of files) {
      const path = join(KUSTOMIZE, file);
      if (process.env['UPDATE_GOLDEN'] === '1')
        writeFileSync(
          path,
          `# Written by \`gatehouse install --crds none\`; a test compares both.\n${want
            .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false, indentSeq: false }))
            .join('---\n')}`,
        );
      const kept = parseAllDocuments(readFileSync(path, 'utf8')).map((document): unknown => document.toJS());
      assert.deepEqual(kept, want, 'UPDATE_GOLDEN=1 writes the file anew');
    }
  });

  it('of the node agent are those of manifests/kustomize/node-agent', () => {
    const path = join(KUSTOMIZE, '..', 'node-agent', 'node-agent.yaml');
    const want = nodeAgentObjects(DEFAULTS);
    if (process.env['UPDATE_GOLDEN'] === '1')
      writeFileSync(
        path,
        `# Written by \`gatehouse install --node-agent --crds none\`; a test compares both.\n${want
          .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false, indentSeq: false }))
          .join('---\n')}`,
      );
    const kept = parseAllDocuments(readFileSync(path, 'utf8')).map((document): unknown => document.toJS());
    assert.deepEqual(kept, want, 'UPDATE_GOLDEN=1 writes the file anew');
  });

  it('of the node agent give it no right in the API, and keep privileges out of the control plane’s namespace', () => {
    const all = objects({ nodeAgent: true });
    const added = all.filter((object) => !objects().some((other) => JSON.stringify(other) === JSON.stringify(object)));
    assert.deepEqual(
      added.map(({ kind }) => kind),
      ['Namespace', 'ServiceAccount', 'CSIDriver', 'DaemonSet'],
    );
    assert.deepEqual(
      added.map(({ metadata }) => metadata.namespace ?? metadata.name),
      ['gatehouse-system-node', 'gatehouse-system-node', 'csi.gatehouse.dev', 'gatehouse-system-node'],
    );
    assert.equal(checkInstall({ ...DEFAULTS, nodeAgent: true, revision: 'canary' }).ok, false);
  });

  it('grant nothing by a wildcard, and no Secret outside of the namespaces that were named', () => {
    const all = objects({
      gatewayNamespaces: ['edge'],
      gateways: [{ namespace: 'istio-ingress', name: 'istio-ingressgateway' }],
    });
    const roles = all.filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole');
    for (const role of roles) {
      assert.ok(Array.isArray(role['rules']));
      for (const rule of role['rules']) assert.ok(!JSON.stringify(rule).includes('"*"'), JSON.stringify(rule));
    }
    const secrets = roles.filter((role) => JSON.stringify(role['rules']).includes('"secrets"'));
    assert.deepEqual(
      secrets.map(({ kind, metadata }) => `${kind} ${String(metadata.namespace)}`),
      ['Role gatehouse-system', 'Role edge', 'Role istio-ingress'],
    );
  });

  it('run without root, on a file system that cannot be written', () => {
    for (const workload of objects({ gateways: [{ namespace: 'edge', name: 'way-in' }] }).filter(
      ({ kind }) => kind === 'Deployment',
    )) {
      const contexts = [...mappings(workload)].filter((mapping) => 'readOnlyRootFilesystem' in mapping);
      assert.equal(contexts.length, 1, workload.metadata.name);
      assert.deepEqual(contexts[0]?.['capabilities'], { drop: ['ALL'] });
      assert.equal(contexts[0]['readOnlyRootFilesystem'], true);
      assert.equal(contexts[0]['allowPrivilegeEscalation'], false);
      assert.ok([...mappings(workload)].some((mapping) => mapping['runAsNonRoot'] === true));
    }
  });

  it('of two revisions share nothing but the namespace', () => {
    const key = ({ kind, metadata }: KubernetesObject): string => `${kind}/${String(metadata.namespace)}/${metadata.name}`;
    const first = new Set(objects().map(key));
    const shared = objects({ revision: 'canary' }).filter((object) => first.has(key(object)));
    assert.deepEqual(shared.map(key), []);
  });

  it('in two namespaces share no cluster-wide object', () => {
    const wide = (options: Partial<InstallOptions>): string[] =>
      objects(options)
        .filter(({ metadata }) => metadata.namespace === undefined)
        .map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    const first = new Set(wide({}));
    assert.deepEqual(
      wide({ namespace: 'other' }).filter((name) => first.has(name)),
      [],
    );
  });

  it('without a second replica have no disruption budget, which would hold up every drain', () => {
    assert.ok(!objects({ replicas: 1 }).some(({ kind }) => kind === 'PodDisruptionBudget'));
    assert.ok(objects({ replicas: 2 }).some(({ kind }) => kind === 'PodDisruptionBudget'));
  });

  it('send changes of every kind that is read to the validator', () => {
    const text = JSON.stringify(named(objects(), 'ValidatingWebhookConfiguration'));
    for (const [group, resources] of Object.entries(CONFIGURATION)) {
      assert.ok(text.includes(`"${group}"`));
      for (const resource of resources) assert.ok(text.includes(`"${resource}"`), resource);
    }
  });

  it('name no argument that gatehouse serve does not know', () => {
    const part = recordsPart(
      {
        ...DEFAULTS,
        audit: { database: 'postgres://a@b/c', secret: 's', minutes: '1h', hours: '1h', retention: '1h' },
        alertsSecret: 's',
        page: {
          url: 'https://a',
          tokensSecret: 's',
          sessionsSecret: 's',
          oidc: { issuer: 'https://b', clientId: 'c', secret: 's' },
        },
      },
      '/state',
    );
    const known = serveCommand().options.map(({ long }) => long);
    for (const arg of part.args) assert.ok(known.includes(arg.split('=')[0]), arg);
    assert.equal(part.args.length, 13);
  });

  it('have names that Kubernetes takes, however long the revision', () => {
    const longest = 'r'.repeat(40);
    for (const { metadata } of objects({ revision: longest })) assert.ok(metadata.name.length <= 63, metadata.name);
    assert.ok(!checkInstall({ ...DEFAULTS, revision: `${longest}r` }).ok);
  });

  for (const [what, options] of [
    ['a namespace in capitals', { namespace: 'Mesh' }],
    ['an empty revision', { revision: '' }],
    ['an image with a line break', { image: 'a\nb' }],
    ['no replica', { replicas: 0 }],
    ['half a replica', { replicas: 1.5 }],
    ['a store that is none', { audit: { database: 'mysql://db' } }],
    ['a password in an address', { audit: { database: 'postgres://me:secret@db/audit' } }],
    ['a password for a file', { audit: { secret: 'audit' } }],
    ['a time that is none', { audit: { retention: 'long' } }],
    ['a Secret with a slash', { alertsSecret: 'a/b' }],
    ['a page for everybody', { page: { url: 'https://mesh.example' } }],
    ['a provider without a client', { page: { oidc: { issuer: 'https://login.example', clientId: '' } } }],
    ['a gateway without a namespace', { gateways: [{ namespace: '', name: 'way-in' }] }],
  ] as const)
    it(`cannot be had for ${what}`, () => {
      const checked = checkInstall({ ...DEFAULTS, ...options });
      assert.ok(!checked.ok);
      assert.match(checked.reason, /^--/);
    });
});

/**
 * Which webhooks would get a pod: the API server's own rule for label selectors. Injecting twice, or not at all, must be impossible for any
 * labels of a namespace and a pod.
 */
describe('the injector', () => {
  interface Requirement {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }
  type Selector = { readonly matchExpressions: readonly Requirement[] };
  type Webhook = { readonly name: string; readonly namespaceSelector: Selector; readonly objectSelector: Selector };

  const selects = ({ matchExpressions }: Selector, labels: Readonly<Record<string, string>>): boolean =>
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'DoesNotExist':
          return value === undefined;
        default:
          return value !== undefined;
      }
    });

  const areWebhooks = (value: unknown): value is readonly Webhook[] =>
    Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null && 'objectSelector' in one);

  const webhooksIn = (all: readonly KubernetesObject[]): readonly Webhook[] => {
    const list = named(all, 'MutatingWebhookConfiguration')['webhooks'];
    assert.ok(areWebhooks(list));
    return list;
  };
  const webhooks = (revision: string): readonly Webhook[] => webhooksIn(objects({ revision }));
  /** As the API server calls them: `canary` and the tag that stands for it. */
  const PROD = { name: 'prod', revision: 'canary', namespace: 'gatehouse-system' };

  const all = [...webhooks('default'), ...webhooks('canary'), ...webhooksIn(tagObjects(PROD))];
  const sentTo = (namespace: Readonly<Record<string, string>>, pod: Readonly<Record<string, string>>): string[] =>
    all
      .filter((hook) => selects(hook.namespaceSelector, namespace) && selects(hook.objectSelector, pod))
      .map(({ name }) => name.replace('.injector.gatehouse.dev', ''));

  const choices = (key: string, ...values: string[]): Readonly<Record<string, string>>[] => [
    {},
    ...values.map((value) => ({ [key]: value })),
  ];
  const combine = (...lists: Readonly<Record<string, string>>[][]): Readonly<Record<string, string>>[] =>
    lists.reduce((before, list) => before.flatMap((one) => list.map((other) => ({ ...one, ...other }))), [{}]);

  it('never gets a pod twice, and never one that opted out', () => {
    const namespaces = combine(
      choices('istio-injection', 'enabled', 'disabled'),
      choices('gatehouse.dev/injection', 'enabled', 'disabled'),
      choices('istio.io/rev', 'default', 'canary', 'prod'),
      choices('gatehouse.dev/rev', 'default', 'canary', 'prod'),
    );
    const pods = combine(
      choices('sidecar.istio.io/inject', 'true', 'false'),
      choices('gatehouse.dev/inject', 'true', 'false'),
      choices('istio.io/rev', 'default', 'canary', 'prod'),
      choices('gatehouse.dev/rev', 'default', 'canary', 'prod'),
    );
    let injected = 0;
    for (const namespace of namespaces)
      for (const pod of pods) {
        const hooks = sentTo(namespace, pod);
        assert.ok(hooks.length <= 1, `${JSON.stringify({ namespace, pod })}: ${hooks.join(', ')}`);
        const out = [pod['sidecar.istio.io/inject'], pod['gatehouse.dev/inject']].includes('false');
        const outside = [namespace['istio-injection'], namespace['gatehouse.dev/injection']].includes('disabled');
        if (out || outside) assert.deepEqual(hooks, []);
        injected += hooks.length;
      }
    assert.ok(injected > 100);
  });

  for (const [namespace, pod, hook] of [
    [{ 'istio-injection': 'enabled' }, {}, 'namespace'],
    [{ 'istio-injection': 'disabled' }, { 'sidecar.istio.io/inject': 'true' }, undefined],
    [{}, {}, undefined],
    [{}, { 'sidecar.istio.io/inject': 'true' }, 'object'],
    [{ 'istio.io/rev': 'canary' }, {}, 'rev.namespace'],
    [{}, { 'istio.io/rev': 'canary' }, 'rev.object'],
    [{ 'gatehouse.dev/injection': 'enabled' }, {}, 'own.namespace'],
    [{ 'gatehouse.dev/rev': 'canary' }, {}, 'own.rev.namespace'],
    [{ 'istio.io/rev': 'prod' }, {}, 'rev.namespace'],
    [{ 'gatehouse.dev/rev': 'prod' }, {}, 'own.rev.namespace'],
    [{}, { 'gatehouse.dev/rev': 'prod' }, 'own.rev.object'],
    [{}, { 'gatehouse.dev/inject': 'true' }, 'own.object'],
    [{}, { 'gatehouse.dev/inject': 'true', 'sidecar.istio.io/inject': 'false' }, undefined],
    [{ 'istio-injection': 'enabled', 'gatehouse.dev/injection': 'disabled' }, {}, undefined],
    [{ 'istio-injection': 'enabled' }, { 'gatehouse.dev/inject': 'false' }, undefined],
    // Another mesh's injector gets these pods.
    [{ 'istio.io/rev': 'istio-1-29', 'gatehouse.dev/rev': 'prod' }, {}, undefined],
    [{ 'kubernetes.io/metadata.name': 'kube-system', 'istio-injection': 'enabled' }, {}, undefined],
  ] as const)
    it(`${hook === undefined ? 'leaves out' : 'gets'} a pod with ${JSON.stringify(pod)} in a namespace with ${JSON.stringify(namespace)}`, () =>
      assert.deepEqual(sentTo(namespace, pod), hook === undefined ? [] : [hook]));
});
