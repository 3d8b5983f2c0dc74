import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Authority, AuthorityOptions } from '../../ca/authority.ts';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import type { NewKey } from '../../ca/root/new.ts';
import type { Rotation } from '../../ca/rotation/rotation.ts';
import type { Cluster } from './cluster-options.ts';

export interface ClusterAuthorityOptions {
  readonly dir: string;
  readonly trustDomain: TrustDomain;
  readonly key: NewKey;
  /** Whether the intermediate comes from elsewhere, so that no Secret has the CA. */
  readonly hasUpstream: boolean;
  readonly clock: () => Date;
  readonly log: Logger;
}

/** What replicas of a control plane share by means of the cluster. */
export interface ClusterAuthority {
  readonly authority: Pick<AuthorityOptions, 'reviewToken' | 'revocationStore' | 'joinTokens' | 'jwtKeys'>;
  /** Whether what only one replica may do is this one's to do. */
  isLeader(): boolean;
  /** Begins what needs the authority itself. */
  start(authority: Authority): void;
  close(): Promise<void>;
}

/** The lease of all revisions: what it stands for are objects that they share. */
const LEASE = 'gatehouse-leader';

/** @throws AuthorityError or ApiError when the cluster's CA cannot be used */
export async function clusterAuthority(
  { client, systemNamespace: namespace, clusterRole }: Cluster,
  { dir, trustDomain, key, hasUpstream, clock, log }: ClusterAuthorityOptions,
): Promise<ClusterAuthority> {
  const [{ Election }, { clusterRoot }, { reviewTokens }, { sharedRevocations }, { publishBundle }, tokens, keys] =
    await Promise.all([
      import('../../kubernetes/lease/election.ts'),
      import('../../kubernetes/authority/root.ts'),
      import('../../kubernetes/authority/token-review.ts'),
      import('../../kubernetes/authority/revocations.ts'),
      import('../../kubernetes/authority/publish-bundle.ts'),
      import('../../kubernetes/authority/join-tokens.ts'),
      import('../../kubernetes/authority/jwt-keys.ts'),
    ]);
  const stops: (() => void)[] = [];
  if (!hasUpstream) stops.push(await clusterRoot({ client, namespace, dir, trustDomain, key, clock, log }));
  const revocations = sharedRevocations(client, namespace);
  // The name of a Pod stays when its container starts again, and two processes may have the same on one machine.
  const identity = `${process.env['POD_NAME'] ?? hostname()}_${randomUUID()}`;
  const election = new Election({ client, namespace, name: LEASE, identity, log, clock });
  const isLeader = (): boolean => election.isLeader();
  return {
    authority: {
      reviewToken: reviewTokens(client),
      revocationStore: revocations.store,
      joinTokens: tokens.sharedJoinTokens(client, namespace),
      jwtKeys: keys.sharedJwtKeys(client, namespace),
    },
    isLeader,
    start(authority) {
      const { rotation } = authority;
      const publisher = publishBundle({ client, rootsPem: () => rotation.rootsPem(), isLeader, clusterRole, log });
      election.onChange(() => publisher.look());
      rotation.onChange(() => Promise.resolve(publisher.look()));
      const stop = revocations.follow(() => {
        authority.revocations
          .storeChanged()
          .catch((error: unknown) =>
            log.error({ err: error }, 'the shared list of revocations cannot be read; the last one stays in force'),
          );
      });
      stops.push(() => publisher.close(), stop);
    },
    async close() {
      for (const stop of stops) stop();
      await election.close();
    },
  };
}

/**
 * Rotation step by step is for one control plane, which knows every proxy. With replicas nobody does, and a root that one of them made would be
 * unknown to the others: so it is refused, and the way with a Secret is named.
 */
export function withoutSteps(rotation: Rotation): Rotation {
  const reason =
    'in a cluster the root is changed in the Secret cacerts: first root-cert.pem with both roots, then the new ca-key.pem and ca-cert.pem, ' +
    'and when the old certificates have ended, root-cert.pem with the new root alone';
  const refused = () => Promise.resolve({ ok: false, reason, blockers: [] } as const);
  return { ...rotation, prepare: refused, advance: refused, rollback: refused };
}
