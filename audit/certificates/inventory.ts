import type { LoggedIssuance } from '../../ca/log/read.ts';
import type { Line } from '../report/report.ts';

/** What became of a certificate. `open`: the log has its intent and no result, so that it may or may not have been released. */
export type CertificateStatus = 'valid' | 'expired' | 'not yet valid' | 'revoked' | 'withheld' | 'open';

/** Who is cut off now. */
export interface CutOff {
  readonly serials: ReadonlySet<string>;
  /** SPIFFE IDs with their scheme. */
  readonly identities: ReadonlySet<string>;
}

/**
 * The calls that a certificate made. Access records name the identity of a certificate, not the certificate: a call was made with this one
 * for certain where no other of its identity was valid at that time, and otherwise with one of several.
 */
export interface CallsMade {
  readonly certain: number;
  readonly possible: number;
}

export interface CertificateRow {
  readonly issuance: LoggedIssuance;
  /** With its scheme; empty for the control plane's own servers. */
  readonly identity: string;
  /** The rule by which the authority granted it, as its evidence shows. */
  readonly grant: string;
  readonly status: CertificateStatus;
  readonly calls: CallsMade;
}

/** The certificates that calls of an edge can have been made with, newest first. */
export interface EdgeCertificates {
  readonly line: Line;
  readonly serials: readonly string[];
  /** How many there are in all; only some are listed. */
  readonly count: number;
}

export interface Inventory {
  readonly rows: readonly CertificateRow[];
  readonly edges: readonly EdgeCertificates[];
  /** Calls with a certificate of an identity for which the log has none that was valid then: another authority's, or none of ours. */
  readonly unexplained: readonly Line[];
}

/** Clocks of proxies may be this far from the authority's. */
const SKEW_MS = 5 * 60_000;
const LISTED = 5;

/** The SPIFFE ID among the names of a record: `URI:spiffe://...`, perhaps with others behind it. */
export function identityOf({ names }: Pick<LoggedIssuance, 'names'>): string {
  return /^URI:(spiffe:\/\/[^,\s]+)/.exec(names)?.[1] ?? '';
}

/** The account of `system:serviceaccount:NAMESPACE:NAME`, as the path of its SPIFFE ID. */
function accountPath(subject: string): string | undefined {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(subject) ?? [];
  return namespace === undefined || account === undefined ? undefined : `/ns/${namespace}/sa/${account}`;
}

/** The rule of ca/authorize.ts that let it through: everybody gets their own identity only, node proxies that of pods beside them. */
export function grantOf({ evidence, names }: Pick<LoggedIssuance, 'evidence' | 'names'>): string {
  const identity = identityOf({ names });
  const { kind, subject, serial } = evidence;
  switch (kind) {
    case 'self':
      return "the authority's own server";
    case 'certificate':
      if (subject === identity) return `its own identity, renewed${serial === undefined ? '' : ` from ${serial}`}`;
      return `node proxy ${subject} for a pod on its node`;
    case 'join-token':
      return 'its own identity, by a one-time join token';
    case 'token': {
      const path = accountPath(subject);
      if (path === undefined || identity.endsWith(path)) return 'its own identity, by a token';
      return `node proxy ${subject} for a pod on its node`;
    }
    default:
      return `evidence of an unknown kind: ${kind}`;
  }
}

function statusOf(issuance: LoggedIssuance, identity: string, cutOff: CutOff, now: number): CertificateStatus {
  const { outcome, serial, notBefore, notAfter } = issuance;
  if (outcome === 'withheld') return 'withheld';
  if (cutOff.serials.has(serial) || cutOff.identities.has(identity)) return 'revoked';
  if (Date.parse(notAfter) < now) return 'expired';
  if (outcome === 'open') return 'open';
  return Date.parse(notBefore) > now ? 'not yet valid' : 'valid';
}

interface Candidate {
  readonly serial: string;
  readonly from: number;
  readonly until: number;
}

/** Joins the issuance log with what was seen. Pure; rows are in the order of the log. */
export function inventory(issuances: readonly LoggedIssuance[], lines: readonly Line[], cutOff: CutOff, now: Date): Inventory {
  const byIdentity = new Map<string, Candidate[]>();
  for (const issuance of issuances) {
    const identity = identityOf(issuance);
    if (identity === '' || issuance.outcome === 'withheld') continue;
    const list = byIdentity.get(identity) ?? [];
    byIdentity.set(identity, list);
    // Nobody has it before it was asked for, however far back it is valid.
    const from = Math.max(Date.parse(issuance.notBefore), Date.parse(issuance.time)) - SKEW_MS;
    list.push({ serial: issuance.serial, from, until: Date.parse(issuance.notAfter) + SKEW_MS });
  }
  const calls = new Map<string, CallsMade>();
  const edges: EdgeCertificates[] = [];
  const unexplained: Line[] = [];
  for (const line of lines) {
    const { key, tally } = line;
    if (!key.mtls || key.sourcePrincipal === '' || key.verdict === 'unreached') continue;
    const fit = (byIdentity.get(key.sourcePrincipal) ?? []).filter(
      ({ from, until }) => from <= tally.lastSeen && until >= tally.firstSeen,
    );
    if (fit.length === 0) {
      unexplained.push(line);
      continue;
    }
    for (const { serial } of fit) {
      const known = calls.get(serial) ?? { certain: 0, possible: 0 };
      calls.set(serial, {
        certain: known.certain + (fit.length === 1 ? tally.count : 0),
        possible: known.possible + (fit.length === 1 ? 0 : tally.count),
      });
    }
    const newest = fit.toSorted((one, other) => other.from - one.from).slice(0, LISTED);
    edges.push({ line, serials: newest.map(({ serial }) => serial), count: fit.length });
  }
  return {
    rows: issuances.map((issuance) => {
      const identity = identityOf(issuance);
      return {
        issuance,
        identity,
        grant: grantOf(issuance),
        status: statusOf(issuance, identity, cutOff, now.getTime()),
        calls: calls.get(issuance.serial) ?? { certain: 0, possible: 0 },
      };
    }),
    edges,
    unexplained,
  };
}
