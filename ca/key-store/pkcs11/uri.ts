import { isAbsolute } from 'node:path';
import { parsed, refused, type Parsed } from '../../identity/parsed.ts';

/** Which key of which token, and how to get at it: a PKCS#11 URI (RFC 7512). */
export interface Pkcs11Uri {
  /** Absolute path of the vendor's PKCS#11 library. */
  readonly module: string;
  readonly token: string | undefined;
  readonly serial: string | undefined;
  /** CKA_LABEL of the key. */
  readonly object: string | undefined;
  /** CKA_ID of the key. */
  readonly id: Buffer | undefined;
  /** Absolute path of a file that holds the PIN. */
  readonly pinFile: string;
}

const KNOWN: readonly string[] = Object.freeze(['token', 'serial', 'object', 'id', 'type', 'module-path', 'pin-source']);
const LONGEST = 4096;

export function isPkcs11Uri(text: string): boolean {
  return text.startsWith('pkcs11:');
}

/** Parses a URI strictly: an attribute that is not understood could mean another key, so it is refused. */
export function parsePkcs11Uri(text: string): Parsed<Pkcs11Uri> {
  if (!isPkcs11Uri(text) || text.length > LONGEST) return refused('it is no PKCS#11 URI (pkcs11:token=…;object=…?module-path=…)');
  const [path = '', query = '', extra] = text.slice('pkcs11:'.length).split('?');
  if (extra !== undefined) return refused('the PKCS#11 URI has two question marks');
  const found = new Map<string, string>();
  for (const part of [...path.split(';'), ...query.split('&')].filter((part) => part !== '')) {
    const [, name = '', value = ''] = /^([a-z-]+)=(.+)$/.exec(part) ?? [];
    if (name === 'pin-value')
      return refused('a PIN must not be in the PKCS#11 URI; put it into a file, and name that by pin-source');
    if (!KNOWN.includes(name)) return refused(`the PKCS#11 URI has an unknown part ${JSON.stringify(name || part)}`);
    if (found.has(name)) return refused(`the PKCS#11 URI has ${name} twice`);
    if (!/^(?:[^%]|%[0-9A-Fa-f]{2})+$/.test(value)) return refused(`${name} of the PKCS#11 URI is not percent-encoded`);
    found.set(name, value);
  }
  return fromParts(found);
}

function fromParts(parts: ReadonlyMap<string, string>): Parsed<Pkcs11Uri> {
  const text = (name: string) => {
    const value = parts.get(name);
    return value === undefined ? undefined : unescaped(value).toString('utf8');
  };
  const [module, pinFile] = [text('module-path'), text('pin-source')?.replace(/^file:(?:\/\/)?/, '')];
  if (module === undefined || !isAbsolute(module)) return refused('the PKCS#11 URI needs module-path, an absolute path');
  if (pinFile === undefined || !isAbsolute(pinFile))
    return refused('the PKCS#11 URI needs pin-source, the absolute path of a file with the PIN');
  if (parts.get('type') !== undefined && parts.get('type') !== 'private')
    return refused('the type in the PKCS#11 URI is not private');
  const [token, serial, object, id] = [text('token'), text('serial'), text('object'), parts.get('id')];
  if (token === undefined && serial === undefined) return refused('the PKCS#11 URI needs token or serial');
  if (object === undefined && id === undefined) return refused('the PKCS#11 URI needs object (the label of the key) or id');
  return parsed({ module, token, serial, object, id: id === undefined ? undefined : unescaped(id), pinFile });
}

function unescaped(value: string): Buffer {
  const bytes = value.replaceAll(/%([0-9A-Fa-f]{2})|([^%])/gu, (_, code: string | undefined, plain: string | undefined) =>
    code === undefined ? Buffer.from(plain ?? '', 'utf8').toString('latin1') : String.fromCharCode(Number.parseInt(code, 16)),
  );
  return Buffer.from(bytes, 'latin1');
}
