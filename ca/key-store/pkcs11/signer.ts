import { verify } from 'node:crypto';
import { AuthorityError } from '../../root/error.ts';
import { keyTypeOf, KEY_TYPES } from '../key-type.ts';
import type { Signer } from '../signer.ts';
import { type Connect, type Connection, connector } from './connection.ts';
import type { Handle } from './library.ts';
import { TOKEN_SIGNATURES, type TokenSignature } from './signature.ts';
import type { Pkcs11Uri } from './uri.ts';

/** After a failed attempt the token is left alone for as long, so that a queue of requests does not hammer it. */
const RETRY_MS = 1000;

/**
 * A CA key in a PKCS#11 token. The key stays there; this process has sessions. When a signature fails (token pulled, HSM restarted,
 * session timed out), new sessions are opened and it is tried once more; when that fails too, it rejects, and the next one tries again.
 */
export async function pkcs11Signer(uri: Pkcs11Uri, clock: () => number = () => performance.now()): Promise<Signer> {
  const connect = connector(uri);
  let first: Connection;
  try {
    first = await connect();
  } catch (error) {
    throw new AuthorityError(`the key in the PKCS#11 token: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { publicKey } = first.key;
  const type = keyTypeOf(publicKey);
  if (!type.ok) throw new AuthorityError(`the key in the PKCS#11 token: ${type.reason}`);
  const { algorithm, digest } = KEY_TYPES[type.value];
  const same: Connect = async () => {
    const made = await connect();
    if (made.key.publicKey.equals(publicKey)) return made;
    await made.close();
    throw new Error('the token came back with another key');
  };
  const pool = sessionPool(first, same, clock);
  const signature = TOKEN_SIGNATURES[type.value];
  return {
    type: type.value,
    algorithm: Buffer.from(algorithm, 'hex'),
    publicKey,
    async sign(bytes) {
      const made = await pool.sign(signature, bytes);
      if (!verify(digest, bytes, publicKey, made)) throw new Error('the token made a signature that does not verify');
      return made;
    },
    close: () => pool.close(),
  };
}

interface Pool {
  sign(signature: TokenSignature, bytes: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

function sessionPool(first: Connection, connect: Connect, clock: () => number): Pool {
  let current: Connection | undefined = first;
  let free: Handle[] = [...first.sessions];
  let opening: Promise<Connection> | undefined;
  let failed = Number.NEGATIVE_INFINITY;
  let waiting: (() => void)[] = [];
  const wakeAll = () => {
    for (const wake of waiting.splice(0)) wake();
  };
  const open = (): Promise<Connection> => {
    if (clock() - failed < RETRY_MS) return Promise.reject(new Error('the token does not answer'));
    opening ??= connect()
      .then(
        (made) => {
          [current, free] = [made, [...made.sessions]];
          wakeAll();
          return made;
        },
        (error: unknown) => {
          failed = clock();
          wakeAll();
          throw error;
        },
      )
      .finally(() => (opening = undefined));
    return opening;
  };
  const drop = (broken: Connection): void => {
    if (current !== broken) return;
    current = undefined;
    void broken.close().catch(() => undefined);
  };
  const attempt = async ({ mechanism, input, output }: TokenSignature, bytes: Uint8Array): Promise<Uint8Array> => {
    const connection = current ?? (await open());
    const session = free.pop();
    if (session === undefined) {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return attempt({ mechanism, input, output }, bytes);
    }
    try {
      const made = await connection.module.use((library) => {
        if (connection.module.epoch() !== connection.epoch) throw new Error('the module was restarted');
        return library.sign(session, connection.key.handle, mechanism, input(bytes));
      });
      if (current === connection) free.push(session);
      return output(made);
    } catch (error) {
      drop(connection);
      throw error;
    } finally {
      waiting.shift()?.();
    }
  };
  return {
    sign: (signature, bytes) => attempt(signature, bytes).catch(() => attempt(signature, bytes)),
    async close() {
      const open = current;
      current = undefined;
      failed = Number.POSITIVE_INFINITY;
      await open?.close();
    },
  };
}
