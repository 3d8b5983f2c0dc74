import { pino } from 'pino';
import type { PlanAnswer } from '../../policy/rollout/ports.ts';
import { storeOf, type StoreFlags } from '../audit/options.ts';
import { meshOf, type MeshFlags } from '../policy/mesh.ts';
import { runRollouts } from '../serve/rollout/controller.ts';
import { storedEvidence } from '../serve/rollout/evidence.ts';
import { objectFiles } from '../serve/rollout/files/object-files.ts';
import { judgedTogether, suggestionFor } from '../serve/rollout/suggested.ts';

const NO_RECORDS = { received: 0, counted: 0, written: 0, waiting: 0, storeErrors: 0 } as const;
const NONE_LOST = { 'queue-full': 0, 'agent-queue-full': 0, malformed: 0, refused: 0, shutdown: 0 } as const;

/** A plan from files and the audit store alone: nobody decides, so nothing is written, and nothing is known of proxies. Undefined: input is wrong, and it was said. */
export async function offlinePlan(namespace: string, flags: MeshFlags & StoreFlags): Promise<PlanAnswer | undefined> {
  const snapshot = meshOf('plan', flags);
  if (snapshot === undefined) return undefined;
  const clock = (): Date => new Date();
  const rollouts = runRollouts({
    snapshot: () => snapshot,
    rollouts: () => snapshot.namespaceRollouts ?? [],
    states: { load: () => Promise.resolve(undefined), save: () => Promise.reject(new Error('a plan changes nothing')) },
    objects: objectFiles([]),
    evidence: storedEvidence({
      store: storeOf(flags),
      recorder: () => ({ ...NO_RECORDS, lost: NONE_LOST }),
      clock,
      elsewhere: () => undefined,
    }),
    proxies: {
      seen: () =>
        Promise.resolve({ expected: 1, connected: 0, acked: 0, behind: ['nothing is known of proxies without a control plane'] }),
    },
    isLeader: () => false,
    isRevoked: () => false,
    suggest: suggestionFor,
    judge: judgedTogether,
    clock,
    timers: { after: () => () => {} },
    log: pino({ level: 'silent' }),
  });
  return rollouts.plan(namespace);
}
