import type { Diagnostic, Severity } from '../../mesh/model/diagnostic.ts';
import { keyOf, type Meta } from '../../mesh/model/object.ts';

/**
 * A finding about a field of an object. It stands where the object stood when it was read; who holds the input knows the
 * field's own line (mesh/admit/locate.ts).
 */
export function finding(meta: Meta, field: string, severity: Severity, code: string, message: string, hint: string): Diagnostic {
  return { ...meta.origin, object: `${meta.kind} ${keyOf(meta)}`, field, severity, code, message, hint };
}

/** Some of many, for people: `shop/a, shop/b and 7 more`. */
export function some(names: readonly string[], most = 3): string {
  if (names.length <= most) return names.join(', ');
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

/** Untrusted text in quotes: one line, 80 characters at most. */
export function quoted(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, '?');
  return `"${plain.length > 80 ? `${plain.slice(0, 77)}...` : plain}"`;
}
