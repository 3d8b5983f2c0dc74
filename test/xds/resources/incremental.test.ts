import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import type { RevokedPeers } from '../../../ca/revocation/list.ts';
import { admit } from '../../../mesh/admit/admit.ts';
import type { Admitted } from '../../../mesh/admit/mesh-object.ts';
import { buildSnapshot } from '../../../mesh/admit/snapshot.ts';
import type { Proxy } from '../../../mesh/model/proxy.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { type Hostname, parseHostname } from '../../../mesh/model/hostname.ts';
import { keyOf } from '../../../mesh/model/object.ts';
import { documentsOf } from '../../../mesh/source/load.ts';
import { NOBODY } from '../../../policy/compile/revoked.ts';
import { NO_KEYS } from '../../../policy/jwks/known.ts';
import {
  changedNames,
  CLUSTER,
  EMPTY_SET,
  NO_RESOURCES,
  type Resources,
  type ResourceSet,
  TYPE_URLS,
  versionOf,
} from '../../../xds/resource-set.ts';
import { composeResources } from '../../../xds/resources/compose.ts';
import type { PodClaim } from '../../../xds/resources/proxy.ts';
import { snapshotResources, type SnapshotResources } from '../../../xds/resources/source.ts';
import { viewFrom } from '../../../routing/view.ts';
import type { Seen } from '../../../xds/scope/rule.ts';
import { AutomaticScopes, type ObservedCalls } from '../../../xds/scope/scopes.ts';
import { MESH_CONFIGS, SLOTS } from './changing-mesh.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const RUNS = Number(process.env['GATEHOUSE_RUNS'] ?? 12);
const STEPS = 24;

const BUNDLE = { generation: 1, rootsPem: 'roots\n' };

interface Step {
  readonly slot: number;
  readonly form: number;
}

const MESH = SLOTS.length;
const REVOKED = SLOTS.length + 1;
/** A proxy asks for a service, a call of its workload is seen, or it starts again. */
const ASKED = SLOTS.length + 2;
const CALLED = SLOTS.length + 3;
const STARTED = SLOTS.length + 4;

const HOSTS = [
  'web.a.svc.cluster.local',
  'web.b.svc.cluster.local',
  'api.b.svc.cluster.local',
  'db.b.svc.cluster.local',
  'out.test',
  '*.wild.test',
  'nobody.test',
].flatMap((host) => parseHostname(host) ?? []);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ slot: fc.nat(SLOTS.length - 1), form: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ slot: fc.constantFrom(MESH, REVOKED), form: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ slot: fc.constantFrom(ASKED, CALLED, STARTED), form: fc.nat(HOSTS.length * 5) }) },
);
/** Some changes come together. */
const steps = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 8, maxLength: STEPS });

const web = parseSpiffeId('spiffe://cluster.local/ns/a/sa/web');
assert.ok(web.ok);
const REVOCATIONS: readonly RevokedPeers[] = [NOBODY, { ...NOBODY, identities: [web.value] }];

let compared = 0;
let narrower = 0;

const NONE: ReadonlyMap<Hostname, Seen> = new Map();

/** Calls as a test says that they were seen. */
class Calls implements ObservedCalls {
  readonly #by = new Map<string, ReadonlyMap<Hostname, Seen>>();

  calledBy(workload: string): ReadonlyMap<Hostname, Seen> {
    return this.#by.get(workload) ?? NONE;
  }

  note(workload: string, host: Hostname): void {
    this.#by.set(workload, new Map([...this.calledBy(workload), [host, { firstSeen: 1, lastSeen: 2 }]]));
  }
}

interface World {
  readonly source: SnapshotResources;
  readonly calls: Calls;
  readonly begun: Set<string>;
}

/** What proxies do by themselves: one of them, and one of the hosts. */
function proxyStep({ source, calls }: World, snapshot: Snapshot, { slot, form }: Step): void {
  const sidecars = proxies(snapshot).filter(({ kind }) => kind === 'sidecar');
  const proxy = sidecars[form % Math.max(1, sidecars.length)];
  const host = HOSTS[Math.floor(form / 5) % HOSTS.length];
  if (proxy === undefined || host === undefined) return;
  if (slot === CALLED) calls.note(keyOf(proxy.workload), host);
  else
    source.wanted?.(
      claimOf(proxy),
      slot === ASKED ? [`outbound|80|${form % 3 === 0 ? 'v1' : ''}|${host}`] : [],
      slot === STARTED ? [] : undefined,
    );
}

/**
 * What a workload was seen to call and may, of what it sees; read anew, as of the policies of these meshes only one tells callers apart.
 */
function calledAndAllowed(snapshot: Snapshot, { workload }: Proxy, calls: Calls): readonly Hostname[] {
  const { serviceByHost } = viewFrom(snapshot, workload.namespace);
  const allowing = snapshot.authorizationPolicies.some(({ action }) => action === 'ALLOW');
  return [...calls.calledBy(keyOf(workload)).keys()].filter(
    (host) => serviceByHost.has(host) && !(allowing && workload.namespace !== 'b' && host.startsWith('web.a.')),
  );
}

const admitted = new Map<string, readonly Admitted[]>();

/** Objects that did not change keep their identity, as the watching source has it. */
function objectsOf(forms: readonly (number | undefined)[], config: number): readonly Admitted[] {
  return forms.flatMap((form, slot) => {
    const object = form === undefined ? undefined : SLOTS[slot]?.[form];
    if (object === undefined) return [];
    const key = `${config} ${slot} ${form}`;
    const known = admitted.get(key);
    if (known !== undefined) return known;
    const { documents } = documentsOf('in.yaml', JSON.stringify(object));
    const meshConfig = MESH_CONFIGS[config];
    assert.ok(meshConfig !== undefined);
    const found = admit(documents, { meshConfig, defaultNamespace: 'default' });
    const errors = found.diagnostics.filter(({ severity }) => severity === 'error');
    assert.deepEqual(errors, [], JSON.stringify(object));
    admitted.set(key, found.admitted);
    return found.admitted;
  });
}

function proxies(snapshot: Snapshot): readonly Proxy[] {
  return snapshot.workloads.flatMap((workload) =>
    workload.instances
      .filter(({ meshed }) => meshed)
      .map((instance) => ({
        kind: workload.namespace === 'c' ? ('gateway' as const) : ('sidecar' as const),
        workload,
        instance,
      })),
  );
}

function claimOf({ kind, workload, instance }: Proxy): PodClaim {
  const identity = parseSpiffeId(`spiffe://cluster.local/ns/${workload.namespace}/sa/${workload.serviceAccount}`);
  assert.ok(identity.ok);
  return { kind, namespace: workload.namespace, pod: instance.name, identity: identity.value };
}

function contents(set: ResourceSet): Record<string, Record<string, string>> {
  return Object.fromEntries(
    TYPE_URLS.map((type) => [
      type,
      Object.fromEntries(
        [...(set.get(type) ?? NO_RESOURCES)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, one.version]),
      ),
    ]),
  );
}

/** Compares what each proxy is told with what a compilation from nothing says, and with what it was told before. */
function check(
  { source, calls, begun }: World,
  snapshot: Snapshot,
  revoked: RevokedPeers,
  before: Map<string, ResourceSet>,
): void {
  // Nothing that was made of one is known of its copy.
  const fresh = structuredClone(snapshot);
  for (const proxy of proxies(fresh)) {
    const { workload, instance } = proxy;
    const claim = claimOf(proxy);
    compared += 1;
    // With its first request a proxy says what it has; before, it is told of everything.
    const pod = `${proxy.kind} ${workload.namespace}/${instance.name}`;
    if (!begun.has(pod)) source.wanted?.(claim, [], []);
    begun.add(pod);
    for (const variant of ['delta', 'sotw'] as const) {
      const label = `${proxy.kind} ${workload.namespace}/${instance.name} ${variant}`;
      const answer = source.resourcesFor(claim, variant);
      assert.ok(answer.kind === 'found', label);
      const delivery = variant === 'delta' && proxy.kind === 'sidecar' ? 'apart' : 'inline';
      const scope = variant === 'delta' ? source.explainScope(claim) : undefined;
      const only = scope?.set;
      if (only !== undefined && only.hosts.size < (scope?.of ?? 0)) narrower += 1;
      const wanted = composeResources(fresh, proxy, BUNDLE, revoked, NO_KEYS, delivery, only);
      assert.deepEqual(contents(answer.set), contents(wanted), label);
      const old = before.get(label) ?? EMPTY_SET;
      for (const type of TYPE_URLS) {
        const was = old.get(type) ?? NO_RESOURCES;
        const is: Resources = answer.set.get(type) ?? NO_RESOURCES;
        assert.equal(is.size, [...is].length, label);
        assert.deepEqual([...changedNames(was, is)].sort(), [...changedNames(new Map(was), new Map(is))].sort(), label);
        assert.equal(versionOf(is), versionOf(new Map(is)), label);
      }
      assert.ok((answer.set.get(CLUSTER)?.size ?? 0) > 0, label);
      if (only !== undefined)
        assert.deepEqual(
          calledAndAllowed(fresh, proxy, calls).filter((host) => !only.hosts.has(host)),
          [],
          `${label} has less than it was seen to call`,
        );
      before.set(label, answer.set);
      assert.equal(source.resourcesFor(claim, variant).kind, 'found');
    }
  }
}

/** Begins to compose, and may leave it half done when the next snapshot comes. */
function prepareSome(source: SnapshotResources, snapshot: Snapshot, number: number): void {
  let left = (number % 5) * 4;
  for (const proxy of proxies(snapshot))
    for (const variant of ['delta', 'sotw'] as const) source.prepare?.(claimOf(proxy), variant, () => (left -= 1) > 0);
}

describe('resources after a sequence of changes', function () {
  this.timeout(RUNS * 60_000);

  for (const scoped of [false, true])
    it(`are those of a compilation from nothing${scoped ? ', of what automatic scopes leave' : ''} (GATEHOUSE_SEED=${SEED})`, () => {
      narrower = 0;
      fc.assert(
        fc.property(steps, (sequence) => {
          const forms: (number | undefined)[] = SLOTS.map(() => 0);
          let config = 0;
          let revoked = NOBODY;
          let number = 1;
          let snapshot = buildSnapshot(objectsOf(forms, 0), MESH_CONFIGS[0] ?? assert.fail(), number).snapshot;
          const calls = new Calls();
          const clock = () => new Date(0);
          const scopes = scoped ? new AutomaticScopes({ everywhere: true, observed: calls, clock }) : undefined;
          const source = snapshotResources(snapshot, BUNDLE, undefined, undefined, scopes);
          const world = { source, calls, begun: new Set<string>() };
          const told = new Map<string, ResourceSet>();
          check(world, snapshot, revoked, told);
          for (const together of sequence) {
            for (const { slot, form } of together) {
              if (slot === MESH) config = form % MESH_CONFIGS.length;
              else if (slot > REVOKED) proxyStep(world, snapshot, { slot, form });
              else if (slot === REVOKED) revoked = REVOCATIONS[form % REVOCATIONS.length] ?? NOBODY;
              else {
                const count = SLOTS[slot]?.length ?? 0;
                forms[slot] = form % (count + 1) === count ? undefined : form % (count + 1);
              }
            }
            const meshConfig = MESH_CONFIGS[config] ?? assert.fail();
            snapshot = buildSnapshot(objectsOf(forms, config), meshConfig, (number += 1), snapshot).snapshot;
            source.publish(snapshot);
            source.publishRevoked(revoked, BUNDLE);
            prepareSome(source, snapshot, number);
            // Some snapshots are overtaken before anything was told of them.
            if (number % 3 !== 0) check(world, snapshot, revoked, told);
          }
          check(world, snapshot, revoked, told);
        }),
        { seed: SEED, numRuns: RUNS, endOnFailure: process.env['GATEHOUSE_SHRINK'] === undefined },
      );
      assert.ok(compared > 50 * RUNS, `${compared} proxies compared`);
      assert.ok(scoped ? narrower > 20 * RUNS : narrower === 0, `${narrower} proxies with some services only`);
    });
});
