import { networkInterfaces } from 'node:os';
import type { CaptureOptions } from '../../kubernetes/capture/options.ts';
import { presentIn, removalText, restoreText } from '../../kubernetes/capture/restore.ts';
import { captureTable, type Family } from '../../kubernetes/capture/rules.ts';
import { run } from '../up/netns/run.ts';

export type Outcome = { readonly ok: true } | { readonly ok: false; readonly reason: string };

const PROGRAMS = { 4: 'iptables', 6: 'ip6tables' } as const;
/** How long to wait for another process that changes rules. */
const LOCK_SECONDS = '5';

/** IPv6 addresses of this network namespace by which others could reach it, or it others. */
export function hasIpv6(): boolean {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .some(({ family, internal, address }) => family === 'IPv6' && !internal && !address.toLowerCase().startsWith('fe80:'));
}

/** Why rules of this family cannot be set here; undefined: they can. */
export async function obstacle(family: Family): Promise<string | undefined> {
  const { ok, reason } = await run(`${PROGRAMS[family]}-save`, ['-t', 'nat']);
  return ok ? undefined : reason;
}

/** Makes the rules be as the options say, whatever there was; in one step of the kernel. */
export async function applyCapture(options: CaptureOptions, family: Family): Promise<Outcome> {
  const saved = await run(`${PROGRAMS[family]}-save`, ['-t', 'nat']);
  if (!saved.ok) return saved;
  if (family === 6) {
    // From here the agent and the proxy call the application over IPv6, as from 127.0.0.6, of which every host has all.
    const added = await run('ip', ['-6', 'address', 'replace', '::6/128', 'dev', 'lo', 'nodad']);
    if (!added.ok) return added;
  }
  return restore(family, restoreText(captureTable(options, family), presentIn(saved.stdout)));
}

/** Takes away all rules of ours. */
export async function removeCapture(family: Family): Promise<Outcome> {
  const saved = await run(`${PROGRAMS[family]}-save`, ['-t', 'nat']);
  if (!saved.ok) return saved;
  const text = removalText('nat', presentIn(saved.stdout));
  const outcome: Outcome = text === undefined ? { ok: true } : await restore(family, text);
  if (outcome.ok && family === 6) await run('ip', ['-6', 'address', 'del', '::6/128', 'dev', 'lo']);
  return outcome;
}

async function restore(family: Family, text: string): Promise<Outcome> {
  return run(`${PROGRAMS[family]}-restore`, ['--noflush', '--wait', LOCK_SECONDS], text);
}
