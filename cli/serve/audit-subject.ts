import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Parsed } from '../../ca/identity/parsed.ts';

/** Whether, and how, the audit writes down whose token a request had. */
export type AuditSubject = 'off' | 'plain' | { readonly key: Buffer };

const LEAST_KEY = 32;
const DIGEST_BYTES = 16;

/** `hash`: the same person is the same text, and without the key nobody can try out names. */
export function parseAuditSubject(mode = 'off', keyFile?: string): Parsed<AuditSubject> {
  if (mode === 'off' || mode === 'plain') {
    if (keyFile === undefined) return { ok: true, value: mode };
    return { ok: false, reason: '--audit-subject-key is for --audit-subject hash' };
  }
  if (mode !== 'hash') return { ok: false, reason: `--audit-subject: ${mode} is not off, hash or plain` };
  if (keyFile === undefined)
    return {
      ok: false,
      reason: '--audit-subject hash needs --audit-subject-key FILE (make one: head -c 32 /dev/urandom > FILE)',
    };
  try {
    const key = readFileSync(keyFile);
    if (key.length >= LEAST_KEY) return { ok: true, value: { key } };
    return { ok: false, reason: `--audit-subject-key: ${keyFile} has fewer than ${String(LEAST_KEY)} bytes` };
  } catch (error) {
    return { ok: false, reason: `--audit-subject-key: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** For the intake's directory. */
export function subjectOf(how: AuditSubject): { readonly subjectOf?: (issuer: string, subject: string) => string } {
  if (how === 'off') return {};
  if (how === 'plain') return { subjectOf: (_issuer, subject) => subject };
  const { key } = how;
  return {
    subjectOf: (issuer, subject) =>
      `hmac:${createHmac('sha256', key)
        .update(JSON.stringify([issuer, subject]))
        .digest()
        .subarray(0, DIGEST_BYTES)
        .toString('hex')}`,
  };
}
