import { parseSpiffeId, type SpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { Party } from '../model/record.ts';
import type { Directory } from './directory.ts';
import type { LogTls } from './log-entry.ts';

/** Who the client's certificate says it is. `certificate` without `principal`: it names no one identity, so it proves none. */
export interface Peer {
  readonly certificate: boolean;
  readonly principal: SpiffeId | undefined;
}

/** An X.509-SVID has exactly one URI SAN (SPIFFE X509-SVID, section 2); with more, none of them is taken. */
export function peerOf(tls: LogTls | undefined): Peer {
  const peer = tls?.peerCertificateProperties;
  const uris = (peer?.subjectAltName ?? []).flatMap(({ san }) => (san.case === 'uri' ? [san.value] : []));
  const certificate = peer !== undefined && (peer.subjectAltName.length > 0 || peer.subject !== '' || peer.issuer !== '');
  const [uri] = uris;
  if (uri === undefined || uris.length > 1) return { certificate, principal: undefined };
  const parsed = parseSpiffeId(uri);
  return { certificate, principal: parsed.ok ? parsed.value : undefined };
}

/** The caller as the proxy at the other end saw it. An address names the workload only if that workload has the proven identity. */
export function callerOf(principal: SpiffeId | undefined, ip: string | undefined, directory: Directory): Party {
  const near = ip === undefined ? undefined : directory.workloadByAddress(ip)?.workload;
  if (principal === undefined) return { principal, workload: near, address: ip };
  const agrees = near !== undefined && directory.principalOf(near) === principal;
  return { principal, workload: agrees ? near : directory.workloadOfPrincipal(principal), address: ip };
}
