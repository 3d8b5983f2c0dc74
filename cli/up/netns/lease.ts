// Which bridge numbers are in use on this machine: one small file each, so that what a killed run left can be told from
// what belongs to a running one, and from what is not ours at all.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, type ProcessId, processId } from '../process-id.ts';

const LEASES = '/run/gatehouse';

export function leaseDir(number: number): string {
  return join(LEASES, `gh${number}`);
}

function ownerOf(number: number): ProcessId | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(join(leaseDir(number), 'owner.json'), 'utf8'));
    if (typeof content !== 'object' || content === null || !('pid' in content) || !('startedAt' in content)) return undefined;
    const { pid, startedAt } = content;
    return typeof pid === 'number' && typeof startedAt === 'string' ? { pid, startedAt } : undefined;
  } catch {
    return undefined;
  }
}

/** Takes a number for this process; false when it is taken. Making the folder is what decides between two at once. */
export function takeLease(number: number): boolean {
  mkdirSync(LEASES, { recursive: true, mode: 0o711 });
  try {
    mkdirSync(leaseDir(number), { mode: 0o711 });
  } catch {
    return false;
  }
  writeFileSync(join(leaseDir(number), 'owner.json'), JSON.stringify(processId(process.pid)), { mode: 0o600 });
  return true;
}

export function dropLease(number: number): void {
  rmSync(leaseDir(number), { recursive: true, force: true });
}

const TAKING_MS = 10_000;

function isOlderThan(number: number, ms: number): boolean {
  try {
    return Date.now() - statSync(leaseDir(number)).mtimeMs > ms;
  } catch {
    return false;
  }
}

/** Numbers whose process is gone. A lease without an owner may be one that is being taken right now. */
export function deadLeases(): readonly number[] {
  let names: readonly string[];
  try {
    names = readdirSync(LEASES);
  } catch {
    return [];
  }
  return names
    .map((name) => Number(/^gh(\d+)$/.exec(name)?.[1] ?? Number.NaN))
    .filter((number) => {
      if (Number.isNaN(number)) return false;
      const owner = ownerOf(number);
      return owner === undefined ? isOlderThan(number, TAKING_MS) : !isAlive(owner);
    });
}
