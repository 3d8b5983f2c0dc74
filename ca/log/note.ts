import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

/** Who signs notes, as others know it. C2SP signed-note: name, key hash and an Ed25519 key. */
export interface NoteVerifier {
  readonly name: string;
  readonly publicKey: KeyObject;
}

export interface NoteSigner extends NoteVerifier {
  readonly privateKey: KeyObject;
}

const ED25519 = 0x01;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const NAME = /^[^\s+]{1,300}$/;
const SIGNATURE_LINE = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/;
// SubjectPublicKeyInfo of an Ed25519 key, before the 32 bytes of the key itself (RFC 8410).
const SPKI_START = Buffer.from('302a300506032b6570032100', 'hex');

function rawKey(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' }).subarray(-KEY_BYTES);
}

/** The first four bytes of SHA-256 over name, newline, algorithm and key. */
function keyHash({ name, publicKey }: NoteVerifier): Buffer {
  const bytes = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ED25519), rawKey(publicKey)]);
  return hash('sha256', bytes, 'buffer').subarray(0, 4);
}

/** The verifier key in the form that other tools take: `name+hash+key`. */
export function verifierKey(verifier: NoteVerifier): string {
  const key = Buffer.concat([Buffer.of(ED25519), rawKey(verifier.publicKey)]).toString('base64');
  return `${verifier.name}+${keyHash(verifier).toString('hex')}+${key}`;
}

export function parseVerifierKey(text: string): Parsed<NoteVerifier> {
  const [, name, digest, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(text.trim()) ?? [];
  if (name === undefined || digest === undefined || encoded === undefined)
    return refused('it is no verifier key (NAME+HASH+KEY)');
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes[0] !== ED25519 || bytes.length !== 1 + KEY_BYTES) return refused('it is no Ed25519 key');
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_START, bytes.subarray(1)]), format: 'der', type: 'spki' });
  const verifier = { name, publicKey };
  return keyHash(verifier).toString('hex') === digest
    ? parsed(verifier)
    : refused('its hash does not belong to its name and key');
}

/** Signs a text, which must end with a line end. */
export function signNote(text: string, signer: NoteSigner): string {
  if (!text.endsWith('\n') || text.includes('\n\n') || !NAME.test(signer.name)) throw new RangeError('not a text for a note');
  const signature = Buffer.concat([keyHash(signer), sign(null, Buffer.from(text), signer.privateKey)]);
  return `${text}\n— ${signer.name} ${signature.toString('base64')}\n`;
}

/** The text of a note that this key has signed. Signatures of others are passed over, as the standard wants. */
export function openNote(note: string, verifier: NoteVerifier): Parsed<string> {
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) return refused('it is no signed note');
  const text = note.slice(0, end + 1);
  const digest = keyHash(verifier);
  for (const line of note.slice(end + 2, -1).split('\n')) {
    const [, name, encoded] = SIGNATURE_LINE.exec(line) ?? [];
    if (name === undefined || encoded === undefined) return refused('a signature line of it is malformed');
    const bytes = Buffer.from(encoded, 'base64');
    if (name !== verifier.name || bytes.length !== 4 + SIGNATURE_BYTES || !bytes.subarray(0, 4).equals(digest)) continue;
    return verify(null, Buffer.from(text), verifier.publicKey, bytes.subarray(4))
      ? parsed(text)
      : refused('its signature does not verify');
  }
  return refused(`it is not signed by ${verifierKey(verifier)}`);
}
