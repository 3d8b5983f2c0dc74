// Secrets of other namespaces: a gateway reads what their owners granted, for as long as they do.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { KubernetesSecrets } from '../../sds/names/kubernetes-secrets.ts';
import { secretGrants } from '../../sds/names/secret-grants.ts';
import { SecretsFolders } from '../../sds/names/secrets-folders.ts';
import { writtenObjects } from '../../sds/names/written-object.ts';
import { SecretStore } from '../../sds/secret/store.ts';
import { deltaChange, deltaRequest, NEW_DELTA } from '../../sds/subscription/delta.ts';
import { create } from '@bufbuild/protobuf';
import { DeltaDiscoveryRequestSchema } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { eventually } from '../eventually.ts';
import { leafWithKey, pkcs8Pem, selfSignedRoot } from './authority.ts';
import { StillTime } from './world.ts';

const log = pino({ level: 'silent' });
const GROUP = 'gateway.networking.k8s.io';

interface Parts {
  readonly namespace?: string;
  readonly apiVersion?: string;
  readonly from?: unknown;
  readonly to?: unknown;
}

const FROM = { group: GROUP, kind: 'Gateway', namespace: 'edge' };
const TO = { group: '', kind: 'Secret', name: 'web' };

function grant({ namespace = 'shop', apiVersion = `${GROUP}/v1beta1`, from = [FROM], to = [TO] }: Parts = {}, name = 'grant') {
  return { apiVersion, kind: 'ReferenceGrant', metadata: { name, namespace }, spec: { from, to } };
}

function listenerSet(refs: readonly object[], parentRef: object = { name: 'edge', namespace: 'edge' }) {
  return {
    apiVersion: `${GROUP}/v1`,
    kind: 'ListenerSet',
    metadata: { name: 'more', namespace: 'shop' },
    spec: { parentRef, listeners: [{ name: 'https', port: 443, protocol: 'HTTPS', tls: { certificateRefs: refs } }] },
  };
}

const yaml = (objects: readonly object[]) => objects.map((object) => stringify(object)).join('---\n');

function granted(objects: readonly object[], gateways = 'edge', namespace = 'shop', name = 'web'): boolean {
  const read = writtenObjects(yaml(objects));
  assert.ok(read !== undefined);
  return secretGrants(read)(gateways, namespace, name);
}

describe('sds/names: which Secrets of others gateways may read', () => {
  it('those that a ReferenceGrant of the namespace names, or all of it', () => {
    assert.equal(granted([grant()]), true);
    assert.equal(granted([grant({ apiVersion: `${GROUP}/v1` })]), true);
    assert.equal(granted([grant({ to: [{ group: '', kind: 'Secret' }] })], 'edge', 'shop', 'other'), true);
    assert.equal(granted([{ apiVersion: 'v1', kind: 'List', items: [grant()] }]), true);
    assert.equal(granted([grant({ to: [{ group: '', kind: 'Service' }, TO] })]), true);
  });

  const denied: readonly [string, readonly object[]][] = [
    ['no grant', []],
    ['in the namespace of the gateway', [grant({ namespace: 'edge' })]],
    ['in another namespace', [grant({ namespace: 'else' })]],
    ['of another group', [grant({ apiVersion: 'example.com/v1beta1' })]],
    ['of another version', [grant({ apiVersion: `${GROUP}/v2` })]],
    ['from another group', [grant({ from: [{ ...FROM, group: '' }] })]],
    ['from another kind', [grant({ from: [{ ...FROM, kind: 'HTTPRoute' }] })]],
    ['from ListenerSets only', [grant({ from: [{ ...FROM, kind: 'ListenerSet' }] })]],
    ['from another namespace', [grant({ from: [{ ...FROM, namespace: 'else' }] })]],
    ['from nobody', [grant({ from: [] })]],
    ['without a namespace', [grant({ from: [{ group: GROUP, kind: 'Gateway' }] })]],
    ['to another group', [grant({ to: [{ ...TO, group: 'apps' }] })]],
    ['to another kind', [grant({ to: [{ ...TO, kind: 'ConfigMap' }] })]],
    ['to another name', [grant({ to: [{ ...TO, name: 'other' }] })]],
    ['to an empty name', [grant({ to: [{ ...TO, name: '' }] })]],
    ['to a name that is no text', [grant({ to: [{ ...TO, name: null }] })]],
    ['to a misspelt field', [grant({ to: [{ group: '', kind: 'Secret', nmae: 'other' }] })]],
    ['to no list', [grant({ to: TO })]],
    ['one item that cannot be read', [grant({ to: [TO, 'Secret'] })]],
    ['written twice', [grant(), grant({ to: [{ ...TO, name: 'other' }] })]],
  ];
  for (const [why, objects] of denied) it(`denied: ${why}`, () => assert.equal(granted(objects), false));

  it('those that a ListenerSet brings from its own namespace, or with a grant of its own', () => {
    assert.equal(granted([listenerSet([{ name: 'web' }])]), true);
    assert.equal(granted([listenerSet([{ name: 'web' }])], 'else'), false, 'another parent');
    assert.equal(granted([listenerSet([{ name: 'other' }])]), false);
    assert.equal(granted([listenerSet([{ name: 'web', kind: 'ConfigMap' }])]), false);
    assert.equal(granted([listenerSet([{ name: 'web' }], { name: 'x', namespace: 'edge', kind: 'Service' })]), false);
    const far = listenerSet([{ name: 'web', namespace: 'far' }]);
    const from = [{ ...FROM, kind: 'ListenerSet', namespace: 'shop' }];
    assert.equal(granted([far], 'edge', 'far'), false);
    assert.equal(granted([far, grant({ namespace: 'far', from })], 'edge', 'far'), true);
    const toGateways = grant({ namespace: 'far', from: [{ ...FROM, namespace: 'shop' }] });
    assert.equal(granted([far, toGateways], 'edge', 'far'), false, 'a grant to Gateways is none to ListenerSets');
  });

  it('those of a Gateway whose pods are behind a Service of another namespace', () => {
    const at = (value: string, type = 'Hostname', apiVersion = `${GROUP}/v1`, ref: object = { name: 'web' }) => ({
      apiVersion,
      kind: 'Gateway',
      metadata: { name: 'g', namespace: 'shop' },
      spec: { addresses: [{ type, value }], listeners: [{ name: 'https', tls: { certificateRefs: [ref] } }] },
    });
    const service = 'ingress.edge.svc.cluster.local';
    assert.equal(granted([at(service)]), true);
    assert.equal(granted([at(service)], 'else'), false);
    assert.equal(granted([at(service)], 'edge', 'shop', 'other'), false);
    assert.equal(granted([at('ingress.else.svc.cluster.local')]), false);
    assert.equal(granted([at('edge')]), false);
    assert.equal(granted([at(service, 'IPAddress')]), false);
    assert.equal(granted([at(service, 'Hostname', 'networking.istio.io/v1')]), false);
    const client = {
      tls: { backend: { clientCertificateRef: { name: 'web' } } },
      addresses: [{ type: 'Hostname', value: service }],
    };
    assert.equal(granted([{ ...at(service), spec: client }]), true);
    const far = at(service, 'Hostname', `${GROUP}/v1`, { name: 'web', namespace: 'far' });
    assert.equal(granted([far], 'edge', 'far'), false);
    assert.equal(granted([far, grant({ namespace: 'far', from: [{ ...FROM, namespace: 'shop' }] })], 'edge', 'far'), true);
  });

  it('come from several files and folders, each counted once, whatever becomes of the others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-grants-'));
    const paths = ['secrets', 'grants.yaml', 'secrets/deep', 'later'].map((name) => join(folder, name));
    const [secrets = '', grants = '', deep = '', later = ''] = paths;
    mkdirSync(deep, { recursive: true });
    const time = new StillTime();
    const provider = new SecretsFolders(paths, time, log);
    const secret = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'shop' },
      stringData: { name },
    });
    const seen = () => [
      ['web', 'deep', 'later'].map((name) => provider.get('shop', name)?.get('name')),
      provider.granted('edge', 'shop', 'web'),
    ];
    const look = async () => {
      time.pass(500);
      await eventually('the end of a look', () => time.next());
    };
    try {
      writeFileSync(join(secrets, 'web.yaml'), stringify(secret('web')));
      writeFileSync(join(deep, 'deep.yaml'), yaml([secret('deep'), grant()]));
      writeFileSync(grants, yaml([grant({ to: [{ ...TO, name: 'other' }] }, 'other')]));
      await provider.start();
      assert.deepEqual(seen(), [['web', 'deep', undefined], true], 'a grant that two paths lead to is one');
      mkdirSync(later);
      writeFileSync(join(later, 'later.yaml'), stringify(secret('later')));
      rmSync(grants);
      await look();
      assert.deepEqual(seen(), [['web', 'deep', 'later'], true]);
      writeFileSync(grants, yaml([grant()]));
      await look();
      assert.deepEqual(seen(), [['web', 'deep', 'later'], false], 'the same grant in two files');
      rmSync(later, { recursive: true });
      rmSync(join(deep, 'deep.yaml'));
      await look();
      assert.deepEqual(seen(), [['web', undefined, 'later'], true], 'what cannot be read says what it said');
    } finally {
      provider.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('come and go with the grant on an open stream', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-grants-'));
    const time = new StillTime();
    const provider = new SecretsFolders([folder], time, log);
    const source = new KubernetesSecrets({ provider, namespace: 'edge', log });
    try {
      const root = await selfSignedRoot();
      const { certificate, keys } = await leafWithKey(root, { names: [{ type: 'dns', value: 'a' }], lifetimeMs: 60_000 });
      const data = { 'tls.crt': certificate.toString('pem'), 'tls.key': await pkcs8Pem(keys.privateKey) };
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'web', namespace: 'shop' }, stringData: data };
      writeFileSync(join(folder, 'secret.yaml'), stringify(secret));
      await provider.start();
      const look = async (objects: readonly object[]) => {
        writeFileSync(join(folder, 'grants.yaml'), yaml(objects));
        time.pass(500);
        await eventually('the end of a look', () => time.next());
      };
      const store = new SecretStore([], [source]);
      const name = 'kubernetes://shop/web';
      let told = 0;
      store.onChange(() => (told += 1));
      let stream = deltaRequest(
        NEW_DELTA,
        create(DeltaDiscoveryRequestSchema, { resourceNamesSubscribe: [name, 'kubernetes://shop/web-cacert'] }),
        store,
      );
      const sent = (): readonly [number, readonly string[]] => {
        assert.ok(stream.kind === 'next');
        return [stream.response?.resources.length ?? 0, stream.response?.removedResources ?? []];
      };
      const changed = () => {
        assert.ok(stream.kind === 'next');
        stream = deltaChange(stream.state, store);
        return sent();
      };
      assert.deepEqual(sent(), [0, [name, 'kubernetes://shop/web-cacert']]);
      await look([grant()]);
      assert.deepEqual([told, changed()], [1, [1, []]]);
      await look([grant({ to: [{ ...TO, name: 'other' }] })]);
      assert.deepEqual([told, changed()], [2, [0, [name]]]);
      await look([grant(), grant({}, 'another')]);
      assert.deepEqual([told, changed()], [3, [1, []]]);
      await look([grant({}, 'another')]);
      assert.deepEqual([told, changed()], [3, [0, []]], 'granted by one of two');
      await look([]);
      assert.deepEqual([told, store.lookup(name).kind], [4, 'absent']);
      rmSync(join(folder, 'secret.yaml'));
      await look([grant()]);
      assert.equal(store.lookup(name).kind, 'pending', 'what was taken away is not kept as the last good one');
    } finally {
      source.close();
      provider.close();
      rmSync(folder, { recursive: true });
    }
  });
});
