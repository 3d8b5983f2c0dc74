import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Authority, AuthorityOptions } from '../../ca/authority.ts';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import { folderAt, prepareFolder } from '../../ca/root/folder.ts';
import type { NewKey } from '../../ca/root/new.ts';
import type { Rotation } from '../../ca/rotation/rotation.ts';
import { restoreShared } from '../../ca/rotation/shared.ts';
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
  readonly authority: Pick<AuthorityOptions, 'reviewToken' | 'revocationStore' | 'joinTokens' | 'jwtKeys' | 'rotationStore'>;
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
  const [
    { Election },
    { clusterRoot, markRotated },
    { reviewTokens },
    { sharedRevocations },
    { publishBundle },
    { clusterRotation, ROTATION_SECRET },
    tokens,
    keys,
  ] = await Promise.all([
    import('../../kubernetes/lease/election.ts'),
    import('../../kubernetes/authority/root.ts'),
    import('../../kubernetes/authority/token-review.ts'),
    import('../../kubernetes/authority/revocations.ts'),
    import('../../kubernetes/authority/publish-bundle.ts'),
    import('../../kubernetes/authority/rotation.ts'),
    import('../../kubernetes/authority/join-tokens.ts'),
    import('../../kubernetes/authority/jwt-keys.ts'),
  ]);
  const stops: (() => void)[] = [];
  // Whoever has an intermediate of its own from above shares no root.
  const steps = hasUpstream ? undefined : clusterRotation(client, namespace);
  const rotated = await steps?.load();
  if (rotated !== undefined) {
    await prepareFolder(folderAt(dir));
    await restoreShared(dir, rotated);
    await markRotated(client, namespace, ROTATION_SECRET, log);
    log.info(
      { secret: ROTATION_SECRET, phase: rotated.record.state.phase },
      'the authority is that of a rotation in a Kubernetes Secret',
    );
  } else if (!hasUpstream) stops.push(await clusterRoot({ client, namespace, dir, trustDomain, key, clock, log }));
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
      rotationStore: steps?.store,
    },
    isLeader,
    start(authority) {
      const { rotation } = authority;
      const publisher = publishBundle({ client, rootsPem: () => rotation.rootsPem(), isLeader, clusterRole, log });
      election.onChange(() => publisher.look());
      rotation.onChange(() => Promise.resolve(publisher.look()));
      let marked = rotated !== undefined;
      rotation.onChange(async () => {
        if (marked || steps === undefined || rotation.status().since === '') return;
        marked = true;
        await markRotated(client, namespace, ROTATION_SECRET, log);
      });
      const stop = revocations.follow(() => {
        authority.revocations
          .storeChanged()
          .catch((error: unknown) =>
            log.error({ err: error }, 'the shared list of revocations cannot be read; the last one stays in force'),
          );
      });
      const stopSteps = steps?.follow(
        (step) => rotation.follow(step),
        (reason) => log.error({ reason }, 'a step of the root rotation cannot be followed; the last good roots go on'),
      );
      stops.push(
        () => publisher.close(),
        stop,
        () => stopSteps?.(),
      );
    },
    async close() {
      for (const stop of stops) stop();
      await election.close();
    },
  };
}

/** With an intermediate from above in each replica there is no root here that all would share. */
export function withoutSteps(rotation: Rotation): Rotation {
  const reason = 'the authority of these replicas comes from an upstream: its root is changed there';
  const refused = () => Promise.resolve({ ok: false, reason, blockers: [] } as const);
  return { ...rotation, prepare: refused, advance: refused, rollback: refused };
}
