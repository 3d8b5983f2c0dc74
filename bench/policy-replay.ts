import { performance } from 'node:perf_hooks';
import { keyOf } from '../mesh/model/object.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { AuthorizationPolicy } from '../mesh/model/authorization-policy.ts';
import type { ObservedCall } from '../policy/observed/call.ts';
import { dryRun } from '../policy/dry-run/dry-run.ts';
import { replay } from '../policy/replay/replay.ts';
import { editsOf, unused } from '../policy/unused/unused.ts';
import { given, operation, policy, port, rule, snapshot, source } from '../test/policy/model.ts';

/*
 * `gatehouse policy replay`, `unused` and `dry-run` on the heap: calls of 300 workloads, 1,000 policies. Prints CPU seconds.
 * node bench/policy-replay.ts [calls] [policies] [shared]: with `shared`, all policies apply to all workloads.
 */
const CALLS = Number(process.argv[2] ?? 100_000);
const POLICIES = Number(process.argv[3] ?? 1000);
const SHARED = process.argv[4] === 'shared';
const WORKLOADS = 300;

const nameOf = (index: number): string => `w${index % WORKLOADS}`;

function policies(change: boolean): readonly AuthorizationPolicy[] {
  return Array.from({ length: POLICIES }, (_, at) =>
    policy('shop', `p${at}`, {
      selector: SHARED ? {} : { app: nameOf(at) },
      rules: [
        rule({
          from: [
            source({
              principals: given(
                [0, 1, 2, 3, 4].map(
                  (step) => ({ kind: 'exact', value: `cluster.local/ns/shop/sa/${nameOf(at * 7 + step)}` }) as const,
                ),
              ),
            }),
          ],
          to: [
            operation({
              methods: given([{ kind: 'exact', value: 'GET' }]),
              paths: given([0, 1, 2].map((step) => ({ kind: 'prefix', value: `/r${(at + step) % 50}/` }) as const)),
            }),
          ],
        }),
        ...(change && at % 10 === 0
          ? []
          : [rule({ to: [operation({ paths: given([{ kind: 'template', value: `/items/{*}/v${at % 20}` }]) })] })]),
      ],
    }),
  );
}

function meshOf(change: boolean): {
  readonly snapshot: Snapshot;
  readonly destinations: Parameters<typeof replay>[1]['destinations'];
} {
  const destinations = Array.from({ length: WORKLOADS }, (_, at) => ({
    name: keyOf({ namespace: 'shop', name: nameOf(at) }),
    namespace: 'shop',
    labels: { app: nameOf(at) },
    ports: [{ port: port(8080), protocol: 'HTTP' as const }],
    hosts: [],
  }));
  return { snapshot: snapshot({ authorizationPolicies: policies(change) }), destinations };
}

const calls = Array.from({ length: CALLS }, (_, at): ObservedCall => ({
  principal: `spiffe://cluster.local/ns/shop/sa/${nameOf(at * 13)}`,
  address: undefined,
  caller: `shop/${nameOf(at * 13)}`,
  destination: `shop/${nameOf(Math.floor(at / 7))}`,
  service: `${nameOf(Math.floor(at / 7))}.shop.svc.cluster.local`,
  port: 8080,
  protocol: 'HTTP',
  method: at % 3 === 0 ? 'POST' : 'GET',
  path: at % 2 === 0 ? `/items/{id}/v${at % 23}` : `/r${at % 61}/x${at % 7}`,
  mtls: true,
  decision: 'ALLOW',
  denied: undefined,
  wouldDeny: [],
  count: 1,
  firstSeen: 0,
  lastSeen: at,
  days: undefined,
}));

function measured<T>(what: string, work: () => T, told: (found: T) => string): T {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const found = work();
  const { user, system } = process.cpuUsage(cpu);
  const seconds = ((performance.now() - start) / 1000).toFixed(2);
  process.stdout.write(`  ${what}: ${((user + system) / 1e6).toFixed(2)} CPU s, ${seconds} s; ${told(found)}\n`);
  return found;
}

for (let round = 1; round <= Number(process.argv[5] ?? 3); round++) {
  process.stdout.write(`${round}: ${CALLS} calls, ${POLICIES} policies${SHARED ? ' on all workloads' : ''}\n`);
  const [before, after] = [meshOf(false), meshOf(true)];
  const found = measured(
    'replay',
    () => replay(calls, after, before),
    ({ kept, broken, undecided }) => `kept ${kept.edges}, broken ${broken.length}, undecided ${undecided.length}`,
  );
  measured(
    'its words',
    () => found.broken.map(({ after: { why } }) => why),
    (words) => `${words.length} reasons, ${new Set(words).size} of them different`,
  );
  measured(
    'unused',
    () => unused(after.snapshot, after.destinations, calls).flatMap(editsOf),
    (edits) => `${edits.length} edits`,
  );
  const { authorizationPolicies } = after.snapshot;
  const dry = { ...after.snapshot, authorizationPolicies: authorizationPolicies.map((one) => ({ ...one, dryRun: true })) };
  const byName = new Map(after.destinations.map((one) => [one.name, one]));
  const { wouldBeDenied: denied } = measured(
    'dry-run',
    () => dryRun(dry, byName, calls),
    ({ wouldBeDenied, disagreements }) => `${wouldBeDenied.length} would be denied, ${disagreements.length} disagreements`,
  );
  measured(
    'its words',
    () => denied.map(({ why }) => why),
    (words) => `${words.length} reasons, ${new Set(words).size} of them different`,
  );
}
