import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import { checkKeyFile } from '../root/folder.ts';
import type { LogFiles } from './files.ts';
import type { NoteSigner } from './note.ts';

/** Every log has this name in its checkpoints: keys tell them apart, and a folder may be renamed or get another trust domain. */
const LOG_NAME = 'gatehouse.dev/issuance-log';

/** The key that signs checkpoints; made on the first start. A lost one is not replaced: old checkpoints would no longer count. */
export async function loadOrCreateLogKey(files: LogFiles): Promise<NoteSigner> {
  if (!existsSync(files.key)) {
    if (existsSync(files.checkpoints) && statSync(files.checkpoints).size > 0)
      throw new AuthorityError(
        `${files.key} is missing, but ${files.checkpoints} was signed with it; restore it from a backup, or move the files of the issuance log away together`,
      );
    const { privateKey } = generateKeyPairSync('ed25519');
    await writeAtomically(files.key, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
  }
  return loadLogKey(files);
}

export async function loadLogKey(files: LogFiles): Promise<NoteSigner> {
  await checkKeyFile(files.key);
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(await readFile(files.key));
  } catch {
    // OpenSSL's message is of no help, and the cause must not carry key material into logs.
    throw new AuthorityError(`${files.key} is no private key in PEM`);
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') throw new AuthorityError(`${files.key} is no Ed25519 key`);
  return { name: LOG_NAME, privateKey, publicKey: createPublicKey(privateKey) };
}
