import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import type { Logger } from 'pino';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { FileContent } from '../agent/watch-file.ts';
import { readText } from '../agent/watch-file.ts';
import type { Timers } from '../clock.ts';
import type { EncodedSecret } from '../secret/secret.ts';
import type { Lookup, SecretSource } from '../secret/store.ts';
import { type FileName, parseFileName } from './file-names.ts';
import { FollowedSecrets } from './followed.ts';
import { authoritiesFrom, keyPairFrom } from './key-pair.ts';

export interface FileSecretsOptions {
  /** Folders whose files the workload may have. Empty: none, save the system's roots, which are no secret. */
  readonly folders: readonly string[];
  readonly timers: Timers;
  readonly log: Logger;
}

const LOOK_EVERY_MS = 500;
/** Names are the peer's choice; each costs a poll. */
const MOST_NAMES = 64;
/** Where operating systems keep the authorities that they trust. */
const SYSTEM_ROOTS: readonly string[] = Object.freeze([
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]);

/**
 * Secrets from files of this machine, followed through their changes from the first time that somebody asks. What cannot
 * be used leaves the last good one in force. The agent may read more than the workload may: hence the list of folders.
 */
export class FileSecrets implements SecretSource {
  readonly #options: FileSecretsOptions;
  readonly #followed = new FollowedSecrets();
  readonly #names = new Set<string>();
  readonly #ends = new Set<() => void>();
  #closed = false;

  constructor(options: FileSecretsOptions) {
    this.#options = options;
  }

  lookup(name: string): Lookup | undefined {
    const parsed = parseFileName(name);
    if (parsed === undefined) return undefined;
    if (!parsed.ok || !this.#mayHave(parsed.value)) return { kind: 'absent' };
    if (!this.#names.has(name)) {
      if (this.#names.size >= MOST_NAMES) return { kind: 'absent' };
      this.#names.add(name);
      void this.#follow(name, parsed.value);
    }
    return this.#followed.lookup(name);
  }

  onChange(listener: () => void): () => void {
    return this.#followed.onChange(listener);
  }

  close(): void {
    this.#closed = true;
    for (const end of this.#ends) end();
  }

  #mayHave(name: FileName): boolean {
    switch (name.kind) {
      case 'system roots':
        return name.crl === undefined || this.#inside(name.crl);
      case 'roots':
        return this.#inside(name.path) && (name.crl === undefined || this.#inside(name.crl));
      case 'key pair':
        return this.#inside(name.certificate) && this.#inside(name.key);
      default:
        return name satisfies never;
    }
  }

  #inside(path: string): boolean {
    return this.#options.folders.some((folder) => path.startsWith(folder.endsWith(sep) ? folder : folder + sep));
  }

  /** Looks at the files again and again. Never rejects. */
  async #follow(name: string, file: FileName): Promise<void> {
    const { timers, log } = this.#options;
    let complaint: string | undefined;
    const look = async (): Promise<void> => {
      const secret = await this.#read(name, file);
      if (this.#closed) return;
      if (secret.ok) this.#followed.put(secret.value);
      else if (secret.reason !== complaint)
        log.error({ name, reason: secret.reason }, 'a secret from files cannot be used; the last good one, if any, stays');
      complaint = secret.ok ? undefined : secret.reason;
      const end = timers.after(LOOK_EVERY_MS, () => {
        this.#ends.delete(end);
        void look();
      });
      this.#ends.add(end);
    };
    await look();
  }

  async #read(name: string, file: FileName): Promise<Parsed<EncodedSecret>> {
    switch (file.kind) {
      case 'system roots': {
        const path = SYSTEM_ROOTS.find((candidate) => existsSync(candidate));
        if (path === undefined) return { ok: false, reason: 'this system has no file of trusted authorities' };
        return this.#authorities(name, await readText(path), file.crl);
      }
      case 'roots':
        return this.#authorities(name, await this.#allowed(file.path), file.crl);
      case 'key pair': {
        const certificate = await this.#allowed(file.certificate);
        const key = await this.#allowed(file.key);
        if (!certificate.ok) return certificate;
        return key.ok ? keyPairFrom(name, certificate.text, key.text) : key;
      }
      default:
        return file satisfies never;
    }
  }

  /** Authorities whose list of revoked certificates was asked for are not given without it. */
  async #authorities(name: string, roots: FileContent, crl: string | undefined): Promise<Parsed<EncodedSecret>> {
    if (!roots.ok) return roots;
    if (crl === undefined) return authoritiesFrom(name, roots.text);
    const revoked = await this.#allowed(crl);
    if (!revoked.ok) return revoked;
    if (!/^-----BEGIN X509 CRL-----$/m.test(revoked.text)) return { ok: false, reason: `${crl} holds no revocation list in PEM` };
    return authoritiesFrom(name, roots.text, revoked.text);
  }

  /** Reads a file that lies in an allowed folder also after all links were followed. */
  async #allowed(path: string): Promise<FileContent> {
    try {
      const real = await realpath(path);
      const folders = await Promise.all(this.#options.folders.map((folder) => realpath(folder).catch(() => undefined)));
      const inside = folders.some((folder) => folder !== undefined && real.startsWith(folder + sep));
      return inside ? await readText(real) : { ok: false, reason: `${path} leads out of the folders that are allowed` };
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? error.message : String(error) };
    }
  }
}
