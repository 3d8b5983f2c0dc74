import { suggest } from '../policy/suggest/suggest.ts';
import { generatedMesh, NOW } from '../test/policy/suggest/generated.ts';

/*
 * `gatehouse policy suggest` on the heap, in a generated mesh. Prints CPU seconds of each repeat; the mesh is made before.
 * node bench/suggest.ts [workloads] [calls of a workload, roughly] [repeats]
 */
const WORKLOADS = Number(process.argv[2] ?? 2000);
const CALLS = Number(process.argv[3] ?? 39);
const REPEATS = Number(process.argv[4] ?? 5);

const { snapshot, destinations, calls } = generatedMesh(WORKLOADS, 7, Math.max(2, Math.round((CALLS * 30) / 39)));
for (let repeat = 0; repeat < REPEATS; repeat++) {
  const before = process.cpuUsage();
  // Another snapshot each time, so that nothing is remembered of it.
  const { policies } = suggest({ snapshot: { ...snapshot }, destinations, calls, by: 'workload', now: NOW });
  const { user, system } = process.cpuUsage(before);
  const rules = policies.reduce((sum, policy) => sum + policy.rules.length, 0);
  process.stdout.write(
    `${WORKLOADS} workloads, ${calls.length} kinds of calls: ${policies.length} policies, ${rules} rules, ${((user + system) / 1e6).toFixed(2)} CPU s\n`,
  );
}
