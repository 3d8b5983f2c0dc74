import type { Logger } from 'pino';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import { type FileContent, readText, watchFile } from '../agent/watch-file.ts';
import type { Timers } from '../clock.ts';
import { parseBundle, type TrustBundle } from '../identity/bundle.ts';
import type { JwtKeySet } from '../jwt/key-set.ts';
import { type FederatedBundle, parseFederatedBundle } from './bundle-file.ts';

const LOOK_EVERY_MS = 500;

/**
 * The bundles of other trust domains: from the control plane, or each from a file that is followed; the file counts more. A
 * file that cannot be used leaves the last good one in force.
 */
export class FederatedBundles {
  readonly #timers: Timers;
  readonly #log: Logger;
  readonly #onChange: () => void;
  readonly #files = new Map<TrustDomain, { readonly path: string; readonly end: () => void }>();
  readonly #bundles = new Map<TrustDomain, FederatedBundle>();
  #learned: ReadonlyMap<TrustDomain, TrustBundle> = new Map();
  #x509: ReadonlyMap<TrustDomain, TrustBundle> = new Map();
  #jwt: ReadonlyMap<TrustDomain, JwtKeySet> = new Map();

  constructor(timers: Timers, log: Logger, onChange: () => void) {
    this.#timers = timers;
    this.#log = log;
    this.#onChange = onChange;
  }

  x509(): ReadonlyMap<TrustDomain, TrustBundle> {
    return this.#x509;
  }

  jwt(): ReadonlyMap<TrustDomain, JwtKeySet> {
    return this.#jwt;
  }

  /** Makes the files followed what they should be. A domain that is gone is trusted no more at once. */
  async configure(files: ReadonlyMap<TrustDomain, string>): Promise<void> {
    for (const [domain, { path, end }] of this.#files) {
      if (files.get(domain) === path) continue;
      end();
      this.#files.delete(domain);
      if (this.#bundles.delete(domain)) this.#publish();
    }
    for (const [domain, path] of files) {
      if (this.#files.has(domain)) continue;
      const first = await readText(path);
      const end = watchFile(path, first, LOOK_EVERY_MS, this.#timers, (content) => this.#take(domain, path, content));
      this.#files.set(domain, { path, end });
      this.#take(domain, path, first);
    }
  }

  /** Takes what the control plane federates with, PEM. Whom it does not name is trusted no more, unless a file says so. */
  learn(roots: ReadonlyMap<TrustDomain, string>): void {
    const learned = new Map<TrustDomain, TrustBundle>();
    for (const [domain, pem] of roots) {
      const known = this.#learned.get(domain);
      const bundle = parseBundle(pem);
      if (bundle.ok) learned.set(domain, bundle.value.pem === known?.pem ? known : bundle.value);
      else
        this.#log.error(
          { trustDomain: domain, reason: bundle.reason },
          "the control plane's bundle of a trust domain cannot be used",
        );
    }
    const same = learned.size === this.#learned.size && [...learned].every(([domain, one]) => this.#learned.get(domain) === one);
    this.#learned = learned;
    if (!same) this.#publish();
  }

  close(): void {
    for (const { end } of this.#files.values()) end();
  }

  #take(domain: TrustDomain, path: string, content: FileContent): void {
    const bundle = content.ok ? parseFederatedBundle(content.text) : content;
    if (!bundle.ok) {
      this.#log.error(
        { trustDomain: domain, path, reason: bundle.reason },
        'the bundle of a federated trust domain cannot be used; the last good one, if any, stays in force',
      );
      return;
    }
    this.#bundles.set(domain, bundle.value);
    this.#publish();
  }

  #publish(): void {
    const all = [...this.#bundles].sort(byName);
    const filed = all.flatMap(([domain, { x509 }]) => (x509 === undefined ? [] : [[domain, x509] as const]));
    const learned = [...this.#learned].filter(([domain]) => !this.#bundles.has(domain));
    this.#x509 = new Map([...filed, ...learned].sort(byName));
    this.#jwt = new Map(all.flatMap(([domain, { jwt }]) => (jwt === undefined ? [] : [[domain, jwt] as const])));
    this.#onChange();
  }
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}
