import assert from 'node:assert/strict';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import * as fc from 'fast-check';
import { DeltaDiscoveryRequestSchema, DiscoveryRequestSchema } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { type EncodedSecret, SECRET_TYPE } from '../../sds/secret/secret.ts';
import { SecretStore } from '../../sds/secret/store.ts';
import { deltaChange, deltaRequest, type DeltaState, NEW_DELTA } from '../../sds/subscription/delta.ts';
import type { Outcome } from '../../sds/subscription/notice.ts';
import { NEW_SOTW, sotwChange, sotwRequest, type SotwState } from '../../sds/subscription/sotw.ts';

const SEED = 20261121;
const secret = (name: string, version: string): EncodedSecret => ({
  name,
  version,
  any: create(AnySchema, { typeUrl: SECRET_TYPE, value: Buffer.from(`${name}@${version}`) }),
});
const full = () => {
  const store = new SecretStore(['default', 'ROOTCA']);
  store.put(secret('default', 'a1'));
  store.put(secret('ROOTCA', 'b1'));
  return store;
};

function next<S, R>(outcome: Outcome<S, R>) {
  assert.equal(outcome.kind, 'next', outcome.kind === 'refuse' ? outcome.reason : '');
  assert.ok(outcome.kind === 'next');
  return outcome;
}

const sotw = (state: SotwState, request: MessageInitShape<typeof DiscoveryRequestSchema>, store: SecretStore) =>
  next(sotwRequest(state, create(DiscoveryRequestSchema, request), store));
const delta = (state: DeltaState, request: MessageInitShape<typeof DeltaDiscoveryRequestSchema>, store: SecretStore) =>
  next(deltaRequest(state, create(DeltaDiscoveryRequestSchema, request), store));

describe('sds: a StreamSecrets subscription', () => {
  it('answers, takes the ACK in silence, and sends what changes', () => {
    const store = full();
    const first = sotw(NEW_SOTW, { resourceNames: ['default'], typeUrl: SECRET_TYPE }, store);
    assert.equal(first.response?.versionInfo, 'a1');
    assert.equal(first.response.resources.length, 1);
    const { nonce } = first.response;
    const ack = sotw(first.state, { resourceNames: ['default'], responseNonce: nonce, versionInfo: 'a1' }, store);
    assert.equal(ack.response, undefined);
    assert.deepEqual(ack.notices, [{ kind: 'ack', version: 'a1' }]);
    store.put(secret('ROOTCA', 'b2'));
    assert.equal(next(sotwChange(ack.state, store)).response, undefined);
    store.put(secret('default', 'a2'));
    const pushed = next(sotwChange(ack.state, store));
    assert.equal(pushed.response?.versionInfo, 'a2');
    assert.notEqual(pushed.response.nonce, nonce);
  });

  it('reports a NACK, does not repeat what was refused, and still sends the next one', () => {
    const store = full();
    const first = sotw(NEW_SOTW, { resourceNames: ['default'] }, store);
    const nonce = first.response?.nonce ?? '';
    const nack = sotw(
      first.state,
      { resourceNames: ['default'], responseNonce: nonce, errorDetail: { message: 'bad key' } },
      store,
    );
    assert.deepEqual(nack.notices, [{ kind: 'nack', reason: 'bad key' }]);
    assert.equal(nack.response, undefined);
    store.put(secret('default', 'a2'));
    assert.equal(next(sotwChange(nack.state, store)).response?.versionInfo, 'a2');
  });

  it('holds its answer until there is a secret', () => {
    const store = new SecretStore(['default', 'ROOTCA']);
    const asked = sotw(NEW_SOTW, { resourceNames: ['default'] }, store);
    assert.equal(asked.response, undefined);
    store.put(secret('ROOTCA', 'b1'));
    const other = next(sotwChange(asked.state, store));
    assert.equal(other.response, undefined);
    store.put(secret('default', 'a1'));
    assert.equal(next(sotwChange(other.state, store)).response?.versionInfo, 'a1');
  });

  it('passes over a request about an older response', () => {
    const store = full();
    const first = sotw(NEW_SOTW, { resourceNames: ['default'] }, store);
    store.put(secret('default', 'a2'));
    const pushed = next(sotwChange(first.state, store));
    const late = sotw(pushed.state, { resourceNames: ['default'], responseNonce: first.response?.nonce ?? '' }, store);
    assert.deepEqual([late.response, late.notices], [undefined, [{ kind: 'stale' }]]);
  });

  it('names unknown secrets once, and serves the others', () => {
    const store = full();
    const first = sotw(NEW_SOTW, { resourceNames: ['default', 'file-root:system'] }, store);
    assert.equal(first.response?.resources.length, 1);
    assert.deepEqual(first.notices, [{ kind: 'unknown', names: ['file-root:system'] }]);
  });

  it('refuses other types and endless lists', () => {
    const store = full();
    for (const request of [
      { typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster' },
      { resourceNames: Array<string>(101).fill('a') },
      { resourceNames: ['a'.repeat(513)] },
    ])
      assert.equal(sotwRequest(NEW_SOTW, create(DiscoveryRequestSchema, request), store).kind, 'refuse');
  });
});

describe('sds: a DeltaSecrets subscription', () => {
  it('sends what is new to the client, and only that', () => {
    const store = full();
    const first = delta(NEW_DELTA, { resourceNamesSubscribe: ['default', 'ROOTCA'] }, store);
    assert.deepEqual(
      first.response?.resources.map(({ name, version }) => `${name}@${version}`),
      ['default@a1', 'ROOTCA@b1'],
    );
    const ack = delta(first.state, { responseNonce: first.response?.nonce ?? '' }, store);
    assert.equal(ack.response, undefined);
    store.put(secret('default', 'a2'));
    assert.deepEqual(
      next(deltaChange(ack.state, store)).response?.resources.map(({ name }) => name),
      ['default'],
    );
  });

  it('does not send again what a reconnecting client has', () => {
    const store = full();
    const again = { resourceNamesSubscribe: ['default', 'ROOTCA'], initialResourceVersions: { default: 'a1', ROOTCA: 'b0' } };
    assert.deepEqual(
      delta(NEW_DELTA, again, store).response?.resources.map(({ name }) => name),
      ['ROOTCA'],
    );
  });

  it('sends again what a client subscribes to again', () => {
    const store = full();
    const first = delta(NEW_DELTA, { resourceNamesSubscribe: ['default'] }, store);
    assert.equal(delta(first.state, { resourceNamesSubscribe: ['default'] }, store).response?.resources.length, 1);
  });

  it('is quiet about what was unsubscribed', () => {
    const store = full();
    const first = delta(NEW_DELTA, { resourceNamesSubscribe: ['default'] }, store);
    const gone = delta(first.state, { resourceNamesUnsubscribe: ['default'] }, store);
    store.put(secret('default', 'a2'));
    assert.equal(next(deltaChange(gone.state, store)).response, undefined);
  });

  it('says that there is no such secret, once', () => {
    const store = full();
    const first = delta(NEW_DELTA, { resourceNamesSubscribe: ['x'] }, store);
    assert.deepEqual(first.response?.removedResources, ['x']);
    assert.equal(next(deltaChange(first.state, store)).response, undefined);
  });

  it('reports NACKs, and sends the next version all the same', () => {
    const store = full();
    const first = delta(NEW_DELTA, { resourceNamesSubscribe: ['default'] }, store);
    const nack = delta(first.state, { responseNonce: first.response?.nonce ?? '', errorDetail: { message: 'no' } }, store);
    assert.deepEqual([nack.response, nack.notices], [undefined, [{ kind: 'nack', reason: 'no' }]]);
    store.put(secret('default', 'a2'));
    assert.equal(next(deltaChange(nack.state, store)).response?.resources[0]?.version, 'a2');
  });
});

describe(`sds: any history of a subscription (seed ${SEED})`, () => {
  const names = ['default', 'ROOTCA'];
  const step = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), name: fc.constantFrom(...names), version: fc.integer({ min: 0, max: 3 }) }),
    fc.record({
      kind: fc.constant('subscribe' as const),
      names: fc.uniqueArray(fc.constantFrom(...names, 'x'), { minLength: 1 }),
    }),
    fc.record({ kind: fc.constant('nack' as const) }),
  );

  it('ends with the client holding what the store holds', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const store = new SecretStore(names);
        const clientDelta = new Map<string, string>();
        let clientSotw: readonly string[] = [];
        let subscribed: readonly string[] = ['default'];
        let one = sotw(NEW_SOTW, { resourceNames: [...subscribed] }, store);
        let other = delta(NEW_DELTA, { resourceNamesSubscribe: [...subscribed] }, store);
        let nonce = '';
        const take = () => {
          if (one.response !== undefined) {
            clientSotw = one.response.resources.map(({ value }) => Buffer.from(value).toString());
            ({ nonce } = one.response);
          }
          for (const { name, version } of other.response?.resources ?? []) clientDelta.set(name, version);
        };
        take();
        for (const event of steps) {
          switch (event.kind) {
            case 'put':
              store.put(secret(event.name, `v${event.version}`));
              one = next(sotwChange(one.state, store));
              other = next(deltaChange(other.state, store));
              break;
            case 'subscribe': {
              const added = event.names.filter((name) => !subscribed.includes(name));
              const gone = subscribed.filter((name) => !event.names.includes(name));
              for (const name of gone) clientDelta.delete(name);
              subscribed = event.names;
              one = sotw(one.state, { resourceNames: [...subscribed], responseNonce: nonce }, store);
              other = delta(other.state, { resourceNamesSubscribe: added, resourceNamesUnsubscribe: gone }, store);
              break;
            }
            case 'nack':
              one = sotw(
                one.state,
                { resourceNames: [...subscribed], responseNonce: nonce, errorDetail: { message: 'no' } },
                store,
              );
              other = delta(other.state, { errorDetail: { message: 'no' } }, store);
              break;
            default:
              event satisfies never;
          }
          take();
        }
        const expected = subscribed.flatMap((name) => {
          const found = store.lookup(name);
          return found.kind === 'present' ? [`${name}@${found.secret.version}`] : [];
        });
        assert.deepEqual([...clientDelta].map(([name, version]) => `${name}@${version}`).sort(), [...expected].sort());
        for (const item of expected) assert.ok(clientSotw.includes(item), `${item} is not among ${clientSotw.join(' ')}`);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});
