// The shop without any policy, with a database and a weekly job: its legitimate traffic.
import { join } from 'node:path';
import { get, type Reply, root, samples } from '../running-mesh.ts';
import type { MeshInUse } from './mesh-under-rollout.ts';
import { certificateOf, overTls } from './pod.ts';
import type { Flow } from './steady.ts';

/** Neither its policies nor strict mutual TLS: a rollout begins from nothing. */
export const BARE_SHOP: readonly string[] = Object.freeze([
  ...['00-namespace.yaml', 'shop.yaml', 'gateway.yaml', 'users.yaml'].map((file) => join(samples, 'shop', file)),
  join(root, 'test', 'feature', 'meshes', 'rollout', 'database.yaml'),
]);

const ok = (reply: Reply): boolean => reply.status === 200;

/** A reply of what came back on a connection of bytes. */
const bytes = (received: string): Reply => ({
  status: received.startsWith('HTTP/1.1 200') ? 200 : 0,
  headers: {},
  body: received === '' ? 'the connection was closed' : received,
});

export async function shopFlows(mesh: MeshInUse): Promise<readonly Flow[]> {
  let next = 0;
  const visit = (site: string, path: () => string): Flow => ({
    name: `customer to ${site} ${path().replace(/\d+/, 'N')}`,
    ask: () => get(mesh.gateway, path(), { host: `${site}.shop.localhost` }),
    works: ok,
  });
  const account = (): string => `/account/${String(next++ % 50)}`;
  const users = await certificateOf(mesh, 'shop/users');
  return [
    visit('website', () => '/'),
    visit('mobile', () => '/'),
    visit('support', account),
    visit('mobile', account),
    visit('rewards', account),
    {
      name: 'rewards to users, POST',
      ask: () => mesh.ask('shop/rewards', `http://users:8080/users/${String(next++ % 50)}`, { method: 'POST' }),
      works: ok,
    },
    {
      name: 'users to database, TCP',
      ask: async () => bytes(await overTls(mesh, 'shop/database', '/', users, ['istio'])),
      works: ok,
    },
  ];
}
