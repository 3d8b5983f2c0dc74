import { Counter, Gauge, type Registry } from 'prom-client';
import { STAGES } from '../../../mesh/model/namespace-rollout.ts';
import type { RunningRollouts } from './controller.ts';

/** Metrics of rollouts, as they were seen last. */
export function rolloutMetrics(registry: Registry, rollouts: Pick<RunningRollouts, 'last'>): void {
  const stage: Gauge<'namespace' | 'stage'> = new Gauge({
    name: 'gatehouse_rollout_stage',
    help: '1 for the stage that the rollout of a namespace is at',
    labelNames: ['namespace', 'stage'],
    registers: [registry],
    collect: () => {
      stage.reset();
      for (const { status } of rollouts.last())
        for (const one of STAGES) stage.set({ namespace: status.namespace, stage: one }, one === status.stage ? 1 : 0);
    },
  });
  const gate: Gauge<'namespace' | 'gate'> = new Gauge({
    name: 'gatehouse_rollout_gate_met',
    help: 'whether a gate before the next stage of a namespace is met',
    labelNames: ['namespace', 'gate'],
    registers: [registry],
    collect: () => {
      gate.reset();
      for (const { status } of rollouts.last())
        for (const one of status.gates) gate.set({ namespace: status.namespace, gate: one.gate }, one.met ? 1 : 0);
    },
  });
  const flag = (name: string, help: string, of: (one: ReturnType<RunningRollouts['last']>[number]) => boolean): void => {
    const made: Gauge<'namespace'> = new Gauge({
      name,
      help,
      labelNames: ['namespace'],
      registers: [registry],
      collect: () => {
        made.reset();
        for (const one of rollouts.last()) made.set({ namespace: one.status.namespace }, of(one) ? 1 : 0);
      },
    });
  };
  flag('gatehouse_rollout_armed', 'whether denials take the rollout of a namespace back now', ({ armed }) => armed);
  flag(
    'gatehouse_rollout_broken',
    'whether the rollout of a namespace cannot go on, such as for a full disk',
    ({ problem }) => problem !== undefined,
  );
  const transitions: Counter<'namespace' | 'to' | 'cause'> = new Counter({
    name: 'gatehouse_rollout_transitions_total',
    help: 'steps that the rollout of a namespace took; those taken back have a cause that begins with rollback',
    labelNames: ['namespace', 'to', 'cause'],
    registers: [registry],
    collect: () => {
      transitions.reset();
      for (const { status } of rollouts.last())
        for (const { to, cause } of status.history) transitions.inc({ namespace: status.namespace, to, cause });
    },
  });
}
