import { type Field, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { requiredText } from '../scalar.ts';

/** What Envoy's TLS library (BoringSSL) has for TLS 1.2; those of TLS 1.3 are always on. */
export const CIPHER_SUITES: ReadonlySet<string> = new Set([
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-PSK-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-PSK-AES128-CBC-SHA',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
  'ECDHE-PSK-AES256-CBC-SHA',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA',
  'AES256-SHA',
  'PSK-AES128-CBC-SHA',
  'PSK-AES256-CBC-SHA',
  'DES-CBC3-SHA',
]);

export const CURVES: ReadonlySet<string> = new Set(['X25519', 'X25519MLKEM768', 'P-256', 'P-384', 'P-521']);

/**
 * Names of a closed list; a name that Envoy does not know would make it refuse every server of the port, so that it is left out with a
 * warning, as Istio does. A leading `-`, `+` or `!` of cipher suites is a command of the TLS library, taken as it is.
 */
export function knownOf(field: Field, known: ReadonlySet<string>, what: string): readonly string[] {
  const found = new Set<string>();
  for (const item of itemsOf(field)) {
    const name = requiredText(item, 'remove the empty item');
    if (name === '') continue;
    if (!known.has(name.replace(/^[-+!]/, '')))
      item.warning('unknown-value', `"${shorten(name)}" is no ${what} that Envoy has; it is left out`, 'remove it');
    else if (found.has(name)) item.warning('duplicate', `the ${what} ${name} is given twice`, 'keep one');
    else found.add(name);
  }
  return [...found];
}

export const SPKI = /^[A-Za-z0-9+/]{43}=$/;
export const HASH = /^(?:[0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31})$/;

/** What clients are pinned to. Envoy would refuse every server of the port for one that is malformed, and without it too many were let in. */
export function pins(field: Field, form: RegExp, what: string): readonly string[] {
  return itemsOf(field).map((item) => {
    const written = requiredText(item, 'remove the empty item');
    if (written !== '' && !form.test(written)) item.error('bad-hash', `"${shorten(written)}" is not ${what}`);
    return written;
  });
}
