import { X509Certificate } from 'node:crypto';
import type { ConfigMap } from '../../model/config-map.ts';
import type { Context } from '../context.ts';
import type { Node } from '../node.ts';
import { nodeAt, textAt } from '../node-path.ts';

/** Where certificates of authorities stand in a ConfigMap (Gateway API, BackendTLSPolicy `caCertificateRefs`). */
const KEY = 'ca.crt';
const MOST_CERTIFICATES = 500;
const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** The certificates alone, each of which can be read: what else stands there never reaches a proxy. */
function certificatesIn(text: string): string | undefined {
  const found = text.match(PEM) ?? [];
  if (found.length === 0 || found.length > MOST_CERTIFICATES) return undefined;
  if (found.length !== text.split('-----BEGIN').length - 1) return undefined;
  return found.every(isCertificate) ? `${found.join('\n')}\n` : undefined;
}

export function readConfigMap({ meta }: Context, root: Node): ConfigMap {
  if (nodeAt(root, 'data', KEY) === undefined) return { meta, authorities: undefined };
  return { meta, authorities: certificatesIn(textAt(root, 'data', KEY)) };
}
