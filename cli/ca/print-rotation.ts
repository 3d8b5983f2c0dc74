import Table from 'cli-table3';
import type { Plan, RotationStatus } from '../../ca/rotation/rotation.ts';
import type { Blocker } from '../../ca/rotation/state.ts';

/** What the control plane may say: the state, with or without a plan, or a refusal with what is in the way. */
interface Answer extends Partial<RotationStatus> {
  readonly status?: RotationStatus;
  readonly plan?: Plan;
  readonly blockers?: readonly Blocker[];
}

const STEPS: Readonly<Record<Plan['step'], string>> = Object.freeze({
  prepare: 'prepare a new root (--prepare)',
  activate: 'let the new root sign (--advance)',
  retire: 'take the old root out of the trust bundle (--advance)',
  revoke: "end it and destroy the old root's key (--advance)",
});

function isAnswer(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null;
}

export function printRotation(body: unknown): void {
  if (!isAnswer(body)) return;
  const status = body.status ?? body;
  const lines: string[] = [];
  if (status.phase !== undefined && status.roots !== undefined) {
    lines.push(`phase: ${status.phase}${status.since ? ` since ${status.since}` : ''}`);
    const table = new Table({
      head: ['root', 'role', 'signs', 'trusted', 'valid until', 'sha256'],
      style: { head: [], border: [] },
    });
    for (const { generation, role, signs, trusted, notAfter, sha256 } of status.roots)
      table.push([generation, role, signs ? 'yes' : 'no', trusted ? 'yes' : 'no', notAfter, sha256.join('\n')]);
    lines.push(table.toString());
    for (const { generation, revokedAt, sha256 } of status.revoked ?? [])
      lines.push(`root ${String(generation)} was revoked at ${revokedAt}: ${sha256.join(', ')}`);
  }
  if (body.plan !== undefined) lines.push(`next: ${STEPS[body.plan.step]}${body.plan.ready ? '' : ', but not yet:'}`);
  for (const blocker of body.plan?.blockers ?? body.blockers ?? []) lines.push(`  ${blockerText(blocker)}`);
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}

function blockerText(blocker: Blocker): string {
  switch (blocker.kind) {
    case 'not-acknowledged':
      return `${blocker.node} (${blocker.identity}) ${blocker.detail}`;
    case 'replica':
      return `replica ${blocker.replica}: ${blocker.detail}`;
    case 'not-connected':
      return `${blocker.identity} has pods and a valid certificate, but no proxy is connected`;
    case 'settling':
      return `the control plane has just started; until ${blocker.until} it waits for proxies to come back`;
    case 'certificates-in-use':
      return `${String(blocker.count)} certificates of the ${blocker.root} root are in use, the last until ${blocker.until}: ${blocker.identities.join(', ')}`;
    case 'root-not-valid':
      return blocker.reason;
    default:
      return blocker satisfies never;
  }
}
