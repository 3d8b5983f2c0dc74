import type { Logger } from 'pino';
import type { RecorderStats } from '../../../audit/intake/recorder.ts';
import type { StoreLocation } from '../../../audit/store/location.ts';
import { storeQuestions } from '../../../audit/store/open.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { RolloutSurroundings, Timers } from '../../../policy/rollout/ports.ts';
import type { Transition } from '../../../policy/rollout/status.ts';
import type { StreamStatus } from '../../../xds/stream/service.ts';
import type { PublishedSnapshots } from '../published-snapshots.ts';
import { runRollouts, type RunningRollouts } from './controller.ts';
import { storedEvidence } from './evidence.ts';
import { objectFiles } from './files/object-files.ts';
import { inOrder, rolloutsFolder, stateFiles } from './files/state-files.ts';
import { type ProxySources, proxiesHere } from './proxies.ts';
import { judgedTogether, suggestionFor } from './suggested.ts';

/** What a cluster does otherwise than files. */
export type ClusterRollouts = Pick<RolloutSurroundings, 'states' | 'objects' | 'isLeader'> &
  Partial<Pick<RolloutSurroundings, 'rollouts' | 'onStatus'>> &
  Pick<ProxySources, 'elsewhere'> & {
    /** Why other replicas may have records that are not in the store; undefined: none has. */
    readonly recordedElsewhere?: () => string | undefined;
    /** Until when others had such records. */
    readonly elsewhereUntil?: () => number | undefined;
  };

export interface RolloutsAround {
  readonly caDir: string;
  /** Those of `-f` that are the user's. */
  readonly paths: readonly string[];
  readonly auditStore: StoreLocation;
  readonly snapshot: () => Snapshot;
  readonly streams: () => readonly StreamStatus[];
  readonly published: Pick<PublishedSnapshots, 'changedSince' | 'objects'>;
  readonly recorder: () => RecorderStats;
  readonly revoked: () => readonly string[];
  /** Undefined: the mesh is in files. */
  readonly cluster: ClusterRollouts | undefined;
  /** Told of each step once it is kept; must not throw. */
  readonly onTransition?: (namespace: string, transition: Transition) => void;
  readonly clock: () => Date;
  readonly log: Logger;
}

export const systemTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** Runs the rollouts of a control plane. */
export function startRollouts(around: RolloutsAround): RunningRollouts {
  const { snapshot, clock, cluster, log } = around;
  const filed = {
    states: inOrder(stateFiles(rolloutsFolder(around.caDir))),
    objects: objectFiles(around.paths),
    isLeader: () => true,
  };
  return runRollouts({
    snapshot,
    rollouts: () => snapshot().namespaceRollouts ?? [],
    evidence: storedEvidence({
      store: storeQuestions(around.auditStore),
      recorder: around.recorder,
      clock,
      elsewhere: () => cluster?.recordedElsewhere?.(),
      elsewhereUntil: cluster?.elsewhereUntil,
    }),
    proxies: proxiesHere({ ...around, elsewhere: cluster?.elsewhere }),
    isRevoked: (principal) => around.revoked().includes(principal),
    ...filed,
    ...cluster,
    suggest: suggestionFor,
    judge: judgedTogether,
    ...(around.onTransition !== undefined && { onTransition: around.onTransition }),
    clock,
    timers: systemTimers,
    log,
  });
}
