import { isAbsolute } from 'node:path';
import type { FastifyReply } from 'fastify';
import type { Done, Followers, Rotation } from '../../ca/rotation/rotation.ts';
import type { Behind } from '../../ca/rotation/state.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { PublishedBundle } from '../../xds/resources/source.ts';
import type { StreamStatus } from '../../xds/stream/service.ts';
import type { AdminRoutes } from './admin-socket.ts';

export interface RotationSources {
  readonly rotation: Rotation;
  /** Who follows the trust bundle, at all replicas. */
  readonly followers: () => Promise<Followers>;
}

/** Who follows the trust bundle where one control plane has all proxies. */
export function followersHere(all: readonly StreamStatus[], bundle: PublishedBundle, snapshot: Snapshot): Followers {
  return {
    behind: behind(all, bundle),
    connected: new Set(all.flatMap(({ kind, identity }) => (kind === 'proxy' && identity !== undefined ? [identity] : []))),
    // Identities under which pods run now. Those that have a certificate must be connected.
    expected: identitiesIn(snapshot),
  };
}

/** Who of the connected has not accepted the bundle that is published now. */
export function behind(streams: readonly StreamStatus[], { version }: PublishedBundle): readonly Behind[] {
  return streams.flatMap(({ node, identity: proved, trustBundle }): readonly Behind[] => {
    const identity = proved ?? 'plain text';
    switch (trustBundle.kind) {
      case 'unused':
        return [];
      case 'accepted':
        return trustBundle.version === version ? [] : [{ node, identity, detail: 'has an older trust bundle' }];
      case 'pending':
        return [{ node, identity, detail: 'has not answered yet' }];
      case 'rejected':
        return [{ node, identity, detail: `refused it: ${trustBundle.message}` }];
      default:
        return trustBundle satisfies never;
    }
  });
}

/** The identities under which pods run. */
export function identitiesIn({ workloads, meshConfig }: Snapshot): ReadonlySet<string> {
  return new Set(
    workloads.flatMap(({ namespace, serviceAccount, instances }) =>
      instances.length === 0 ? [] : [`spiffe://${meshConfig.trustDomain}/ns/${namespace}/sa/${serviceAccount}`],
    ),
  );
}

/** `/rotation`: the state, what is in the way of the next step, and the steps. */
export function rotationRoutes({ rotation, followers }: RotationSources): AdminRoutes {
  const answer = (reply: FastifyReply, done: Done): FastifyReply =>
    done.ok ? reply.send(done.status) : reply.code(409).send({ error: done.reason, blockers: done.blockers });
  return (app) => {
    app.get('/rotation', () => rotation.status());
    app.get('/rotation/plan', async () => ({ status: rotation.status(), plan: await rotation.plan(await followers()) }));
    app.post('/rotation/prepare', async ({ body }, reply) => {
      const from = field(body, 'from');
      if (from !== undefined && (typeof from !== 'string' || !isAbsolute(from)))
        return reply.code(400).send({ error: 'from must be an absolute path' });
      return answer(reply, await rotation.prepare(from));
    });
    app.post('/rotation/advance', async ({ body }, reply) =>
      answer(reply, await rotation.advance(await followers(), field(body, 'force') === true)),
    );
    app.post('/rotation/rollback', async ({ body }, reply) =>
      answer(reply, await rotation.rollback(await followers(), field(body, 'force') === true)),
    );
  };
}

function field(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? Object.entries(body).find(([key]) => key === name)?.[1] : undefined;
}
