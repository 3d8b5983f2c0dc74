import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Logger } from 'pino';
import {
  inUse,
  KEY_BYTES,
  nextSessionKeys,
  parseKeyLines,
  parseSessionKeys,
  type SessionKey,
  sessionKeysText,
} from '../../audit/page/server/auth/session-keys.ts';
import type { Cluster } from './cluster-options.ts';
import { readAgain } from './read-again.ts';

/** With what sessions are sealed now. */
export interface SessionKeys {
  current(): readonly Uint8Array[];
  close(): void;
}

/** Text that replicas share, where a write fails that was not made over what is there. */
export interface SharedText {
  /** How people find it. */
  readonly name: string;
  read(): Promise<string | undefined>;
  /** False when somebody else wrote after it was read. */
  write(text: string): Promise<boolean>;
  /** Calls back when another may have changed it, or it is gone; returns how to stop. */
  follow(changed: () => void): () => void;
}

const MOST_BYTES = 64 * 1024;
const LOOK_MS = 10 * 60_000;
const TRIES = 5;

/** Sessions that end with the process. */
export function ownSessionKeys(): SessionKeys {
  const key = randomBytes(KEY_BYTES);
  return { current: () => [key], close: () => {} };
}

/** @throws Error when the file does not hold keys; later: then no session counts until it does */
export function sessionKeysIn(file: string, clock: () => Date, complain: (error: unknown) => void): SessionKeys {
  const read = (): readonly Uint8Array[] => {
    if (statSync(file).size > MOST_BYTES) throw new Error(`${file} is larger than ${MOST_BYTES} bytes`);
    const keys = parseKeyLines(readFileSync(file, 'utf8'));
    if (!keys.ok) throw new Error(`--page-session-key ${file}: ${keys.reason}`);
    return keys.value;
  };
  return { current: readAgain<readonly Uint8Array[]>(file, read, [], clock, complain), close: () => {} };
}

/**
 * Keys in something that replicas share: whoever is first makes them, and renews them. While it cannot be reached the last ones go on.
 * @throws Error when it cannot be read at the start
 */
export async function sharedSessionKeys(document: SharedText, clock: () => Date, log: Logger): Promise<SessionKeys> {
  let known: readonly SessionKey[] = [];
  const look = async (): Promise<void> => {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const text = await document.read();
      const read = text === undefined ? undefined : parseSessionKeys(text);
      if (read?.ok === false) throw new Error(`${document.name}: ${read.reason}`);
      const keys = read?.value ?? [];
      const next = nextSessionKeys(keys, clock().getTime(), () => randomBytes(KEY_BYTES));
      if (next === undefined || (await document.write(sessionKeysText(next)))) {
        known = next ?? keys;
        return;
      }
    }
    throw new Error(`${document.name} was changed by somebody else again and again`);
  };
  await look();
  let looking = Promise.resolve();
  const again = (): void => {
    looking = looking
      .then(look)
      .catch((error: unknown) => log.warn({ err: error }, 'the keys of sessions cannot be read; the last ones go on'));
  };
  const stop = document.follow(again);
  const timer = setInterval(again, LOOK_MS).unref();
  return {
    current: () => inUse(known, clock().getTime()),
    close() {
      clearInterval(timer);
      stop();
    },
  };
}

/** The replicas' Secret. */
export async function pageSessions({ client, systemNamespace }: Cluster): Promise<SharedText> {
  const { sharedPageSessions } = await import('../../kubernetes/authority/page-sessions.ts');
  return sharedPageSessions(client, systemNamespace);
}
