// A rollout as its users see it: the object, and the commands.
import assert from 'node:assert/strict';
import type { AcceptedCalls, AdvanceMode, Stage } from '../../../mesh/model/namespace-rollout.ts';
import type { RolloutStatus } from '../../../policy/rollout/status.ts';
import { eventually } from '../../eventually.ts';
import type { Outcome } from '../running-mesh.ts';
import type { MeshUnderRollout } from './mesh-under-rollout.ts';

export interface Accepted {
  readonly kind: AcceptedCalls['kind'];
  readonly from: { readonly principal?: string; readonly ipBlock?: string };
  readonly workload: string;
}

export interface RolloutWish {
  readonly namespace: string;
  readonly advance: AdvanceMode;
  readonly target?: Stage;
  readonly observedFor: string;
  readonly requests: number;
  /** Of the last gate; absent: as of the others. */
  readonly enforceObservedFor?: string;
  readonly accepted?: readonly Accepted[];
  readonly until?: string;
}

/** The object, as JSON is YAML too. */
export function rolloutObject(wish: RolloutWish): string {
  const gate = { observedFor: wish.observedFor, requests: wish.requests };
  const answered = { owner: 'security@shop.example', reason: 'seen in the plan', until: wish.until ?? '2099-01-01T00:00:00Z' };
  return JSON.stringify({
    apiVersion: 'gatehouse.dev/v1alpha1',
    kind: 'NamespaceRollout',
    metadata: { name: wish.namespace, namespace: wish.namespace },
    spec: {
      target: wish.target ?? 'enforce',
      advance: wish.advance,
      gates: { strict: gate, dryRun: gate, enforce: { ...gate, observedFor: wish.enforceObservedFor ?? wish.observedFor } },
      accepted: (wish.accepted ?? []).map(({ kind, from, workload }) => ({
        kind: kind === 'denied' ? 'Denied' : 'PlainText',
        from,
        to: { workload },
        ...answered,
      })),
      rollback: { denials: 3, within: '1h' },
    },
  });
}

export class RolloutCommands {
  readonly #mesh: Pick<MeshUnderRollout, 'rollout' | 'log'>;
  readonly #namespace: string;

  constructor(mesh: Pick<MeshUnderRollout, 'rollout' | 'log'>, namespace: string) {
    this.#mesh = mesh;
    this.#namespace = namespace;
  }

  run(command: string, ...flags: readonly string[]): Promise<Outcome> {
    return this.#mesh.rollout(command, this.#namespace, ...flags);
  }

  async status(): Promise<RolloutStatus> {
    const { code, stdout, stderr } = await this.run('status', '-o', 'json');
    assert.notEqual(code, 2, stderr);
    const answer: unknown = JSON.parse(stdout);
    return (Array.isArray(answer) ? answer[0] : answer) as RolloutStatus;
  }

  /** Waits until the namespace is at a stage. */
  async reaches(stage: Stage, deadlineMs = 60_000): Promise<RolloutStatus> {
    let last: RolloutStatus | undefined;
    return eventually(
      `${this.#namespace} to be at ${stage}`,
      async () => {
        last = await this.status();
        return last.stage === stage ? last : undefined;
      },
      deadlineMs,
    ).catch((error: Error) => assert.fail(`${error.message}\n${JSON.stringify(last, undefined, 1)}\n${this.#mesh.log()}`));
  }

  /** Waits until nothing holds the next step back. */
  async unheld(deadlineMs = 60_000): Promise<RolloutStatus> {
    let last: RolloutStatus | undefined;
    return eventually(
      'all gates to be open',
      async () => {
        last = await this.status();
        return last.heldBy.length === 0 ? last : undefined;
      },
      deadlineMs,
    ).catch((error: Error) => assert.fail(`${error.message}\n${JSON.stringify(last, undefined, 1)}\n${this.#mesh.log()}`));
  }

  /** Takes the next step once its gates are open. */
  async advance(to: Stage): Promise<RolloutStatus> {
    await this.unheld();
    const { code, stderr } = await this.run('advance', '--reason', `on to ${to}`);
    assert.equal(code, 0, stderr);
    return this.reaches(to);
  }
}
