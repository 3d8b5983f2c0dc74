import type { TrustBundle } from '../identity/bundle.ts';
import type { KeeperStatus } from '../identity/keeper.ts';

/** One workload, as `gatehouse proxy secrets` shows it. Times in ISO 8601, serials in hexadecimal; nothing secret. */
export interface WorkloadStatus {
  /** `NAMESPACE/POD`. */
  readonly workload: string;
  readonly identity: string;
  readonly certificate: {
    readonly serial: string;
    readonly notBefore: string;
    readonly notAfter: string;
    readonly expired: boolean;
  } | null;
  /** The planned renewal, or the next attempt after a failure; null while one is under way. */
  readonly nextAttempt: string | null;
  readonly issued: number;
  readonly failed: number;
  readonly failuresInARow: number;
  readonly lastError: { readonly time: string; readonly code: string; readonly reason: string } | null;
  /** Whether Envoy has accepted the certificate, and the roots, that are current. Null: nobody has asked for them. */
  readonly acknowledged: { readonly certificate: boolean | null; readonly roots: boolean | null };
  readonly sdsSocket: string;
  /** What of the Envoy's access log waits for the control plane, and how many records there was no room for. */
  readonly accessLog: { readonly messages: number; readonly bytes: number; readonly lost: number };
  /** Files that the certificate is written to. */
  readonly files: { readonly dir: string; readonly written: boolean } | null;
}

export interface RootStatus {
  readonly subject: string;
  readonly serial: string;
  readonly sha256: string;
  readonly notAfter: string;
}

export interface AgentStatus {
  readonly pid: number;
  readonly time: string;
  readonly roots: readonly RootStatus[];
  readonly workloads: readonly WorkloadStatus[];
}

export function rootStatus(bundle: TrustBundle | undefined): readonly RootStatus[] {
  return (bundle?.roots ?? []).map((root) => ({
    subject: root.subject.replaceAll('\n', ', '),
    serial: root.serialNumber.toLowerCase(),
    sha256: root.fingerprint256,
    notAfter: root.validToDate.toISOString(),
  }));
}

export function keeperPart(
  { svid, nextAttempt, issued, failed, failuresInARow, lastFailure }: KeeperStatus,
  now: number,
): Pick<WorkloadStatus, 'certificate' | 'nextAttempt' | 'issued' | 'failed' | 'failuresInARow' | 'lastError'> {
  return {
    certificate:
      svid === undefined
        ? null
        : { serial: svid.serial, notBefore: iso(svid.notBefore), notAfter: iso(svid.notAfter), expired: svid.notAfter <= now },
    nextAttempt: nextAttempt === undefined ? null : iso(nextAttempt),
    issued,
    failed,
    failuresInARow,
    lastError:
      lastFailure === undefined ? null : { time: iso(lastFailure.at), code: lastFailure.code, reason: lastFailure.reason },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
