import { hash } from 'node:crypto';
import type { Evidence } from './authenticate/caller.ts';
import type { RequestedKey } from './csr/keys.ts';
import { hex } from './der/read.ts';
import { toPem } from './der/pem.ts';
import type { IssuanceLog } from './log/file.ts';
import { outcome, refuse, type Outcome } from './refusal.ts';
import type { Root } from './root/load.ts';
import { signCertificate } from './sign/build.ts';
import { type CertificateNames, printedNames } from './sign/names.ts';
import { permittedNames } from './sign/permitted.ts';
import { newSerial, pooled, type RandomBytes } from './sign/serial.ts';
import { type LifetimeRules, lifetime, validity } from './sign/validity.ts';
import { releaseCheck } from './validate/release.ts';

/** A certificate that was granted and is to be made. */
export interface Grant {
  readonly names: CertificateNames;
  readonly key: RequestedKey;
  /** Asked for; 0 asks for the default. */
  readonly ttlSeconds: number;
  readonly evidence: Evidence;
}

export interface Certified {
  /** PEM: leaf, intermediates, the trust bundle last. */
  readonly certChain: readonly string[];
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface CertifyOptions {
  /** Who signs now. */
  readonly root: () => Root;
  /** The trust bundle of now, PEM. */
  readonly bundlePem: () => string;
  readonly lifetimes: LifetimeRules;
  readonly issuanceLog: IssuanceLog;
  readonly clock: () => Date;
  readonly random: RandomBytes;
}

export type Certify = (grant: Grant) => Promise<Outcome<Certified>>;

/** Apart from the identity, by which the log is searched. */
function logged(names: CertificateNames): { readonly names: string; readonly dnsNames?: readonly string[] } {
  if (names.kind === 'server' || names.dnsNames === undefined || names.dnsNames.length === 0)
    return { names: printedNames(names) };
  const { kind, spiffeId, dnsNames } = names;
  return { names: printedNames({ kind, spiffeId }), dnsNames };
}

/**
 * The last steps of every issuance: log the intent (on disk before anything is signed), sign, check the output, log the result. Never
 * rejects: a log that cannot be written is a refusal.
 */
export function certifier({ root: current, bundlePem, lifetimes, issuanceLog, clock, random }: CertifyOptions): Certify {
  const check = releaseCheck();
  const forSerials = pooled(random);
  return async ({ names: wanted, key, ttlSeconds, evidence }) => {
    const seconds = lifetime(ttlSeconds, lifetimes);
    if (seconds === undefined) return refuse('invalid', 'the validity asked for is not a number of seconds');
    const now = clock();
    const root = current();
    const valid = validity(now, seconds, root.issuer.validity);
    if (valid === undefined) return refuse('unavailable', "the authority's own certificate is not valid now");
    const permitted = permittedNames(root.constraints, wanted);
    if (!permitted.ok) return permitted;
    const names = permitted.value;
    const serialBytes = newSerial(forSerials);
    const serial = hex(serialBytes);
    const printed = printedNames(names);
    const time = now.toISOString();
    try {
      await issuanceLog.commit({
        kind: 'intent',
        time,
        serial,
        ...logged(names),
        evidence,
        key: key.kind,
        issuer: hex(root.issuer.keyId),
        notBefore: valid.notBefore.toISOString(),
        notAfter: valid.notAfter.toISOString(),
      });
    } catch {
      return refuse('unavailable', 'the issuance log cannot be written');
    }
    let der: Uint8Array;
    try {
      const signed = signCertificate({ serial: serialBytes, names, key, validity: valid }, root.issuer);
      der = signed instanceof Promise ? await signed : signed;
    } catch {
      issuanceLog.note({ kind: 'withheld', time: clock().toISOString(), serial, reason: 'the CA key could not be used' });
      return refuse('unavailable', "the authority's key cannot be reached");
    }
    const intended = { serial, subjectAltName: printed, key, validity: valid, longestSeconds: lifetimes.maxSeconds };
    const fault = check(der, intended, root.issuer, now);
    if (fault !== undefined) {
      issuanceLog.note({ kind: 'withheld', time: clock().toISOString(), serial, reason: fault });
      return refuse('internal', `the new certificate failed its check: ${fault}`);
    }
    issuanceLog.note({
      kind: 'issued',
      time: clock().toISOString(),
      serial,
      sha256: hash('sha256', der),
    });
    // The last block is the whole trust bundle, as Istio answers.
    return outcome({ certChain: [toPem('CERTIFICATE', der), ...root.intermediatesPem, bundlePem()], serial, ...valid });
  };
}
