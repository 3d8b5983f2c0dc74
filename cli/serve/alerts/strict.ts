import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { workloadMtlsSetting } from '../../../policy/peer-authentication/mode.ts';
import { workloadNamed } from '../directory.ts';

/** Of a namespace that is on its way to STRICT. */
const TO_BE_STRICT = 'gatehouse.dev/to-be-strict';

interface Of {
  readonly snapshot: Snapshot;
  readonly answers: Map<string, string | undefined>;
}

/** Why plain text to a workload is not wanted, by the current snapshot: asked for each record in plain text, so answers are kept with it. */
export function strictness(current: () => Snapshot): (workload: string) => string | undefined {
  let known: Of | undefined;
  const answer = (snapshot: Snapshot, name: string): string | undefined => {
    const [namespace] = name.split('/', 1);
    if (snapshot.namespaces.find((one) => one.name === namespace)?.labels[TO_BE_STRICT] === 'true')
      return `its namespace has the label ${TO_BE_STRICT}`;
    const workload = workloadNamed(snapshot, name);
    if (workload === undefined) return undefined;
    const { mode, setBy } = workloadMtlsSetting(snapshot, workload);
    return mode === 'STRICT' ? `PeerAuthentication ${setBy ?? ''} is STRICT` : undefined;
  };
  return (workload) => {
    const snapshot = current();
    if (known?.snapshot !== snapshot) known = { snapshot, answers: new Map() };
    const { answers } = known;
    if (!answers.has(workload)) answers.set(workload, answer(snapshot, workload));
    return answers.get(workload);
  };
}
