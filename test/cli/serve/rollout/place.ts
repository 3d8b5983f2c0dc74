// A rollout's controller on a folder of YAML and files of state, with evidence, proxies, clock and timers of the test's own.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { RunningRollouts } from '../../../../cli/serve/rollout/controller.ts';
import { runRollouts } from '../../../../cli/serve/rollout/controller.ts';
import { objectFiles } from '../../../../cli/serve/rollout/files/object-files.ts';
import { inOrder, rolloutsFolder, stateFiles } from '../../../../cli/serve/rollout/files/state-files.ts';
import { judgedTogether, suggestionFor } from '../../../../cli/serve/rollout/suggested.ts';
import type { Snapshot } from '../../../../mesh/model/snapshot.ts';
import { loadMesh } from '../../../../mesh/source/mesh.ts';
import type { ObservedCall } from '../../../../policy/observed/call.ts';
import type { ProxiesSeen, RolloutEvidence, RolloutObjects, RolloutStates } from '../../../../policy/rollout/ports.ts';
import type { RolloutStatus } from '../../../../policy/rollout/status.ts';

const MESH = `
apiVersion: v1
kind: Service
metadata: {name: users, namespace: shop}
spec: {selector: {app: users}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: users, namespace: shop}
spec:
  selector: {matchLabels: {app: users}}
  template:
    metadata: {labels: {app: users}}
    spec: {serviceAccountName: users, containers: [{name: users, image: users, ports: [{containerPort: 8080}]}]}
`;

export function wish(spec: Record<string, unknown> = {}): string {
  const gate = { observedFor: '60s', requests: 1 };
  return JSON.stringify({
    apiVersion: 'gatehouse.dev/v1alpha1',
    kind: 'NamespaceRollout',
    metadata: { name: 'slowly', namespace: 'shop' },
    spec: { gates: { strict: gate, enforce: gate }, rollback: { denials: 3, within: '10m' }, ...spec },
  });
}

export const START = Date.parse('2026-11-22T12:00:00Z');

export function call(more: Partial<ObservedCall> = {}): ObservedCall {
  return {
    principal: 'spiffe://cluster.local/ns/shop/sa/web',
    address: undefined,
    caller: 'shop/web',
    destination: 'shop/users',
    service: 'users.shop.svc.cluster.local',
    port: 8080,
    protocol: 'HTTP',
    method: 'GET',
    path: '/users/{id}',
    mtls: true,
    decision: 'ALLOW',
    denied: undefined,
    wouldDeny: [],
    count: 100,
    firstSeen: START - 3_600_000,
    lastSeen: START,
    days: 1,
    ...more,
  };
}

/** What a test makes happen at a port, before or after the real thing is done. */
export interface Faults {
  states?: (real: RolloutStates) => RolloutStates;
  objects?: (real: RolloutObjects) => RolloutObjects;
}

export class Place {
  readonly dir: string;
  readonly mesh: string;
  readonly ca: string;
  now = START;
  elapsed = 0;
  calls: readonly ObservedCall[] = [call()];
  unreachable: string | undefined;
  proxies: ProxiesSeen = { expected: 1, connected: 1, acked: 1, behind: [] };
  leader = true;
  readonly told: string[] = [];
  #due: (() => void)[] = [];
  #snapshot: Snapshot;
  rollouts: RunningRollouts;

  constructor(dir = mkdtempSync(join(tmpdir(), 'gatehouse-rollout-')), faults: Faults = {}, spec?: Record<string, unknown>) {
    this.dir = dir;
    this.mesh = join(dir, 'mesh');
    this.ca = join(dir, 'ca');
    mkdirSync(this.mesh, { recursive: true });
    mkdirSync(this.ca, { recursive: true });
    this.put('mesh.yaml', MESH);
    if (spec !== undefined) this.put('wish.yaml', wish(spec));
    this.#snapshot = this.#read();
    this.rollouts = this.open(faults);
  }

  /** As after a restart. */
  open(faults: Faults = {}): RunningRollouts {
    const states = inOrder(stateFiles(rolloutsFolder(this.ca)));
    const objects = objectFiles([this.mesh]);
    const calls: RolloutEvidence['calls'] = (_, { since, until }) =>
      this.unreachable === undefined
        ? Promise.resolve({
            calls: this.calls.filter(({ lastSeen }) => lastSeen >= since && lastSeen < until),
            gaps: [],
            losses: [],
            recordedSince: START - 3_600_000,
          })
        : Promise.reject(new Error(this.unreachable));
    this.#due = [];
    this.rollouts = runRollouts({
      snapshot: () => this.#snapshot,
      rollouts: () => this.#snapshot.namespaceRollouts ?? [],
      states: faults.states?.(states) ?? states,
      objects: faults.objects?.(objects) ?? objects,
      evidence: {
        calls,
        callsByDay: calls,
        denied: () => Promise.resolve([]),
        incomplete: () => undefined,
      },
      proxies: { seen: () => Promise.resolve(this.proxies) },
      isLeader: () => this.leader,
      isRevoked: () => false,
      suggest: suggestionFor,
      judge: judgedTogether,
      clock: () => new Date(this.now),
      elapsed: () => this.elapsed,
      timers: {
        after: (_, run) => {
          this.#due.push(run);
          return () => {
            this.#due = this.#due.filter((one) => one !== run);
          };
        },
      },
      log: pino({ level: 'info' }, { write: (line: string) => void this.told.push(line) }),
    });
    return this.rollouts;
  }

  put(file: string, text: string): void {
    writeFileSync(join(this.mesh, file), text);
  }

  remove(file: string): void {
    rmSync(join(this.mesh, file));
  }

  /** The folder is read again. */
  reread(): void {
    this.#snapshot = { ...this.#read(), number: this.#snapshot.number + 1 };
    this.rollouts.changed(this.#snapshot);
  }

  /** Everything that timers wait for is done, and what comes of it is in force. */
  async tick(): Promise<RolloutStatus | undefined> {
    const due = this.#due.splice(0);
    for (const run of due) run();
    await this.rollouts.statuses();
    this.reread();
    return this.rollouts.last()[0]?.status;
  }

  /** Time goes by. */
  pass(ms: number): void {
    this.now += ms;
    this.elapsed += ms;
  }

  async advance(reason = 'because', force = false) {
    const answer = await this.rollouts.order('shop', { kind: 'advance', by: 'ann', reason, force });
    this.reread();
    return answer;
  }

  /** Through gates, one after the other. */
  async reach(stage: RolloutStatus['stage']): Promise<RolloutStatus> {
    for (;;) {
      const status = await this.rollouts.status('shop');
      if (status?.stage === stage) return status;
      this.pass(120_000);
      this.calls = [call({ lastSeen: this.now })];
      const answer = await this.advance();
      if (!answer.ok) throw new Error(`${answer.error}: ${answer.heldBy.join('; ')}`);
    }
  }

  #read(): Snapshot {
    return loadMesh({ paths: [this.mesh] }).snapshot;
  }

  async close(): Promise<void> {
    await this.rollouts.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
