import type { LoggedIssuance } from '../../ca/log/read.ts';
import { type CertificateUse, OTHER_CERTIFICATES, serialOf } from '../model/certificate-use.ts';
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
 * The calls that a certificate made: for certain where the proxy at the other end named it or, of records without its name, where no other of its
 * identity was valid at that time; otherwise with one of several.
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

/** The certificates that calls of an edge were made with. */
export interface EdgeCertificates {
  readonly line: Line;
  /** Those that the proxy named, the first first. */
  readonly named: readonly CertificateUse[];
  /** Calls of which it named none: these can have been made with those of `serials`, newest first. */
  readonly unnamed: number;
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
  /** As the log writes it. */
  readonly serial: string;
  readonly from: number;
  readonly until: number;
}

/** What the log has issued for each identity. */
function candidatesOf(issuances: readonly LoggedIssuance[]): ReadonlyMap<string, readonly Candidate[]> {
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
  return byIdentity;
}

/** Joins the issuance log with what was seen. Pure; rows are in the order of the log. */
export function inventory(issuances: readonly LoggedIssuance[], lines: readonly Line[], cutOff: CutOff, now: Date): Inventory {
  const candidates = candidatesOf(issuances);
  const calls = new Map<string, CallsMade>();
  const made = (serial: string, count: number, certain: boolean): void => {
    const known = calls.get(serial) ?? { certain: 0, possible: 0 };
    calls.set(serial, {
      certain: known.certain + (certain ? count : 0),
      possible: known.possible + (certain ? 0 : count),
    });
  };
  const edges: EdgeCertificates[] = [];
  const unexplained: Line[] = [];
  for (const line of lines) {
    const { key, tally } = line;
    if (!key.mtls || key.sourcePrincipal === '' || key.verdict === 'unreached') continue;
    const own = candidates.get(key.sourcePrincipal) ?? [];
    const logged = new Map(own.map(({ serial }) => [serialOf(serial), serial]));
    const named: CertificateUse[] = [];
    const strangers: CertificateUse[] = [];
    let total = 0;
    for (const use of line.certificates ?? []) {
      total += use.count;
      const serial = logged.get(use.serial);
      if (serial !== undefined) named.push({ ...use, serial });
      else if (use.serial !== OTHER_CERTIFICATES) strangers.push(use);
    }
    // An hour that the period cuts is counted whole.
    const exact = total <= tally.count;
    for (const { serial, count } of named) made(serial, Math.min(count, tally.count), exact);
    const strange = Math.min(
      tally.count,
      strangers.reduce((sum, { count }) => sum + count, 0),
    );
    if (strange > 0) unexplained.push({ ...line, tally: { ...tally, count: strange }, certificates: strangers });
    const others = line.certificates?.find(({ serial }) => serial === OTHER_CERTIFICATES)?.count ?? 0;
    const unnamed = exact ? tally.count - total + others : 0;
    const fit = unnamed === 0 ? [] : own.filter(({ from, until }) => from <= tally.lastSeen && until >= tally.firstSeen);
    if (unnamed > 0 && fit.length === 0) {
      unexplained.push(strange === 0 && named.length === 0 ? line : { ...line, tally: { ...tally, count: unnamed } });
    }
    for (const { serial } of fit) made(serial, unnamed, fit.length === 1);
    if (named.length === 0 && fit.length === 0) continue;
    const newest = fit.toSorted((one, other) => other.from - one.from).slice(0, LISTED);
    edges.push({ line, named, unnamed, serials: newest.map(({ serial }) => serial), count: fit.length });
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
