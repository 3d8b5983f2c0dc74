import { parsed, refused, type Parsed } from '../identity/parsed.ts';

const BLOCK = /^\s*-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n([A-Za-z0-9+/=\r\n]*)-----END ([A-Z0-9 ]{1,40})-----\s*$/;

/**
 * The bytes of the one PEM block that the text consists of (RFC 7468, strict form: no headers, no text around it).
 * The caller bounds the text's length before.
 */
export function soleBlock(text: string, labels: readonly string[]): Parsed<Buffer> {
  const match = BLOCK.exec(text);
  const [, label, body, end] = match ?? [];
  if (label === undefined || body === undefined || label !== end) return refused('it is not one PEM block');
  if (!labels.includes(label)) return refused(`the PEM block is ${JSON.stringify(label)}, expected ${labels.join(' or ')}`);
  const compact = body.replaceAll(/[\r\n]/g, '');
  const bytes = Buffer.from(compact, 'base64');
  // Buffer skips what it does not understand; the canonical spelling is the only one taken.
  return bytes.toString('base64') === compact && bytes.length > 0 ? parsed(bytes) : refused('the PEM block is not valid base64');
}

export function toPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
  let body = '';
  for (let at = 0; at < base64.length; at += 64) body += `${base64.slice(at, at + 64)}\n`;
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`;
}

/** The certificates of a bundle, in order. Text between blocks is left out, as OpenSSL and Envoy do. */
export function certificateBlocks(text: string): readonly string[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g);
  return (blocks ?? []).map((block) => `${block}\n`);
}
