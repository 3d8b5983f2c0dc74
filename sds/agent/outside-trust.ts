import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import type { Clock, Random, Timers } from '../clock.ts';
import { FederatedBundles } from '../federation/federated-bundles.ts';
import type { TrustBundle } from '../identity/bundle.ts';
import { JwtBundles } from '../jwt/bundles.ts';
import { grpcJwtAuthority } from '../jwt/client.ts';
import type { SecretData, SecretProvider } from '../names/kubernetes-secrets.ts';
import { SecretsFolders } from '../names/secrets-folders.ts';
import { revocationLists } from '../trust/revoked.ts';
import type { TrustContext } from '../trust/trust-context.ts';
import { type AgentConfig, type HostPort, targetOf } from './config.ts';

export interface OutsideOptions {
  readonly trustDomain: TrustDomain;
  readonly bundle: () => TrustBundle | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  /** Secrets of a cluster, where no `secretsDir` is given: each has its own way of granting them, and they must not mix. */
  readonly clusterSecrets?: SecretProvider | undefined;
}

const CALL_TIMEOUT_MS = 10_000;

/**
 * What comes from outside and is the same for all workloads of an agent: the bundles of other trust domains, the keys of
 * JWT-SVIDs, Kubernetes Secrets. Follows the configuration.
 */
export class OutsideTrust implements SecretProvider {
  readonly federation: FederatedBundles;
  readonly jwtBundles: JwtBundles;
  readonly #options: OutsideOptions;
  readonly #onOthers = new Set<() => void>();
  readonly #onSecrets = new Set<() => void>();
  #authority: HostPort & { readonly serverName: string } = { host: '', port: 0, serverName: '' };
  #secrets: SecretsFolders | undefined;
  readonly #endCluster: () => void;
  #crls: readonly Buffer[] = [];

  constructor(options: OutsideOptions) {
    this.#options = options;
    this.#endCluster = options.clusterSecrets?.onChange(() => this.#secretsChanged()) ?? (() => undefined);
    const { timers, log, bundle } = options;
    this.federation = new FederatedBundles(timers, log, () => {
      this.jwtBundles.changed();
      this.#trustChanged();
    });
    this.jwtBundles = new JwtBundles({
      ...options,
      authority: {
        create: (call) => this.#jwtAuthority().create(call),
        bundle: (rootsPem) => this.#jwtAuthority().bundle(rootsPem),
      },
      rootsPem: () => bundle()?.pem,
      federated: () => this.federation.jwt(),
    });
  }

  async configure({ controlPlane, federatedBundles, secretsDirs }: AgentConfig): Promise<void> {
    this.#authority = { ...controlPlane.address, serverName: controlPlane.serverName };
    await this.federation.configure(federatedBundles);
    if (isDeepStrictEqual(secretsDirs, this.#secrets?.paths ?? [])) return;
    this.#secrets?.close();
    const { timers, log } = this.#options;
    const folders = secretsDirs.length === 0 ? undefined : new SecretsFolders(secretsDirs, timers, log);
    this.#secrets = folders;
    folders?.onChange(() => this.#secretsChanged());
    await folders?.start();
    this.#secretsChanged();
  }

  /** Takes what the control plane says beside the own roots. */
  learn({ foreign, crl }: TrustContext): void {
    this.#crls = revocationLists(crl ?? '');
    this.federation.learn(foreign);
    this.#trustChanged();
  }

  /** The revocation lists of the own trust domain, DER. */
  crls(): readonly Buffer[] {
    return this.#crls;
  }

  /** Calls back when another trust domain's bundle changed, or a revocation list; returns the end. */
  onOthers(listener: () => void): () => void {
    this.#onOthers.add(listener);
    return () => this.#onOthers.delete(listener);
  }

  get(namespace: string, name: string): SecretData | 'pending' | undefined {
    return this.#provider()?.get(namespace, name);
  }

  granted(gateways: string, namespace: string, name: string): boolean {
    return this.#provider()?.granted(gateways, namespace, name) === true;
  }

  onChange(listener: () => void): () => void {
    this.#onSecrets.add(listener);
    return () => this.#onSecrets.delete(listener);
  }

  close(): void {
    this.federation.close();
    this.jwtBundles.close();
    this.#secrets?.close();
    this.#endCluster();
  }

  #provider(): SecretProvider | undefined {
    return this.#secrets ?? this.#options.clusterSecrets;
  }

  #trustChanged(): void {
    for (const listener of this.#onOthers) listener();
  }

  #secretsChanged(): void {
    for (const listener of this.#onSecrets) listener();
  }

  #jwtAuthority() {
    return grpcJwtAuthority({
      target: targetOf(this.#authority),
      serverName: this.#authority.serverName,
      timeoutMs: CALL_TIMEOUT_MS,
    });
  }
}
