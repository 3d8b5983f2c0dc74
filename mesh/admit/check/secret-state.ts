import { X509Certificate } from 'node:crypto';
import type { Secrets, SecretState } from '../../gateway-api/status/listeners.ts';
import { nodeAt, textAt } from '../node-path.ts';
import type { Written } from '../written.ts';

/** A value of a Secret as text; undefined when it is not there. */
export function secretValue({ node }: Written, key: string): string | undefined {
  if (nodeAt(node, 'stringData', key) !== undefined) return textAt(node, 'stringData', key);
  if (nodeAt(node, 'data', key) === undefined) return undefined;
  return Buffer.from(textAt(node, 'data', key), 'base64').toString('utf8');
}

const PAIRS = Object.freeze([
  ['tls.crt', 'tls.key'],
  ['cert', 'key'],
] as const);

/** Whether a Secret holds a certificate and a key; what it holds goes nowhere. */
function stateOf(secret: Written): SecretState {
  const pair = PAIRS.find(
    ([certificate, key]) => secretValue(secret, certificate) !== undefined && secretValue(secret, key) !== undefined,
  );
  if (pair === undefined) return 'malformed';
  const [certificate, key] = pair;
  try {
    const read = new X509Certificate(secretValue(secret, certificate) ?? '');
    return read.raw.length > 0 && /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(secretValue(secret, key) ?? '')
      ? 'usable'
      : 'malformed';
  } catch {
    return 'malformed';
  }
}

/** Secrets are seldom kept beside other configuration: without any, nothing is known of them. */
export function secretsIn(written: readonly Written[]): Secrets {
  const secrets = new Map(
    written.filter(({ group, kind }) => group === '' && kind === 'Secret').map((one) => [`${one.namespace}/${one.name}`, one]),
  );
  if (secrets.size === 0) return () => 'unknown';
  return (namespace, name) => {
    const secret = secrets.get(`${namespace}/${name}`);
    return secret === undefined ? 'missing' : stateOf(secret);
  };
}
