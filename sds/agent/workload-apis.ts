import type { Server } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { JwtCache } from '../jwt/cache.ts';
import { grpcJwtAuthority } from '../jwt/client.ts';
import { FileSecrets } from '../names/file-secrets.ts';
import { KubernetesSecrets } from '../names/kubernetes-secrets.ts';
import { spiffeNames } from '../names/spiffe-names.ts';
import type { SecretSource } from '../secret/store.ts';
import { WorkloadIdentity } from '../workload-api/identity.ts';
import { addWorkloadApi } from '../workload-api/service.ts';
import { targetOf, type WorkloadConfig } from './config.ts';
import type { Surroundings } from './surroundings.ts';

const CALL_TIMEOUT_MS = 10_000;

/** What one workload is served beside its own certificate and roots: the Workload API, and secrets under further names. */
export class WorkloadApis {
  readonly identity: WorkloadIdentity;
  /** For SDS. */
  readonly sources: readonly SecretSource[];
  readonly #around: Surroundings;
  readonly #jwtCache: JwtCache;
  readonly #ends: readonly (() => void)[];

  constructor(config: WorkloadConfig, around: Surroundings, log: Logger) {
    const { outside, timers, clock, bundle } = around;
    const now = () => clock.now().getTime();
    const identity = new WorkloadIdentity(
      config.id,
      { federated: () => outside.federation.x509(), crls: () => outside.crls() },
      now,
    );
    const files = new FileSecrets({ folders: config.secretFiles, timers, log });
    const { namespace, kind } = config.node;
    // A sidecar's application may read its sidecar's socket, so only gateways get other keys than the workload's own.
    const gateway = kind === 'router' ? [new KubernetesSecrets({ provider: outside, namespace, log })] : [];
    this.identity = identity;
    this.sources = [spiffeNames(identity), files, ...gateway];
    this.#around = around;
    this.#jwtCache = new JwtCache({
      id: config.id,
      authority: grpcJwtAuthority({
        target: targetOf(config.authority),
        serverName: config.authority.serverName,
        timeoutMs: CALL_TIMEOUT_MS,
      }),
      svid: () => {
        const state = identity.state();
        return state.kind === 'present' ? state.svid : undefined;
      },
      rootsPem: () => bundle()?.pem,
      now,
    });
    const endOthers = outside.onOthers(() => identity.changed());
    this.#ends = [endOthers, () => files.close(), ...gateway.map((source) => () => source.close())];
  }

  addTo(server: Server): void {
    const { jwtBundles } = this.#around.outside;
    addWorkloadApi(server, { identity: this.identity, jwtCache: this.#jwtCache, jwtBundles });
  }

  stop(): void {
    for (const end of this.#ends) end();
  }
}
