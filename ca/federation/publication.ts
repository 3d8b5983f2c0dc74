import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { formatSpiffeBundle } from '../bundle/spiffe-bundle.ts';
import type { PublicJwk } from '../jwt-svid/key.ts';
import { writeAtomically } from '../root/atomic.ts';
import { parseBundle } from '../root/chain.ts';

export interface PublicationOptions {
  readonly caDir: string;
  /** The roots of this moment, PEM. */
  readonly rootsPem: () => string;
  readonly jwtKeys: () => readonly PublicJwk[];
  readonly refreshHintSeconds: number;
  readonly log: Logger;
}

interface Kept {
  readonly sequence: number;
  readonly sha256: string;
}

/**
 * Our own bundle as we publish it. Its sequence number grows with every change of its keys and is on disk before a change is served, so
 * that no consumer ever sees one number for two bundles, or a number that goes back.
 */
export function publication({ caDir, rootsPem, jwtKeys, refreshHintSeconds, log }: PublicationOptions): () => Promise<string> {
  const file = join(caDir, 'bundle-sequence.json');
  let kept = readKept(file);
  let served: { readonly sha256: string; readonly text: string } | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  const make = async (): Promise<string> => {
    const [roots, keys] = [rootsPem(), jwtKeys()];
    const sha256 = createHash('sha256')
      .update(JSON.stringify([roots, keys]))
      .digest('hex');
    if (served?.sha256 === sha256) return served.text;
    if (kept?.sha256 !== sha256) {
      const next = { sequence: (kept?.sequence ?? 0) + 1, sha256 };
      await writeAtomically(file, `${JSON.stringify(next)}\n`, 0o600);
      kept = next;
      log.info({ sequence: next.sequence }, 'the published trust bundle changed');
    }
    const authorities = parseBundle(roots);
    if (!authorities.ok) throw new Error(`our own roots: ${authorities.reason}`);
    const text = formatSpiffeBundle({
      x509Authorities: authorities.value,
      jwtAuthorities: new Map(keys.map((jwk) => [jwk.kid, publicKey(jwk)])),
      sequence: kept?.sequence,
      refreshHintSeconds,
    });
    served = { sha256, text };
    return text;
  };
  return () => {
    const result = turn.then(make);
    turn = result.catch(() => undefined);
    return result;
  };
}

function publicKey({ kty, crv, x, y }: PublicJwk): KeyObject {
  return createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' });
}

/** Anything unreadable counts as lost; then the time in seconds is a number that nobody saw before. */
function readKept(file: string): Kept | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'sequence' in value && 'sha256' in value) {
      const { sequence, sha256 } = value;
      if (typeof sequence === 'number' && Number.isSafeInteger(sequence) && typeof sha256 === 'string')
        return { sequence, sha256 };
    }
  } catch {
    // Counts as lost.
  }
  return { sequence: Math.floor(Date.now() / 1000), sha256: '' };
}
