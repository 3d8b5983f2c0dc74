import assert from 'node:assert/strict';
import { create } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { type FollowRequest, FollowRequestSchema, type FollowResponse, Names } from '#gen/gatehouse/names/v1/names_pb.js';
import { parseTrustDomain } from '../../../ca/identity/trust-domain.ts';
import { workloadSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { rpc } from '../../../sds/grpc.ts';
import { addressesOf } from '../../../xds/names/addresses.ts';
import { addNamesService, type NamesService } from '../../../xds/names/service.ts';
import { eventually } from '../../eventually.ts';
import { TestFolder } from '../../mesh/folder.ts';

const entry = (name: string, namespace: string, spec: string): string => `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: ${namespace}}
spec: {ports: [{number: 80, name: http, protocol: HTTP}], ${spec}}
`;
const MESH = `apiVersion: v1
kind: Service
metadata: {name: users, namespace: shop}
spec: {clusterIP: 10.96.0.9, selector: {app: users}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: shop}
spec: {clusterIP: None, selector: {app: users}, ports: [{name: http, port: 80}]}
${entry('fixed', 'shop', 'hosts: [fixed.internal], addresses: [203.0.113.5, "2001:db8::5", 203.0.113.0/24], resolution: STATIC')}
${entry('made-up', 'shop', 'hosts: [ledger.internal], resolution: DNS')}
${entry('passed', 'shop', 'hosts: [passed.internal], resolution: NONE')}
${entry('wild', 'shop', 'hosts: ["*.wild.internal"], addresses: [203.0.113.8], resolution: NONE')}
${entry('own', 'shop', 'hosts: [private.internal], addresses: [203.0.113.6], exportTo: ["."], resolution: STATIC')}
${entry('theirs', 'other', 'hosts: [both.internal], addresses: [203.0.113.1], resolution: STATIC')}
${entry('ours', 'shop', 'hosts: [both.internal], addresses: [203.0.113.2], resolution: STATIC')}
`;
const FOLLOW = rpc(Names.method.follow);

describe('names of the mesh', () => {
  const folder = new TestFolder();
  const meshOf = (text: string): Snapshot => loadMesh({ paths: [folder.write('mesh.yaml', text)] }).snapshot;
  after(() => folder.dispose());

  it('have the addresses of their services, as seen from a namespace', () => {
    const snapshot = meshOf(MESH);
    const of = (name: string, namespace = 'shop') => addressesOf(snapshot, name, namespace);
    assert.deepEqual(of('users.shop.svc.cluster.local'), ['10.96.0.9']);
    assert.deepEqual(of('fixed.internal'), ['203.0.113.5', '2001:db8::5']);
    assert.match(String(of('ledger.internal')), /^240\.240\.\d+\.\d+$/);
    assert.deepEqual(of('a.b.wild.internal'), ['203.0.113.8']);
    assert.deepEqual([of('private.internal'), of('private.internal', 'other')], [['203.0.113.6'], undefined]);
    assert.deepEqual([of('both.internal'), of('both.internal', 'other')], [['203.0.113.2'], ['203.0.113.1']]);
    // DNS is asked for these.
    for (const name of ['headless.shop.svc.cluster.local', 'passed.internal', 'wild.internal', 'nobody.test', 'users'])
      assert.equal(of(name), undefined, name);
  });

  describe('told to agents', () => {
    let server: Server;
    let service: NamesService;
    let client: Client;
    let snapshot = meshOf(MESH);
    let revoked = false;
    const listeners = new Set<() => void>();
    before(async () => {
      const domain = parseTrustDomain('cluster.local');
      assert.ok(domain.ok);
      server = new Server();
      service = addNamesService(server, {
        authenticate: () =>
          revoked ? { ok: false, reason: 'revoked' } : { ok: true, value: workloadSpiffeId(domain.value, 'shop', 'web') },
        snapshot: () => snapshot,
        onChange: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        log: pino({ level: 'silent' }),
      });
      const port = await new Promise<number>((resolve, reject) =>
        server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
          error === null ? resolve(bound) : reject(error),
        ),
      );
      client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    });
    after(() => {
      service.close();
      client.close();
      server.forceShutdown();
    });

    function open(): {
      readonly stream: ClientDuplexStream<FollowRequest, FollowResponse>;
      readonly said: Map<string, string>;
      readonly error: () => string | undefined;
    } {
      const stream = client.makeBidiStreamRequest(
        FOLLOW.path,
        FOLLOW.requestSerialize,
        FOLLOW.responseDeserialize,
        new Metadata(),
      );
      const said = new Map<string, string>();
      let error: string | undefined;
      stream.on('data', ({ answers }: FollowResponse) => {
        for (const { name, known, addresses } of answers) said.set(name, known ? addresses.join() : 'unknown');
      });
      stream.on('error', (cause: Error) => (error = cause.message));
      return { stream, said, error: () => error };
    }

    it('once, and again when they change; not when they are dropped', async () => {
      const { stream, said } = open();
      stream.write(create(FollowRequestSchema, { names: [] }));
      stream.write(create(FollowRequestSchema, { names: ['fixed.internal', 'late.internal', 'both.internal'] }));
      await eventually('all three', () => (said.size === 3 ? true : undefined));
      assert.equal(said.get('late.internal'), 'unknown');
      stream.write(create(FollowRequestSchema, { dropped: ['both.internal'] }));
      snapshot = meshOf(
        `${MESH.replaceAll('203.0.113.5', '203.0.113.50').replaceAll('203.0.113.2]', '203.0.113.20]')}${entry('late', 'shop', 'hosts: [late.internal], addresses: [203.0.113.70], resolution: STATIC')}`,
      );
      said.clear();
      for (const listener of listeners) listener();
      await eventually('the changes', () => (said.size === 2 ? true : undefined));
      assert.deepEqual(Object.fromEntries(said), {
        'fixed.internal': '203.0.113.50,2001:db8::5',
        'late.internal': '203.0.113.70',
      });
      stream.cancel();
    });

    it('up to a limit', async () => {
      const { stream, error } = open();
      stream.write(create(FollowRequestSchema, { names: Array.from({ length: 5_000 }, (_, at) => `n${at}`) }));
      await eventually('the end', () => (/more than 4096 names/.test(error() ?? '') ? true : undefined));
    });

    it('until their identity is revoked', async () => {
      const { stream, said, error } = open();
      stream.write(create(FollowRequestSchema, { names: ['fixed.internal'] }));
      await eventually('an answer', () => (said.size === 1 ? true : undefined));
      revoked = true;
      service.reauthenticate();
      await eventually('the end', () => (/revoked/.test(error() ?? '') ? true : undefined));
    });
  });
});
