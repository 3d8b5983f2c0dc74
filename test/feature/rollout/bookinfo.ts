// Bookinfo without any policy, with a weekly job: its legitimate traffic.
import { join } from 'node:path';
import { field } from '../load.ts';
import { get, type Reply, root, samples } from '../running-mesh.ts';
import type { MeshInUse } from './mesh-under-rollout.ts';
import type { Flow } from './steady.ts';

/** Neither policies nor strict mutual TLS: a rollout begins from nothing. */
export const BARE_BOOKINFO: readonly string[] = Object.freeze([
  ...['00-namespace.yaml', 'bookinfo.yaml', 'gateway.yaml'].map((file) => join(samples, 'bookinfo', file)),
  join(samples, 'bookinfo-rules', 'subsets.yaml'),
  join(root, 'test', 'feature', 'meshes', 'rollout', 'weekly.yaml'),
]);

const upstream = (reply: Reply, ...path: readonly string[]): unknown => field(reply.body, 'upstream', ...path, 'status');

/** Both parts of the page, and the stars where the version that served has any. */
function wholeBook(reply: Reply): boolean {
  if (reply.status !== 200) return false;
  const ratings = upstream(reply, 'reviews', 'body', 'upstream', 'ratings');
  return upstream(reply, 'details') === 200 && upstream(reply, 'reviews') === 200 && (ratings === undefined || ratings === 200);
}

export function bookinfoFlows(mesh: MeshInUse): readonly Flow[] {
  const visit = (path: string, works: Flow['works'], headers: Record<string, string> = {}, method = 'GET'): Flow => ({
    name: `${method} ${path}`,
    ask: () => get(mesh.gateway, path, headers, method),
    works,
  });
  return [
    visit('/productpage', ({ status, body }) => status === 200 && !body.includes('not available'), { cookie: 'user=jason' }),
    visit('/api/v1/products/0', wholeBook),
    visit('/api/v1/products/0/ratings', (reply) => reply.status === 200 && upstream(reply, 'ratings') === 200),
    visit('/login?username=jason', ({ status }) => status === 302, {}, 'POST'),
  ];
}
