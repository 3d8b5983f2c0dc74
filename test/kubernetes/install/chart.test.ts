import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { crdObjects } from '../../../cli/install/crds.ts';
import { installObjects } from '../../../kubernetes/install/objects.ts';
import { DEFAULTS, type InstallOptions } from '../../../kubernetes/install/options.ts';
import { root } from '../../house/repository.ts';
import { findTool } from '../../tools/find.ts';

const CHART = join(root, 'manifests', 'charts', 'gatehouse');

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Objects by kind, namespace and name; webhooks by their names, whose order says nothing. */
function byName(objects: readonly unknown[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    objects.filter(isNamed).map((object) => {
      const { kind, metadata } = object;
      const plain: unknown = JSON.parse(JSON.stringify(object, sortedWebhooks));
      return [`${kind} ${metadata.namespace ?? ''}/${metadata.name}`, plain];
    }),
  );
}

function isNamed(value: unknown): value is Named {
  return typeof value === 'object' && value !== null && 'kind' in value && 'metadata' in value;
}

function sortedWebhooks(key: string, value: unknown): unknown {
  if ((key !== 'webhooks' && key !== 'rules') || !Array.isArray(value)) return value;
  return value
    .map((item) => ({ sort: JSON.stringify(item, (_, inner: unknown) => sortedKeys(inner)), item }))
    .sort((a, b) => (a.sort < b.sort ? -1 : 1))
    .map(({ item }): unknown => item);
}

function sortedKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('the Helm chart', () => {
  let helm = '';

  before(function () {
    this.timeout(900_000);
    const found = findTool('helm');
    if (found === undefined) this.skip();
    helm = found;
  });

  const run = (...args: string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } =>
    spawnSync(helm, args, { encoding: 'utf8' });

  const rendered = (namespace: string, values: unknown): readonly unknown[] => {
    const done = spawnSync(helm, ['template', 'gatehouse', CHART, '--namespace', namespace, '--skip-crds', '-f', '-'], {
      input: JSON.stringify(values),
      encoding: 'utf8',
    });
    assert.equal(done.status, 0, done.stderr);
    return parseAllDocuments(done.stdout).map((document): unknown => document.toJS());
  };

  const cases: Readonly<Record<string, Partial<InstallOptions>>> = {
    'its own values': {},
    'a revision': { revision: 'canary' },
    'another namespace': { namespace: 'mesh' },
    'rollouts that write': { rollouts: 'enabled' },
    'a shared store, alerts, a page by tokens and provider': {
      audit: {
        database: 'postgres://gatehouse@db.example:5432/audit?sslrootcert=/run/secrets/gatehouse/audit/ca.crt',
        secret: 'audit-db',
        minutes: '24h',
        hours: '240h',
        retention: '2160h',
      },
      alertsSecret: 'mesh-alerts',
      page: {
        url: 'https://mesh.example',
        tokensSecret: 'page-tokens',
        sessionsSecret: 'page-session-keys',
        oidc: { issuer: 'https://login.example', clientId: 'gatehouse', secret: 'page-client' },
      },
    },
    'a page by a provider alone, for a public client, and a store without a password': {
      audit: { database: 'postgres://gatehouse@db.example/audit' },
      page: { oidc: { issuer: 'https://login.example', clientId: 'gatehouse' } },
    },
    'one replica, no network policy': { replicas: 1, networkPolicy: false },
    'a node agent': { nodeAgent: true, namespace: 'mesh', trustDomain: 'shop.example', image: 'example.org/cp:1' },
    'images and a trust domain': {
      image: 'example.org/cp:1',
      proxyImage: 'example.org/proxy:1',
      trustDomain: 'shop.example',
      rootNamespace: 'mesh-root',
    },
    'gateways and namespaces with Secrets': {
      revision: 'next',
      gatewayNamespaces: ['edge', 'gatehouse-system', 'istio-ingress'],
      gateways: [
        { namespace: 'istio-ingress', name: 'istio-ingressgateway' },
        { namespace: 'partners', name: 'way-in' },
      ],
    },
  };
  for (const [what, wanted] of Object.entries(cases))
    it(`renders with ${what} what gatehouse install prints`, () => {
      const options: InstallOptions = { ...DEFAULTS, crds: 'none', ...wanted };
      const {
        revision,
        image,
        proxyImage,
        replicas,
        trustDomain,
        rootNamespace,
        gatewayNamespaces,
        gateways,
        networkPolicy,
        nodeAgent,
        rollouts,
        audit,
        alertsSecret = '',
        page = {},
      } = options;
      const values = {
        revision,
        image,
        proxyImage,
        replicas,
        mesh: { trustDomain, rootNamespace },
        gatewayNamespaces,
        gateways,
        networkPolicy,
        nodeAgent,
        rollouts,
        audit,
        alertsSecret,
        page,
      };
      const chart = byName(rendered(options.namespace, what === 'its own values' ? {} : values));
      // Helm makes the namespace itself (--create-namespace).
      const installed = byName(
        installObjects(options, []).filter(({ kind, metadata }) => kind !== 'Namespace' || metadata.name !== options.namespace),
      );
      assert.deepEqual(withParsedMesh(chart), withParsedMesh(installed));
    });

  it('passes on what only it has: arguments, resources, where pods run', () => {
    const text = JSON.stringify(
      rendered('gatehouse-system', {
        extraArgs: ['--audit-retention=2160h'],
        tolerations: [{ key: 'infra', operator: 'Exists' }],
        nodeSelector: { pool: 'infra' },
        podAnnotations: { team: 'platform' },
        podLabels: { tier: 'control' },
        imagePullSecrets: [{ name: 'registry' }],
        mesh: { extra: { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } } },
      }),
    );
    for (const part of [
      '--audit-retention=2160h',
      '"key":"infra"',
      '"pool":"infra"',
      '"team":"platform"',
      '"tier":"control"',
      '"name":"registry"',
      'REGISTRY_ONLY',
    ])
      assert.ok(text.includes(part), part);
  });

  it('brings the definitions of our own kinds', () => {
    const { stdout } = run('template', 'gatehouse', CHART, '--include-crds');
    const kinds = parseAllDocuments(stdout).map((document): unknown => document.toJS());
    const names = Object.keys(byName(kinds)).filter((name) => name.startsWith('CustomResourceDefinition '));
    assert.deepEqual(names, Object.keys(byName(crdObjects('own'))));
  });

  it('passes helm lint', () => {
    const { status, stdout } = run('lint', '--strict', CHART);
    assert.equal(status, 0, stdout);
  });

  for (const [what, set] of [
    ['an unknown value', 'replicaCount=3'],
    ['a revision in capitals', 'revision=Canary'],
    ['no replica', 'replicas=0'],
    ['a password in the address of the store', 'audit.database=postgres://me:secret@db.example/audit'],
    ['a time that is none', 'audit.retention=forever'],
  ] as const)
    it(`refuses ${what}`, () => {
      const { status, stderr } = run('template', 'gatehouse', CHART, '--set', set);
      assert.notEqual(status, 0);
      assert.match(stderr, /schema/);
    });
});

/** MeshConfig is text inside of an object, in which Helm orders fields otherwise. */
function withParsedMesh(objects: Readonly<Record<string, unknown>>): unknown {
  return JSON.parse(JSON.stringify(objects), (key, value: unknown) =>
    key === 'mesh.yaml' && typeof value === 'string'
      ? parseAllDocuments(value).map((document): unknown => document.toJS())
      : value,
  );
}
